"""Denoised rows as layers: where they lie, what they know, and that nothing of a person's is touched."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.viewer_layers.denoised_layers import put_denoised

SHAPE = (3, 6, 8)
RECORD = {"method": "tv"}


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    image = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    viewer.add_image(
        image, name="map", scale=(1, 0.5, 0.05), translate=(0, 2, -43), units=("s", "um", "um"), contrast_limits=(0, 9)
    )
    return viewer


def put(viewer: ViewerModel, height: float = 2.0, method: str = "Total variation"):
    image = viewer.layers["map"]
    noise = np.full(SHAPE, height, np.float32)
    noise[:, ::2] *= -1
    return put_denoised(viewer, image, image.data - noise, noise, method=method, record=RECORD)


def test_they_lie_where_the_image_lies_and_say_what_was_done(viewer: ViewerModel) -> None:
    image = viewer.layers["map"]
    for layer, role in zip(put(viewer), ("denoised", "noise"), strict=True):
        assert layer.name == f"map - {role}, Total variation"
        assert_array_equal(layer.scale, image.scale)
        assert_array_equal(layer.translate, image.translate)
        assert layer.units == image.units
        origin = {"of": "map", "of_layer": str(image.unique_id), "role": role}
        assert layer.metadata["napari_bgremove"] == {**RECORD, **origin}


def test_what_is_left_looks_like_what_was_measured_and_noise_is_shown_about_zero(viewer: ViewerModel) -> None:
    left, taken = put(viewer)
    assert tuple(left.contrast_limits) == (0, 9)
    viewer.layers["map"].contrast_limits = (1, 5)
    assert tuple(left.contrast_limits) == (1, 5), "they change together"
    assert_allclose(taken.contrast_limits, (-6, 6))
    assert not taken.visible
    assert_allclose(left.data + taken.data, viewer.layers["map"].data)


def test_the_same_method_again_updates_and_another_one_stands_beside(viewer: ViewerModel) -> None:
    first = put(viewer)
    again = put(viewer, height=1.0)
    assert again == first
    assert_allclose(np.abs(first[1].data), 1)
    put(viewer, method="Wiener")
    assert len(viewer.layers) == 5


def test_a_layer_of_a_person_with_that_name_stays(viewer: ViewerModel) -> None:
    own = viewer.add_image(np.zeros(SHAPE), name="map - denoised, Total variation")
    left, _ = put(viewer)
    assert left is not own
    assert not own.data.any()


def test_noise_that_is_nothing_can_be_shown(viewer: ViewerModel) -> None:
    _, taken = put(viewer, height=0.0)
    assert tuple(taken.contrast_limits) == (-1, 1)
