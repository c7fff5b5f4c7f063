"""A person's mask changes in place, in one undoable step, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from numpy.testing import assert_array_equal

from napari_bgremove.viewer_layers.geometry import current_frame, geometry_of
from napari_bgremove.viewer_layers.masks import (
    add_mask_layer,
    edit_mask,
    hide_preview,
    mask_of,
    rasterize_shapes,
    show_preview,
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def image(viewer: ViewerModel) -> Image:
    return viewer.add_image(np.zeros((40, 60), np.float32), name="shot", scale=(2, 3), translate=(5, -7))


def test_a_new_mask_lies_on_its_image(viewer: ViewerModel, image: Image) -> None:
    mask = add_mask_layer(viewer, image)
    assert mask.name == "shot - signal mask"
    assert not mask_of(mask).any()
    for corner in ((0, 0), (39, 59)):
        assert_array_equal(mask.data_to_world(corner), image.data_to_world(corner))


def test_the_mask_of_a_stack_is_one_frame(viewer: ViewerModel) -> None:
    stack = viewer.add_image(np.zeros((7, 40, 60), np.float32), name="stack", scale=(1, 2, 3))
    assert add_mask_layer(viewer, stack).data.shape == (40, 60)


def test_an_edit_is_in_place_and_one_undo(viewer: ViewerModel, image: Image) -> None:
    rng = np.random.default_rng(0)
    layer = add_mask_layer(viewer, image, rng.random((40, 60)) < 0.5)
    array, before = layer.data, layer.data.copy()
    wanted = rng.random((40, 60)) < 0.5
    assert edit_mask(layer, wanted)
    assert layer.data is array
    assert_array_equal(mask_of(layer), wanted)
    layer.undo()
    assert_array_equal(layer.data, before)
    layer.redo()
    assert_array_equal(mask_of(layer), wanted)


def test_an_edit_that_changes_nothing_makes_no_step(viewer: ViewerModel, image: Image) -> None:
    layer = add_mask_layer(viewer, image, np.eye(40, 60, dtype=bool))
    assert not edit_mask(layer, np.eye(40, 60, dtype=bool))


def test_other_labels_survive_where_the_mask_stays(viewer: ViewerModel, image: Image) -> None:
    layer = add_mask_layer(viewer, image)
    layer.data[3, 4] = 7
    wanted = np.zeros((40, 60), bool)
    wanted[3, 3:6] = True
    edit_mask(layer, wanted)
    assert_array_equal(layer.data[3, 3:6], [1, 7, 1])


def test_a_mask_that_does_not_fit_is_refused_and_nothing_changes(viewer: ViewerModel, image: Image) -> None:
    layer = add_mask_layer(viewer, image)
    with pytest.raises(ValueError, match=r"must have the shape of 'shot - signal mask' \(40 x 60\); found 40 x 61"):
        edit_mask(layer, np.ones((40, 61), bool))
    assert not mask_of(layer).any()


def test_what_the_mask_gives_away_is_a_copy(viewer: ViewerModel, image: Image) -> None:
    layer = add_mask_layer(viewer, image)
    mask_of(layer)[:] = True
    assert not layer.data.any()


@pytest.mark.parametrize("kind", ["rectangle", "polygon", "ellipse"])
def test_shapes_are_imprinted_where_they_are_seen(viewer: ViewerModel, image: Image, kind: str) -> None:
    """The shapes layer has another scale and place; the centre and an outside point decide."""
    corners = np.array([[10, 10], [10, 30], [30, 30], [30, 10]], float)
    world = np.array([image.data_to_world(c) for c in corners])
    shapes = viewer.add_shapes([(world - 4) / 5], shape_type=kind, scale=(5, 5), translate=(4, 4))
    mask = rasterize_shapes(shapes, image)
    assert mask[20, 20]
    assert not mask[5, 5]
    assert not mask[35, 20]
    expected = np.pi * 10**2 if kind == "ellipse" else 20 * 20
    assert mask.sum() == pytest.approx(expected, rel=0.12)


def test_lines_have_no_inside(viewer: ViewerModel, image: Image) -> None:
    shapes = viewer.add_shapes([np.array([[0, 0], [30, 30]])], shape_type="line")
    assert not rasterize_shapes(shapes, image).any()


def test_the_preview_is_one_layer_and_leaves_the_selection_alone(viewer: ViewerModel, image: Image) -> None:
    mask = add_mask_layer(viewer, image)
    viewer.layers.selection.active = mask
    first = show_preview(viewer, image, np.eye(40, 60, dtype=bool))
    second = show_preview(viewer, image, np.ones((40, 60), bool))
    assert first is second
    assert viewer.layers.selection.active is mask
    hide_preview(viewer)
    hide_preview(viewer)
    assert [layer.name for layer in viewer.layers] == ["shot", "shot - signal mask"]


def test_the_preview_lies_on_the_image_it_is_of(viewer: ViewerModel, image: Image) -> None:
    other = viewer.add_image(np.zeros((40, 60), np.float32), name="other", scale=(7, 7), translate=(100, 0))
    show_preview(viewer, image, np.eye(40, 60, dtype=bool))
    preview = show_preview(viewer, other, np.eye(40, 60, dtype=bool))
    assert_array_equal(preview.data_to_world((3, 4)), other.data_to_world((3, 4)))


def test_the_current_frame_is_the_one_the_slider_shows(viewer: ViewerModel) -> None:
    stack = viewer.add_image(np.arange(5)[:, None, None] * np.ones((5, 4, 6)), scale=(3, 1, 1), translate=(6, 0, 0))
    viewer.dims.set_point(0, 6 + 3 * 2)
    assert_array_equal(current_frame(viewer, stack), 2)
    viewer.dims.set_point(0, 6 + 3 * 4)
    assert_array_equal(current_frame(viewer, stack), 4)


def test_geometry_is_taken_over_whole(viewer: ViewerModel) -> None:
    source = viewer.add_image(np.zeros((4, 8, 9)), scale=(1, 2, 3), translate=(4, 5, 6), units=("s", "mm", "mm"),
                              axis_labels=("time", "y", "x"), rotate=np.eye(3))  # fmt: skip
    same = viewer.add_image(np.zeros((4, 8, 9)), **geometry_of(source))
    flat = viewer.add_image(np.zeros((8, 9)), **geometry_of(source, ndim=2))
    assert_array_equal(same.scale, source.scale)
    assert same.units == source.units
    assert_array_equal(flat.translate, (5, 6))
    assert flat.axis_labels == ("y", "x")
    assert_array_equal(flat.data_to_world((3, 4)), source.data_to_world((0, 3, 4))[1:])
