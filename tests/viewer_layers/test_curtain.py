"""The curtain shows the one image left of the line and the other right of it, and leaves both alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.viewer_layers.curtain import Curtain


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    stack = np.arange(3)[:, None, None] * 100 + np.arange(60)[None, None, :] + np.zeros((3, 40, 1))
    viewer.add_image(stack, name="measured", scale=(1, 2, 2), translate=(0, 5, 7))
    viewer.add_image(np.ones((40, 60)), name="signal", scale=(2, 2), translate=(5, 7))
    viewer.add_image(np.zeros((40, 60)), name="other", scale=(2, 2), translate=(5, 7))
    viewer.scene.camera.zoom = 1.0
    return viewer


@pytest.fixture
def curtain(viewer: ViewerModel) -> Curtain:
    return Curtain(viewer, viewer.layers["measured"], viewer.layers["signal"])


def drag(viewer: ViewerModel, curtain: Curtain, start: float, *columns: float) -> SimpleNamespace:
    """Press at a column of the data, move to others, release."""
    event = SimpleNamespace(type="mouse_press", position=curtain.layer.data_to_world((20, start - 0.5)), handled=False)
    generator = curtain._on_drag(viewer, event)
    for column in columns:
        if next(generator, "end") == "end":
            return event
        event.type, event.position = "mouse_move", curtain.layer.data_to_world((20, column - 0.5))
    if next(generator, "end") != "end":
        event.type = "mouse_release"
        next(generator, None)
    return event


def test_left_of_the_line_is_the_one_and_right_of_it_the_other(viewer: ViewerModel, curtain: Curtain) -> None:
    assert_array_equal(curtain.layer.data, viewer.layers["measured"].data[1][:, :30])
    visible = [layer.name for layer in viewer.layers if layer.visible]
    assert visible == ["signal", curtain.layer.name, curtain.line.name]
    assert_array_equal(curtain.layer.data_to_world((3, 4)), viewer.layers["signal"].data_to_world((3, 4)))


def test_it_holds_no_copy_of_the_image(viewer: ViewerModel, curtain: Curtain) -> None:
    assert np.shares_memory(curtain.layer.data, viewer.layers["measured"].data)


@pytest.mark.parametrize(("wish", "split"), [(-50, 1), (0, 1), (17.4, 17), (59, 59), (60, 59), (1e6, 59)])
def test_the_line_stays_inside_the_image(curtain: Curtain, wish: float, split: int) -> None:
    curtain.split = wish
    assert curtain.split == split
    assert curtain.layer.data.shape == (40, split)
    for row, end in zip((-0.5, 39.5), curtain.line.data[0], strict=True):
        assert_allclose(curtain.line.data_to_world(end), curtain.layer.data_to_world((row, split - 0.5)))


def test_the_line_is_dragged_when_it_is_grabbed(viewer: ViewerModel, curtain: Curtain) -> None:
    event = drag(viewer, curtain, 31, 40, 45)
    assert event.handled
    assert curtain.split == 45
    assert viewer.scene.camera.mouse_pan, "panning is back"


def test_a_press_away_from_the_line_is_not_ours(viewer: ViewerModel, curtain: Curtain) -> None:
    event = drag(viewer, curtain, 45, 50)
    assert not event.handled
    assert curtain.split == 30


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        ("add_labels", "paint"), ("add_labels", "erase"), ("add_labels", "polygon"), ("add_points", "add"),
        ("add_points", "select"), ("add_shapes", "add_rectangle"), ("add_shapes", "add_polygon"),
        ("add_shapes", "direct"), ("add_image", "transform"),
    ],
)  # fmt: skip
def test_a_person_who_paints_draws_or_adds_is_not_disturbed(
    viewer: ViewerModel, curtain: Curtain, make: str, mode: str
) -> None:
    empty = {"add_labels": [np.zeros((40, 60), int)], "add_image": [np.zeros((40, 60))]}
    layer = getattr(viewer, make)(*empty.get(make, []))
    viewer.layers.selection.active = layer
    layer.mode = mode
    assert not drag(viewer, curtain, 30, 40).handled
    assert curtain.split == 30
    layer.mode = "pan_zoom"
    assert drag(viewer, curtain, 30, 40).handled


def test_it_follows_the_sliders_and_the_contrast(viewer: ViewerModel, curtain: Curtain) -> None:
    viewer.dims.set_point(0, 2)
    assert_array_equal(curtain.layer.data, viewer.layers["measured"].data[2][:, :30])
    viewer.layers["measured"].contrast_limits = (3, 9)
    assert curtain.layer.contrast_limits == [3, 9]


def test_closing_leaves_everything_as_it_was(viewer: ViewerModel) -> None:
    viewer.layers["other"].visible = False
    before: list[Any] = [(layer.name, layer.visible) for layer in viewer.layers]
    callbacks = list(viewer.mouse_drag_callbacks)
    curtain = Curtain(viewer, viewer.layers["measured"], viewer.layers["signal"])
    curtain.close()
    assert [(layer.name, layer.visible) for layer in viewer.layers] == before
    assert viewer.mouse_drag_callbacks == callbacks
    viewer.dims.set_point(0, 1)
    viewer.layers["measured"].contrast_limits = (1, 2)


def test_images_of_different_shapes_are_refused(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((40, 61)), name="wide")
    with pytest.raises(ValueError, match=r"'left' must have the shape of 'right' \(40 x 61\); found 40 x 60"):
        Curtain(viewer, viewer.layers["measured"], viewer.layers["wide"])
