"""What was shown before comes back, whatever came and went meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_bgremove.viewer_layers.visibility import show_in_grid, show_only


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    for name, visible in (("a", True), ("b", False), ("c", True), ("d", True)):
        viewer.add_image(np.zeros((4, 5)), name=name, visible=visible)
    return viewer


def visible(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def test_only_these_are_shown_and_then_what_was(viewer: ViewerModel) -> None:
    restore = show_only(viewer, [viewer.layers["a"], viewer.layers["b"]])
    assert visible(viewer) == ["a", "b"]
    viewer.layers.remove("d")
    viewer.add_image(np.zeros((4, 5)), name="new")
    restore()
    assert visible(viewer) == ["a", "c", "new"]


def test_others_can_be_left_alone(viewer: ViewerModel) -> None:
    restore = show_only(viewer, [viewer.layers["b"]], among=[viewer.layers["a"], viewer.layers["b"]])
    assert visible(viewer) == ["b", "c", "d"]
    restore()
    assert visible(viewer) == ["a", "c", "d"]


@pytest.mark.parametrize("was_on", [False, True])
def test_the_grid_is_what_it_was(viewer: ViewerModel, was_on: bool) -> None:
    viewer.canvas.grid.enabled = was_on
    restore = show_in_grid(viewer, [viewer.layers["a"], viewer.layers["b"]])
    assert viewer.canvas.grid.enabled
    assert visible(viewer) == ["a", "b"]
    restore()
    assert viewer.canvas.grid.enabled is was_on
    assert visible(viewer) == ["a", "c", "d"]
