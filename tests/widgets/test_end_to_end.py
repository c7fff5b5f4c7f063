"""The whole job by mouse: from the sample in the menu to the same pixels in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.main_panel import MainPanel

PLUGIN, PATIENCE = "napari-bgremove", 240_000


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Iterator[Any]:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1366, 768)
    yield viewer
    engine_of(viewer).close()


def test_the_whole_job_by_mouse(qtbot: Any, viewer: Any, click: Callable[[QWidget, str], None], tmp_path: Path) -> None:
    viewer.open_sample(PLUGIN, "training_shots")
    assert [layer.name for layer in viewer.layers] == ["X-ray only 1", "Full 1", "X-ray only 2", "Full 2"]
    main_panel = MainPanel(viewer)
    viewer.window.add_dock_widget(main_panel, name="Background removal")
    panels = {main_panel.tabText(i): main_panel.widget(i) for i in range(main_panel.count())}

    def open_tab(name: str) -> Any:
        main_panel.setCurrentWidget(panels[name])
        qtbot.wait(50)
        return panels[name]

    # A mask is proposed, applied, and corrected with the brush.
    mask_panel = open_tab("Mask")
    mask_panel.image_choice.layer = viewer.layers["X-ray only 1"]
    mask_panel.proposal.tick.setChecked(True)
    qtbot.waitUntil(lambda: "Mask preview" in viewer.layers, timeout=PATIENCE)
    click(mask_panel, "Apply preview")
    mask = viewer.layers["X-ray only 1 - signal mask"]
    proposed = mask_of(mask)
    assert proposed.any()
    _paint(qtbot, viewer, main_panel, mask, row=450, column=900)
    painted = mask_of(mask)
    assert painted[450, 900]
    assert painted.sum() > proposed.sum()

    # Patches from both pairs of shots.
    patches_panel = open_tab("Patches")
    for role, kind in (("signal", "X-ray only"), ("background", "Full")):
        for number in (1, 2):
            patches_panel.sources[role].tick(viewer.layers[f"{kind} {number}"])
    patches_panel.mask_choice.layer = mask
    patches_panel.form.signal_count.setValue(6)
    patches_panel.form.background_count.setValue(6)
    click(patches_panel, "Extract")
    qtbot.waitUntil(lambda: len(patches_panel.patch_sets) == 2, timeout=PATIENCE)
    patches_panel.save(tmp_path)
    qtbot.waitUntil(lambda: "Saved" in patches_panel.message.text, timeout=PATIENCE)

    # A training in the real engine: started, stopped, resumed to its end.
    model_panel = open_tab("Model")
    assert model_panel.patches.text() == str(tmp_path)
    for name, value in {"batch_size": 4, "epochs": 3, "warmup_steps": 2, "preset": "tiny"}.items():
        model_panel.form.field(name).value = value
    click(model_panel, "Start")
    run = RunFolder(Path(model_panel.workspace.run_folder))
    qtbot.waitUntil(lambda: "step" in model_panel.view.status.text(), timeout=PATIENCE)
    if model_panel.stop_button.isEnabled():
        click(model_panel, "Stop")
    qtbot.waitUntil(lambda: not model_panel.follower.is_following, timeout=PATIENCE)
    if "stopped" in model_panel.view.status.text():
        click(model_panel, "Resume")
        qtbot.waitUntil(lambda: not model_panel.follower.is_following, timeout=PATIENCE)
    assert model_panel.view.status.text() == "Training finished."

    # The model at hand separates, and the curtain shows what it did.
    separate_panel = open_tab("Separate")
    assert separate_panel.model_file == run.best
    separate_panel.image_choice.layer = viewer.layers["Full 1"]
    click(separate_panel, "Separate this frame")
    qtbot.waitUntil(separate_panel.button.isEnabled, timeout=PATIENCE)
    signal = viewer.layers["Full 1 - signal"]
    compare_panel = open_tab("Compare")
    compare_panel.before_choice.layer = viewer.layers["Full 1"]
    compare_panel.after_choice.layer = signal
    compare_panel.show_curtain.setChecked(True)
    assert compare_panel.curtain is not None
    compare_panel.show_curtain.setChecked(False)

    # Exported and opened again, it is the same, and knows what made it.
    (written,) = signal.save(str(tmp_path / "signal.tif"), plugin=PLUGIN)
    (again,) = viewer.open(written, plugin=PLUGIN)
    assert_array_equal(np.asarray(again.data), signal.data)
    sha256 = signal.metadata["napari_bgremove"]["tensors_sha256"]
    assert again.metadata["napari_bgremove"]["tensors_sha256"] == sha256

    # What "Copy as Python" says gives the same pixels in a fresh interpreter.
    open_tab("Separate")
    separate_panel.image_choice.layer = viewer.layers["Full 1"]
    click(separate_panel, "Copy as Python")
    code = f"{QApplication.clipboard().text()}\nimport numpy\nnumpy.save({str(tmp_path / 'copied.npy')!r}, signal)\n"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert_allclose(np.load(tmp_path / "copied.npy"), signal.data, rtol=1e-5, atol=1e-4)


def _paint(qtbot: Any, viewer: Any, main_panel: QWidget, mask: Any, *, row: int, column: int) -> None:
    """Paint a dot of the mask with the mouse."""
    viewer.layers.selection = {mask}
    mask.mode, mask.selected_label, mask.brush_size = "paint", 1, 15
    viewer.reset_view()
    qtbot.wait(300)
    (canvas,) = [w for w in main_panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    view = viewer.scene.camera
    rows = (np.array([row, column]) - np.asarray(view.center[-2:])) * view.zoom
    place = canvas.rect().center()
    place.setX(round(place.x() + rows[1]))
    place.setY(round(place.y() + rows[0]))
    before = time.monotonic()
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: bool(mask_of(mask)[row, column]) or time.monotonic() - before > 5, timeout=6_000)
    mask.mode = "pan_zoom"
