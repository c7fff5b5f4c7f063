"""The mask panel, worked with mouse and keys in a real viewer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.masks import count_free_positions, estimate_signal_mask, grow_mask
from napari_bgremove.io.autosave import Autosave, find_left_behind
from napari_bgremove.io.masks import read_mask, write_mask
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.widgets.mask_panel import MaskPanel

Click = Callable[[Any, str], None]
SHAPE = (160, 200)


def make_shot() -> np.ndarray:
    """A bright round spot on Poisson noise."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    spot = 200 * np.exp(-((rows - 80) ** 2 + (columns - 40) ** 2) / (2 * 10**2))
    return np.random.default_rng(0).poisson(5 + spot).astype(np.float32)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(make_shot(), name="shot", scale=(2, 2))
    return viewer


@pytest.fixture
def panel(viewer: Any) -> MaskPanel:
    panel = MaskPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Mask")
    return panel


def wait_for(qtbot: Any, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=20_000)


def preview_of(viewer: Any) -> np.ndarray | None:
    found = [layer for layer in viewer.layers if layer.name == "Mask preview"]
    return np.asarray(found[0].data) != 0 if found else None


def tick(qtbot: Any, box: Any) -> None:
    before = box.isChecked()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    assert box.isChecked() is not before


def canvas_of(panel: MaskPanel) -> QWidget:
    """The widget that gets the keys when a person works on the image."""
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    return canvas


def test_a_proposal_is_previewed_applied_and_undone_by_one_ctrl_z(
    qtbot: Any, viewer: Any, panel: MaskPanel, click: Click
) -> None:
    click(panel, "New mask")
    tick(qtbot, panel.proposal.tick)
    wait_for(qtbot, lambda: preview_of(viewer) is not None)
    expected = estimate_signal_mask(gate_image(make_shot()).values)
    assert_array_equal(preview_of(viewer), expected)
    mask = viewer.layers["shot - signal mask"]
    assert not mask_of(mask).any(), "a preview is not in the mask"
    click(panel, "Apply preview")
    assert_array_equal(mask_of(mask), expected)
    wait_for(qtbot, lambda: preview_of(viewer) is None)
    assert viewer.layers.selection.active == mask
    qtbot.keyClick(canvas_of(panel), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not mask_of(mask).any()


def test_the_preview_follows_the_numbers(qtbot: Any, viewer: Any, panel: MaskPanel) -> None:
    panel.proposal.tick.setChecked(True)
    wait_for(qtbot, lambda: preview_of(viewer) is not None)
    before = preview_of(viewer).sum()
    panel.proposal.grow.setValue(20)
    wait_for(qtbot, lambda: preview_of(viewer).sum() > before)


def test_what_is_applied_is_what_was_previewed_and_is_not_computed_again(
    qtbot: Any, viewer: Any, panel: MaskPanel, click: Click, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_bgremove.widgets.mask_work.estimate_signal_mask", held := Held(estimate_signal_mask))
    panel.proposal.tick.setChecked(True)
    assert not panel.apply_button.isEnabled(), "there is nothing to apply yet"
    assert "being computed" in panel.apply_button.toolTip()
    held.let_go()
    wait_for(qtbot, lambda: preview_of(viewer) is not None)
    previewed = preview_of(viewer)
    click(panel, "Apply preview")
    assert_array_equal(mask_of(viewer.layers["shot - signal mask"]), previewed)
    assert held.calls == 1


class Held:
    """A function that waits until it is let go, and counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self._gate, self.calls = function, threading.Event(), 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        assert self._gate.wait(20)
        return self._function(*arguments, **options)

    def let_go(self) -> None:
        self._gate.set()


def test_a_preview_that_cannot_be_computed_is_said_and_may_be_asked_for_again(
    qtbot: Any, viewer: Any, panel: MaskPanel, click: Click
) -> None:
    viewer.layers["shot"].data = np.full(SHAPE, np.nan, np.float32)
    panel.proposal.tick.setChecked(True)
    wait_for(qtbot, lambda: "must have usable pixels" in panel.message.text)
    click(panel, "Apply preview")
    assert "still being computed" in panel.message.text
    wait_for(qtbot, lambda: "must have usable pixels" in panel.message.text)
    assert preview_of(viewer) is None


def test_the_preview_follows_an_image_whose_data_are_replaced(qtbot: Any, viewer: Any, panel: MaskPanel) -> None:
    panel.rules.above.number.setValue(100)
    panel.rules.above.tick.setChecked(True)
    wait_for(qtbot, lambda: preview_of(viewer) is not None)
    viewer.layers["shot"].data = np.full(SHAPE, 200, np.float32)
    wait_for(qtbot, lambda: bool(preview_of(viewer).all()))


def test_the_numbers_of_the_edits_say_what_they_are(panel: MaskPanel) -> None:
    form = panel.edit.layout()
    labels = [form.itemAt(row, QFormLayout.ItemRole.LabelRole) for row in range(form.rowCount())]
    assert [item.widget().text() for item in labels if item is not None] == ["Radius", "Patch side"]


def test_rules_are_imprinted_together(qtbot: Any, viewer: Any, panel: MaskPanel, click: Click) -> None:
    panel.rules.above.number.setValue(100)
    panel.rules.above.tick.setChecked(True)
    panel.rules.below.number.setValue(1)
    panel.rules.below.tick.setChecked(True)
    wait_for(qtbot, lambda: panel.apply_button.isEnabled())
    click(panel, "Apply preview")
    shot = make_shot()
    assert_array_equal(mask_of(viewer.layers["shot - signal mask"]), (shot >= 100) | (shot <= 1))
    assert not panel.rules.above.tick.isChecked()


def test_shapes_other_masks_invert_grow_shrink_and_clear(viewer: Any, panel: MaskPanel, click: Click) -> None:
    square = np.array([[20, 20], [20, 60], [60, 60], [60, 20]])
    viewer.add_shapes([square], shape_type="rectangle", scale=(2, 2), name="box")
    click(panel, "Imprint")
    mask = viewer.layers["shot - signal mask"]
    drawn = mask_of(mask)
    assert drawn[40, 40]
    assert not drawn[10, 10]
    click(panel, "Invert")
    assert_array_equal(mask_of(mask), ~drawn)
    click(panel, "Invert")
    click(panel, "Grow")
    assert_array_equal(mask_of(mask), grow_mask(drawn, 2))
    mask.undo()
    click(panel, "Shrink")
    assert_array_equal(mask_of(mask), grow_mask(drawn, -2))
    click(panel, "Clear")
    assert not mask_of(mask).any()
    for _ in range(10):
        mask.undo()
    assert not mask_of(mask).any(), "back at the empty beginning"


def test_another_mask_is_subtracted(viewer: Any, panel: MaskPanel, click: Click) -> None:
    other = np.zeros(SHAPE, np.uint8)
    other[:, 100:] = 1
    viewer.add_labels(other, name="right half")
    panel.make_mask()
    click(panel, "Invert")
    panel.other_choice.layer = viewer.layers["right half"]
    panel.how.setCurrentText("subtract")
    click(panel, "Combine")
    assert_array_equal(mask_of(viewer.layers["shot - signal mask"]), other == 0)


def test_coverage_and_free_positions_are_shown(qtbot: Any, viewer: Any, panel: MaskPanel) -> None:
    panel.make_mask()
    viewer.layers["shot - signal mask"].data_setitem((np.array([0]), np.array([0])), 1)
    free = np.ones(SHAPE, bool)
    free[0, 0] = False
    expected = f"{count_free_positions(free, 128):,} free positions for patches of 128 x 128"
    wait_for(qtbot, lambda: expected in panel.coverage.text())


@pytest.mark.parametrize("suffix", ["tif", "npy", "edf", "h5"])
def test_a_saved_mask_loads_again(qtbot: Any, viewer: Any, panel: MaskPanel, tmp_path: Path, suffix: str) -> None:
    panel.make_mask()
    panel.rules.above.tick.setChecked(True)
    panel.rules.above.number.setValue(20)
    wait_for(qtbot, lambda: panel.apply_button.isEnabled())
    panel.apply()
    mask = viewer.layers["shot - signal mask"]
    before = mask_of(mask)
    assert before.any()
    panel.save(tmp_path / f"mask.{suffix}")
    assert "read it back" in panel.message.text
    assert_array_equal(read_mask(tmp_path / f"mask.{suffix}"), before)
    panel.clear()
    panel.load(tmp_path / f"mask.{suffix}")
    assert_array_equal(mask_of(mask), before)


def test_a_mask_of_another_shape_is_refused_in_one_sentence(viewer: Any, panel: MaskPanel, tmp_path: Path) -> None:
    panel.make_mask()
    panel.load(write_mask(tmp_path / "small.tif", np.ones((4, 5), bool)))
    assert "must have the shape of its image (160 x 200); found 4 x 5" in panel.message.text
    assert not mask_of(viewer.layers["shot - signal mask"]).any()


def test_without_an_image_it_says_what_to_do(make_napari_viewer_proxy: Any, click: Click) -> None:
    viewer = make_napari_viewer_proxy()
    panel = MaskPanel(viewer)
    viewer.window.add_dock_widget(panel)
    for text in ("New mask", "Invert", "Imprint", "Apply preview"):
        click(panel, text)
        assert panel.message.text
    assert len(viewer.layers) == 0


def test_the_preview_goes_with_the_panel(qtbot: Any, make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(make_shot(), name="shot")
    panel = MaskPanel(viewer)
    viewer.window.add_dock_widget(panel)
    panel.proposal.tick.setChecked(True)
    wait_for(qtbot, lambda: preview_of(viewer) is not None)
    viewer.window.remove_dock_widget(panel)
    assert preview_of(viewer) is None


def test_masks_are_kept_while_a_person_works(qtbot: Any, viewer: Any, panel: MaskPanel, state_folder: Path) -> None:
    panel.make_mask()
    mask = viewer.layers["shot - signal mask"]
    for k in range(20):
        mask.data_setitem((np.array([k]), np.array([k])), 1)
    wait_for(qtbot, lambda: bool(list(state_folder.rglob("*.npz"))))
    assert find_left_behind(state_folder / "napari-bgremove" / "masks") == [], "this session still lives"


def test_a_mask_that_could_not_be_kept_is_tried_again_and_said_once(
    qtbot: Any, viewer: Any, panel: MaskPanel, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari_bgremove.widgets.mask_autosave.show_warning", said.append)
    monkeypatch.setattr(Autosave, "save", refuse := Refusing(Autosave.save))
    panel.make_mask()
    for tries in (1, 2):
        panel.keeper.save_all()
        wait_for(qtbot, lambda tries=tries: refuse.tries == tries and not panel.keeper.is_saving)
    assert len(said) == 1
    assert "No space left" in said[0]
    refuse.full = False
    panel.keeper.save_all()
    wait_for(qtbot, lambda: bool(list(state_folder.rglob("*.npz"))))


class Refusing:
    """Saves nothing while the disk is full."""

    def __init__(self, save: Callable[..., Any]) -> None:
        self._save, self.full, self.tries = save, True, 0

    def __get__(self, autosave: Any, _owner: Any = None) -> Callable[..., Any]:
        return lambda *arguments, **options: self(autosave, *arguments, **options)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.tries += 1
        if self.full:
            raise OSError(28, "No space left on device")
        return self._save(*arguments, **options)


def test_a_persons_own_mask_that_was_only_painted_is_kept(
    qtbot: Any, viewer: Any, panel: MaskPanel, state_folder: Path
) -> None:
    own = viewer.add_labels(np.eye(*SHAPE, dtype=np.uint8), name="own")
    assert panel.mask_choice.layer == own
    panel.keeper.save_all()
    qtbot.wait(100)
    assert not list(state_folder.rglob("*.npz")), "nobody has worked on it yet"
    own.paint((9, 30), 1)
    panel.keeper.save_all()
    wait_for(qtbot, lambda: bool(list(state_folder.rglob("*.npz"))))


CRASH = """
import os, sys, numpy as np
from pathlib import Path
from napari_bgremove.io.autosave import Autosave
mask = np.zeros((30, 50), bool); mask[3:9, 7:30] = True
Autosave().save("key", "shot - signal mask", mask, scale=[2.0, 2.0], translate=[1.0, 5.0])
os._exit(9)
"""


def test_a_mask_left_by_a_crash_is_restored_by_a_click(
    state_folder: Path, make_napari_viewer_proxy: Any, click: Click
) -> None:
    subprocess.run([sys.executable, "-c", CRASH], check=False)
    viewer = make_napari_viewer_proxy()
    panel = MaskPanel(viewer)
    viewer.window.add_dock_widget(panel)
    click(panel, "Restore")
    layer = viewer.layers["shot - signal mask (restored)"]
    assert mask_of(layer).sum() == 6 * 23
    assert_array_equal(layer.translate, (1, 5))
    assert panel.restore_bar.isHidden()
    assert find_left_behind(state_folder / "napari-bgremove" / "masks") == []
