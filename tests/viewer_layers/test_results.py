"""The parts of a separation lie where their image lies, and look like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal

from napari_bgremove.viewer_layers.results import put_separation

SHAPE = (6, 8)
PARTS = {name: np.ones(SHAPE) for name in ("signal", "background", "uncertainty", "residual")}


@pytest.fixture
def image() -> Any:
    return np.arange(48.0).reshape(SHAPE)


def test_place_and_units_are_those_of_the_image(image: np.ndarray) -> None:
    viewer = ViewerModel()
    place = {"scale": (2, 3), "translate": (5, 7), "units": ("mm", "um"), "axis_labels": ("row", "column")}
    measured = viewer.add_image(image, name="shot", **place)
    for layer in put_separation(viewer, measured, PARTS, record={}).values():
        assert layer.units == measured.units
        assert layer.axis_labels == ("row", "column")
        assert_array_equal(layer.data_to_world((1, 2)), measured.data_to_world((1, 2)))


def test_of_a_stack_a_frame_has_the_units_of_its_axes(image: np.ndarray) -> None:
    viewer = ViewerModel()
    measured = viewer.add_image(np.stack([image, image]), name="stack", units=("s", "mm", "um"))
    parts = put_separation(viewer, measured, PARTS, record={})
    assert parts["signal"].units == measured.units[1:]


def test_measured_signal_and_background_share_their_looks(image: np.ndarray) -> None:
    viewer = ViewerModel()
    measured = viewer.add_image(image, name="shot", colormap="magma")
    parts = put_separation(viewer, measured, PARTS, record={})
    shared = [measured, parts["signal"], parts["background"]]
    assert {layer.colormap.name for layer in shared} == {"magma"}
    for number, changed in enumerate(shared, start=1):
        changed.contrast_limits, changed.gamma, changed.colormap = (number, 10 * number), 0.1 * number, "gray"
        assert [layer.contrast_limits for layer in shared] == [[number, 10 * number]] * 3
        assert [layer.gamma for layer in shared] == [pytest.approx(0.1 * number)] * 3
        assert {layer.colormap.name for layer in shared} == {"gray"}
    assert parts["uncertainty"].colormap.name == "viridis"
    assert parts["uncertainty"].contrast_limits != [3, 30]
