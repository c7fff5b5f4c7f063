"""Every button that asks for a file: what is chosen is used, and a dialog that is cancelled changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.bundled import BUNDLED_MODEL, FAST_MODEL
from napari_bgremove.io.masks import read_mask, write_mask
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.widgets.batch_form import BatchForm
from napari_bgremove.widgets.compare_panel import ComparePanel
from napari_bgremove.widgets.mask_panel import MaskPanel
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.parts.bundled_button import BundledButton
from napari_bgremove.widgets.patches_panel import PatchesPanel
from napari_bgremove.widgets.separate_panel import SeparatePanel
from napari_bgremove.workspace import workspace_of

Click = Callable[[QWidget, str], None]
MASK = np.pad(np.ones((10, 10), bool), ((20, 130), (30, 160)))
DIALOGS = {"getOpenFileName": ("", ""), "getOpenFileNames": ([], ""), "getSaveFileName": ("", ""),
           "getExistingDirectory": ""}  # fmt: skip


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answer every file dialog with paths, none of them meaning Cancel; return what was asked, as it is asked."""

    def answer(*paths: Path) -> list[str]:
        asked: list[str] = []
        chosen = [str(path) for path in paths]
        answers = {
            "getOpenFileName": (chosen[0], ""), "getOpenFileNames": (chosen, ""), "getSaveFileName": (chosen[0], ""),
            "getExistingDirectory": chosen[0],
        } if chosen else DIALOGS  # fmt: skip

        def show(name: str, _parent: QWidget, title: str, *_rest: Any, **_more: Any) -> Any:
            asked.append(title)
            return answers[name]

        for name in DIALOGS:
            monkeypatch.setattr(QFileDialog, name, lambda *args, name=name, **options: show(name, *args, **options))
        return asked

    return answer


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).poisson(5, MASK.shape).astype(np.float32), name="shot")
    return viewer


@pytest.fixture
def shown(qtbot: Any, viewer: ViewerModel, fake_engine: Any, flush: Callable[[], None]) -> Iterator[Callable[..., Any]]:
    """Build a panel for the viewer, and let it go at the end."""
    built: list[QWidget] = []

    def build(kind: Callable[..., QWidget]) -> QWidget:
        panel = kind(viewer)
        built.append(panel)
        panel.show()
        return panel

    yield build
    for panel in built:
        panel.close()
        panel.deleteLater()
    flush()


def test_a_mask_is_saved_and_loaded(
    viewer: ViewerModel, shown: Callable[..., Any], click: Click, choose: Callable[..., Any], tmp_path: Path
) -> None:
    panel = shown(MaskPanel)
    panel.make_mask()
    (mask,) = [layer for layer in viewer.layers if layer.name == "shot - signal mask"]
    choose(write_mask(tmp_path / "chosen.tif", MASK))
    click(panel, "Load...")
    assert_array_equal(mask_of(mask), MASK)
    choose(tmp_path / "saved.npy")
    click(panel, "Save...")
    assert_array_equal(read_mask(tmp_path / "saved.npy"), MASK)


def test_patches_are_saved_in_the_chosen_folder(
    qtbot: Any, viewer: ViewerModel, shown: Callable[..., Any], click: Click, choose: Callable[..., Any], tmp_path: Path
) -> None:
    panel = shown(PatchesPanel)
    panel.form.patch.setValue(32)
    for role in ("signal", "background"):
        panel.sources[role].tick(viewer.layers["shot"])
    click(panel, "Extract")
    qtbot.waitUntil(lambda: len(panel.patch_sets) == 2, timeout=20_000)
    choose(tmp_path)
    click(panel, "Save...")
    qtbot.waitUntil(lambda: workspace_of(viewer).patch_folder == str(tmp_path), timeout=20_000)
    assert {path.name for path in tmp_path.glob("*.npz")} == {"signal.npz", "background.npz"}


def test_a_model_a_run_and_patches_are_chosen(
    shown: Callable[..., Any], click: Click, choose: Callable[..., Any], tmp_path: Path
) -> None:
    panel = shown(ModelPanel)
    choose(tmp_path / "mine.safetensors")
    click(panel, "Load model...")
    assert panel.workspace.model_file == str(tmp_path / "mine.safetensors")
    choose(tmp_path)
    click(panel, "...")
    assert panel.patches.text() == str(tmp_path)
    run = RunFolder(tmp_path / "run")
    run.create(TrainJob(signal="signal.npz", background="background.npz").model_dump_json())
    choose(run.path)
    click(panel, "Attach to run...")
    assert panel.training.folder is not None
    assert panel.training.folder.path == run.path


def test_a_model_for_separating_is_chosen(
    shown: Callable[..., Any], click: Click, choose: Callable[..., Any], tmp_path: Path
) -> None:
    panel = shown(SeparatePanel)
    choose(tmp_path / "mine.safetensors")
    click(panel, "Choose...")
    assert panel.model_file == tmp_path / "mine.safetensors"
    assert panel.model_text.text() == "mine.safetensors"


@pytest.mark.parametrize("kind", [SeparatePanel, ModelPanel])
def test_a_bundled_model_is_chosen_from_a_menu(shown: Callable[..., Any], kind: Any) -> None:
    panel = shown(kind)
    actions = {action.text(): action for action in panel.findChild(BundledButton).menu().actions()}
    actions["saxs-fast (fast)"].trigger()
    assert panel.workspace.model_file == str(FAST_MODEL)
    if kind is SeparatePanel:
        assert panel.model_text.text().startswith("the fast bundled model")
    actions["saxs-small (accurate)"].trigger()
    assert panel.workspace.model_file == str(BUNDLED_MODEL)


def test_a_geometry_is_chosen(
    shown: Callable[..., Any], choose: Callable[..., Any], press: Callable[..., None], tmp_path: Path
) -> None:
    panel = shown(ComparePanel)
    choose(tmp_path / "detector.poni")
    press(panel, "...")
    assert panel.rings.poni == str(tmp_path / "detector.poni")


def test_folders_and_tables_of_a_batch_are_asked_for(
    qtbot: Any, click: Click, choose: Callable[..., Any], tmp_path: Path
) -> None:
    form = BatchForm()
    qtbot.addWidget(form)
    form.set_filled(True)
    form.show()
    emitted: list[tuple[str, str]] = []
    form.folder_requested.connect(lambda path: emitted.append(("folder", path)))
    form.export_requested.connect(lambda path: emitted.append(("table", path)))
    choose(tmp_path)
    click(form, "...")
    assert form.results.text() == str(tmp_path)
    click(form, "A folder...")
    choose(tmp_path / "frames.csv")
    click(form, "Export table...")
    assert emitted == [("folder", str(tmp_path)), ("table", str(tmp_path / "frames.csv"))]


@pytest.fixture
def press(qtbot: Any) -> Callable[..., None]:
    """Press a button in a section that may be folded."""

    def run(parent: QWidget, text: str) -> None:
        for button in parent.findChildren(QPushButton):
            if button.text() == text and button.isEnabled():
                button.click()

    return run


@pytest.mark.parametrize("kind", [MaskPanel, PatchesPanel, ModelPanel, SeparatePanel, ComparePanel])
def test_a_cancelled_dialog_changes_nothing(
    kind: Callable[..., Any],
    viewer: ViewerModel,
    shown: Callable[..., Any],
    press: Callable[..., None],
    choose: Callable[..., Any],
) -> None:
    panel = shown(kind)
    if kind is MaskPanel:
        panel.make_mask()
    before = {layer.name: np.array(layer.data) for layer in viewer.layers}
    message = panel.message.text
    asked = choose()
    dialogs = {button.text() for button in panel.findChildren(QPushButton) if button.text().endswith("...")}
    for text in sorted(dialogs):
        press(panel, text)
    assert asked, "at least one dialog was opened"
    assert panel.message.text == message
    assert {layer.name for layer in viewer.layers} == set(before)
    for layer in viewer.layers:
        assert_array_equal(layer.data, before[layer.name])
