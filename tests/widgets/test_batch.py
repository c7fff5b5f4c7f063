"""Stacks and folders from the separate panel: with the real engine, real buttons, real keys."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

from napari_bgremove.evaluation.triage import rank_frames
from napari_bgremove.io.images import read_image
from napari_bgremove.io.results import read_provenance
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.widgets.batch_table import BatchTable
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.separate_panel import SeparatePanel

SHAPE = (60, 80)
ALL = ", all frames"


def _stack(frames: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    stack = rng.poisson(5, (frames, *SHAPE)).astype(np.float32)
    stack[1] += (rng.random(SHAPE) < 0.3) * 90  # the frame that sticks out
    return stack


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Iterator[Any]:
    viewer = make_napari_viewer_proxy(show=True)  # what is on the screen is known only of a window that is shown
    viewer.add_image(_stack(), name="stack", scale=(1, 2, 3), translate=(0, 5, 6))
    yield viewer
    engine_of(viewer).close()


@pytest.fixture
def panel(viewer: Any, model_file: Path, tmp_path: Path) -> SeparatePanel:
    panel = SeparatePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Separate")
    panel.choose_model(model_file)
    panel.batch_form.results.setText(str(tmp_path / "out"))
    panel.batch_section.expand(animate=False)
    return panel


def canvas_of(panel: QWidget) -> QWidget:
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    return canvas


def run_all(qtbot: Any, panel: SeparatePanel, start: Callable[[], None]) -> None:
    start()
    assert panel.message.text == ""
    qtbot.waitUntil(panel.batch_form.stack_button.isEnabled, timeout=120_000)
    assert panel.message.text == ""


def test_a_stack_in_memory_is_separated_frame_by_frame_where_it_lies(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None], model_file: Path, tmp_path: Path
) -> None:
    run_all(qtbot, panel, lambda: click(panel, "All frames"))
    stack, signal = viewer.layers["stack"], viewer.layers[f"stack - signal{ALL}"]
    model = read_model(model_file)
    for frame in range(3):
        expected = separate_image(model.network, stack.data[frame], options=options_of(model))
        assert_allclose(np.asarray(signal.data[frame]), expected.signal, rtol=1e-4, atol=1e-4)
    assert_array_equal(signal.scale, stack.scale)
    assert_array_equal(signal.translate, stack.translate)
    assert not isinstance(signal.data, np.ndarray), "the results are read frame by frame"
    assert (tmp_path / "out" / "stack-signal.tif").exists()
    assert "Finished: 3 frames" in panel.batch_form.status.text()


def test_the_table_begins_with_the_most_suspicious_frame_and_keys_walk_it(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None], tmp_path: Path
) -> None:
    run_all(qtbot, panel, lambda: click(panel, "All frames"))
    order = [frame.frame for frame in panel.batch.frames]
    suspicion = [frame.suspicion for frame in panel.batch.frames]
    assert suspicion == sorted(suspicion, reverse=True)
    viewer.dims.set_point(0, order[1])
    for expected in (order[0], order[1], order[2], order[2]):
        qtbot.keyClick(canvas_of(panel), Qt.Key.Key_N)
        assert viewer.dims.current_step[0] == expected
        assert f"measured: {viewer.layers['stack'].data[expected].sum(dtype=float):,.6g}" in panel.ledger.text()
    qtbot.keyClick(canvas_of(panel), Qt.Key.Key_P)
    assert viewer.dims.current_step[0] == order[1]
    click(panel, "Reject")
    qtbot.keyClick(canvas_of(panel), Qt.Key.Key_P)
    click(panel, "Accept")
    panel.export_table(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["frame"]), r["verdict"]) for r in rows] == list(
        zip(order, ["accepted", "rejected", ""], strict=True)
    )


def test_keys_walk_the_table_whatever_layer_is_active_and_napari_keeps_its_own(
    qtbot: Any, viewer: Any, panel: SeparatePanel
) -> None:
    """P paints in a labels layer: there the other pair walks, and in the panel both do."""
    ranked = rank_frames([("stack", frame, {"unsure_share": 1 - 0.1 * frame}) for frame in range(3)])
    panel.batch_form.table.show_frames(ranked, {})
    panel.batch_form.set_filled(True)
    mask = viewer.add_labels(np.zeros(SHAPE, int))
    canvas, table, button = canvas_of(panel), panel.batch_form.table, panel.batch_form.findChildren(QPushButton)[-1]
    key = Qt.Key
    for place, pressed, row in (
        (canvas, key.Key_PageDown, 0), (canvas, key.Key_N, 1), (canvas, key.Key_N, 2), (canvas, key.Key_PageUp, 1),
        (table, key.Key_P, 0), (table, key.Key_N, 1), (button, key.Key_PageDown, 2), (button, key.Key_P, 1),
    ):  # fmt: skip
        qtbot.keyClick(place, pressed)
        assert table.currentIndex().row() == row
        assert mask.mode == "pan_zoom"
    qtbot.keyClick(canvas, key.Key_P)
    assert (table.currentIndex().row(), mask.mode) == (1, "paint")


def test_a_second_run_updates_the_layers(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    run_all(qtbot, panel, lambda: click(panel, "All frames"))
    names = [layer.name for layer in viewer.layers]
    panel.options.merge.setCurrentText("mean")
    run_all(qtbot, panel, lambda: click(panel, "All frames"))
    assert [layer.name for layer in viewer.layers] == names
    record = viewer.layers[f"stack - signal{ALL}"].metadata["napari_bgremove"]
    assert record["options"]["merge"] == "mean"
    assert record["model"] == read_provenance(record["files"]["signal"])["model"]


def test_a_folder_is_separated_file_by_file_and_a_row_shows_its_file(
    qtbot: Any, viewer: Any, panel: SeparatePanel, tmp_path: Path
) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    for number, frame in enumerate(_stack()):
        np.save(folder / f"shot{number}.npy", frame)
    (folder / "shot9.npy").write_bytes(b"\x93NUMPY broken")
    panel.separate_folder(folder)
    qtbot.waitUntil(panel.batch_form.stack_button.isEnabled, timeout=120_000)
    assert "shot9.npy" in panel.message.text
    frames = panel.batch.frames
    assert frames[0].name == "shot9.npy", "what could not be separated comes first"
    panel.show_next()
    assert "Frame of the batch" not in viewer.layers, "there is nothing to show"
    panel.show_next()
    name = frames[1].name
    shown = viewer.layers["Frame of the batch"]
    assert_array_equal(shown.data, np.load(folder / name))
    assert f"measured: {shown.data.sum(dtype=float):,.6g}" in panel.ledger.text()
    signal = viewer.layers["Frame of the batch - signal"]
    assert_array_equal(signal.data, read_image(tmp_path / "out" / f"{Path(name).stem}-signal.tif"))


def test_a_thousand_frames_cost_no_more_than_those_in_sight(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is shown anew four times a second while a run goes on."""
    table = BatchTable()
    qtbot.addWidget(table)
    table.show()
    asked: list[int] = []
    monkeypatch.setattr(type(table.model()), "data", lambda _model, index, role=0: asked.append(index.row()))
    table.show_frames(rank_frames([("stack", frame, {"unsure_share": 0.1}) for frame in range(1000)]), {})
    QApplication.processEvents()
    assert 0 < len(set(asked)) < 100


@pytest.fixture
def long_run(qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]) -> Any:
    """The process of a run that would go on for a while."""
    viewer.add_image(_stack(300), name="long")
    panel.image_choice.layer = viewer.layers["long"]
    click(panel, "All frames")
    qtbot.waitUntil(lambda: len(panel.batch.frames) > 1, timeout=120_000)
    process = panel.batch.run._process
    assert process is not None
    return process


def test_stop_answers_at_once_and_leaves_no_process(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None], long_run: Any, tmp_path: Path
) -> None:
    click(panel, "Stop")
    assert "Stopping" in panel.batch_form.status.text()
    qtbot.waitUntil(panel.batch_form.stack_button.isEnabled, timeout=60_000)
    assert "Stopped" in panel.batch_form.status.text()
    qtbot.waitUntil(lambda: not psutil.pid_exists(long_run.pid), timeout=10_000)
    qtbot.waitUntil(lambda: not list((tmp_path / "out").glob("*.tif*")), timeout=10_000)  # no half file
    assert [layer.name for layer in viewer.layers] == ["stack", "long"]


def test_a_run_ends_with_its_panel(qtbot: Any, viewer: Any, panel: SeparatePanel, long_run: Any) -> None:
    viewer.window.remove_dock_widget(panel)
    panel.close()
    panel.deleteLater()
    qtbot.waitUntil(lambda: long_run.poll() is not None, timeout=20_000)


def test_a_single_image_is_no_stack(viewer: Any, panel: SeparatePanel, click: Callable[..., None]) -> None:
    viewer.layers.clear()
    viewer.add_image(np.ones(SHAPE), name="one")
    click(panel, "All frames")
    assert panel.message.text.startswith("'one' must be a stack of frames (3 axes); found 2.")
    assert panel.batch_form.stack_button.isEnabled()


def test_a_folder_without_images_is_said(panel: SeparatePanel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    panel.separate_folder(tmp_path / "empty")
    assert "empty" in panel.message.text


def test_the_view_is_separated_where_it_lies(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    viewer.add_image(np.random.default_rng(1).poisson(5, (400, 500)).astype(np.float32), name="large", scale=(2, 2))
    large = viewer.layers["large"]
    panel.image_choice.layer = large
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 400, 500), 4
    qtbot.waitUntil(lambda: large.corner_pixels[0, -1] > 0, timeout=20_000)
    panel.options.residual.setChecked(True)
    click(panel, "Preview the view")
    button: QPushButton = panel.button
    qtbot.waitUntil(button.isEnabled, timeout=60_000)
    part = viewer.layers["large - signal, view"]
    assert part.data.shape[0] < 400
    corner = np.asarray(part.translate) / 2
    assert (corner > 0).all()
    measured = large.data[
        int(corner[0]) : int(corner[0]) + part.data.shape[0], int(corner[1]) : int(corner[1]) + part.data.shape[1]
    ]
    others = [viewer.layers[f"large - {name}, view"].data for name in ("background (noise)", "residual")]
    assert_allclose(part.data + sum(others), measured, atol=1e-3)


def test_copies_name_the_file_the_model_and_what_was_chosen(
    viewer: Any, panel: SeparatePanel, click: Callable[..., None], model_file: Path
) -> None:
    panel.options.merge.setCurrentText("median")
    click(panel, "Copy as command")
    command = QApplication.clipboard().text()
    assert command == f"bgremove separate stack.tif --out separated --model {model_file} --merge median --padded"
    viewer.dims.set_point(0, 2)
    click(panel, "Copy as Python")
    code = QApplication.clipboard().text()
    assert "save it as this file first" in code
    assert "read_image('stack.tif', frame=2)" in code
    compile(code, "copied", "exec")
