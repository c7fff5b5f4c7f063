"""A panel that nobody sees shows nothing in the viewer, and what it keeps for a person it keeps on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.key_bindings import KeymapHandler
from qtpy.QtWidgets import QWidget

from napari_bgremove.viewer_layers.results import put_separation
from napari_bgremove.widgets.compare_panel import ComparePanel
from napari_bgremove.widgets.mask_autosave import keeper_of
from napari_bgremove.widgets.mask_panel import MaskPanel

SHAPE = (40, 60)


@pytest.fixture
def viewer(fake_engine: Any) -> ViewerModel:
    viewer = ViewerModel()
    image = viewer.add_image(np.random.default_rng(0).poisson(5, (3, *SHAPE)).astype(np.float32), name="shot")
    parts = {part: np.ones(SHAPE, np.float32) for part in ("signal", "background")}
    put_separation(viewer, image, parts, record={})
    return viewer


@pytest.fixture
def opened(qtbot: Any, flush: Callable[[], None]) -> Iterator[list[QWidget]]:
    panels: list[QWidget] = []
    yield panels
    for panel in panels:
        panel.deleteLater()
    flush()


def names(viewer: ViewerModel, start: str) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.name.startswith(start)]


def press_k(viewer: ViewerModel) -> None:
    handler = KeymapHandler()
    handler.keymap_providers = [viewer]
    handler.press_key("K")


def open_compare(viewer: ViewerModel, opened: list[QWidget]) -> ComparePanel:
    panel = ComparePanel(viewer)
    opened.append(panel)
    panel.before_choice.layer, panel.after_choice.layer = viewer.layers["shot"], viewer.layers["shot - signal"]
    panel.show()
    return panel


def test_a_hidden_mask_panel_shows_no_preview(qtbot: Any, viewer: ViewerModel, opened: list[QWidget]) -> None:
    panel = MaskPanel(viewer)
    opened.append(panel)
    panel.show()
    panel.image_choice.layer = viewer.layers["shot"]
    panel.rules.above.number.setValue(5)
    panel.rules.above.tick.setChecked(True)
    qtbot.waitUntil(lambda: bool(names(viewer, "Mask preview")), timeout=20_000)
    panel.hide()
    assert not names(viewer, "Mask preview")
    viewer.dims.set_point(0, 2)
    assert not panel._preview.is_busy
    panel.show()
    qtbot.waitUntil(lambda: bool(names(viewer, "Mask preview")), timeout=20_000)


def test_a_hidden_compare_panel_shows_no_curtain(viewer: ViewerModel, opened: list[QWidget]) -> None:
    panel = open_compare(viewer, opened)
    panel.show_curtain.setChecked(True)
    assert len(names(viewer, "Curtain")) == 2
    panel.hide()
    panel.after_choice.layer = viewer.layers["shot - background (noise)"]
    assert not names(viewer, "Curtain")
    panel.show()
    assert names(viewer, "Curtain:") == ["Curtain: shot | shot - background (noise)"]


def test_a_curtain_goes_with_its_panel_though_it_was_never_hidden(
    viewer: ViewerModel, opened: list[QWidget], flush: Callable[[], None]
) -> None:
    before = list(viewer.mouse_drag_callbacks)
    panel = open_compare(viewer, opened)
    panel.show_curtain.setChecked(True)
    opened.remove(panel)
    panel.deleteLater()
    flush()
    assert not names(viewer, "Curtain")
    assert viewer.mouse_drag_callbacks == before
    viewer.dims.set_point(0, 2)


def test_a_curtain_over_data_that_are_replaced_is_drawn_anew_or_taken_away(
    viewer: ViewerModel, opened: list[QWidget], flush: Callable[[], None]
) -> None:
    panel = open_compare(viewer, opened)
    panel.show_curtain.setChecked(True)
    viewer.layers["shot"].data = np.full(SHAPE, 7, np.float32)
    flush()
    assert panel.curtain is not None
    assert (np.asarray(panel.curtain.layer.data) == 7).all()
    viewer.layers["shot"].data = np.zeros((20, 30), np.float32)
    flush()
    assert not names(viewer, "Curtain")
    assert "must have the size of" in panel.message.text


def test_the_key_belongs_to_the_panel_that_came_last_and_then_to_the_one_before(
    viewer: ViewerModel, opened: list[QWidget], flush: Callable[[], None]
) -> None:
    first, second = (open_compare(viewer, opened) for _ in range(2))
    press_k(viewer)
    assert "Shown:" in second.message.text
    assert first.message.text == ""
    opened.remove(second)
    second.deleteLater()
    flush()
    press_k(viewer)
    assert "Shown:" in first.message.text
    opened.remove(first)
    first.deleteLater()
    flush()
    assert not viewer.keymap


def test_masks_are_kept_on_when_their_panel_is_closed(
    qtbot: Any, viewer: ViewerModel, opened: list[QWidget], flush: Callable[[], None], state_folder: Path
) -> None:
    panel = MaskPanel(viewer)
    panel.make_mask()
    mask = viewer.layers["shot - signal mask"]
    panel.deleteLater()
    flush()
    for k in range(20):
        mask.data_setitem((np.array([k]), np.array([k])), 1)
    qtbot.waitUntil(lambda: bool(list(state_folder.rglob("*.npz"))), timeout=20_000)


def test_a_persons_own_mask_is_kept_once_it_was_worked_on(
    qtbot: Any, viewer: ViewerModel, opened: list[QWidget], state_folder: Path
) -> None:
    own = viewer.add_labels(np.eye(*SHAPE, dtype=np.uint8), name="own")
    panel = MaskPanel(viewer)
    opened.append(panel)
    keeper_of(viewer).save_all()
    assert not list(state_folder.rglob("*.npz")), "it may be anything"
    panel.invert()
    keeper_of(viewer).save_all()
    qtbot.waitUntil(lambda: bool(list(state_folder.rglob("*.npz"))), timeout=20_000)
    own.data = np.zeros((2, *SHAPE), np.uint8)
    keeper_of(viewer).save_all()
    viewer.layers.remove(own)
    keeper_of(viewer).save_all()


def test_a_mask_panel_takes_no_other_panels_preview_away(
    qtbot: Any, viewer: ViewerModel, opened: list[QWidget]
) -> None:
    asks, silent = MaskPanel(viewer), MaskPanel(viewer)
    opened.extend([asks, silent])
    asks.show()
    silent.show()
    asks.rules.gaps.setChecked(True)
    qtbot.waitUntil(lambda: bool(names(viewer, "Mask preview")), timeout=20_000)
    viewer.dims.set_point(0, 2)
    silent.hide()
    assert names(viewer, "Mask preview")
    asks.hide()
    assert not names(viewer, "Mask preview")
