"""The separate panel with the real engine: results beside the image, updated in place, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.QtWidgets import QApplication

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.io.images import read_image
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.separate_panel import SeparatePanel

SHAPE = (60, 80)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Iterator[Any]:
    viewer = make_napari_viewer_proxy()
    stack = np.random.default_rng(0).poisson(5, (3, *SHAPE)).astype(np.float32)
    viewer.add_image(stack, name="stack", scale=(1, 2, 3), translate=(0, 5, 6))
    yield viewer
    engine_of(viewer).close()


@pytest.fixture
def panel(viewer: Any, model_file: Path) -> SeparatePanel:
    panel = SeparatePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Separate")
    panel.choose_model(model_file)
    return panel


def separate(qtbot: Any, panel: SeparatePanel, click: Callable[..., None]) -> None:
    click(panel, "Separate this frame")
    qtbot.waitUntil(panel.button.isEnabled, timeout=60_000)


def test_the_shown_frame_is_separated_where_it_lies(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None], model_file: Path
) -> None:
    viewer.dims.set_point(0, 2)
    separate(qtbot, panel, click)
    assert panel.message.text == ""
    stack, signal = viewer.layers["stack"], viewer.layers["stack - signal"]
    model = read_model(model_file)
    expected = separate_image(model.network, stack.data[2], options=options_of(model))
    assert_allclose(signal.data, expected.signal, rtol=1e-5, atol=1e-5)
    assert_array_equal(signal.scale, (2, 3))
    assert_array_equal(signal.translate, (5, 6))
    record = signal.metadata["napari_bgremove"]
    assert record["tensors_sha256"] == model.sha256
    assert record["frame"] == [2]
    assert "measured: " in panel.ledger.text()


def test_a_second_run_updates_the_layers_and_keeps_the_contrast(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    separate(qtbot, panel, click)
    names = [layer.name for layer in viewer.layers]
    before = np.array(viewer.layers["stack - signal"].data)
    viewer.layers["stack - signal"].contrast_limits = (1, 4)
    viewer.dims.set_point(0, 0)
    separate(qtbot, panel, click)
    assert [layer.name for layer in viewer.layers] == names
    assert not np.array_equal(before, viewer.layers["stack - signal"].data)
    assert viewer.layers["stack - signal"].contrast_limits == [1, 4]
    assert viewer.layers["stack"].contrast_limits == [1, 4], "contrast is shared"


def test_the_ledger_is_that_of_the_shown_frame(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    stack = viewer.layers["stack"]
    assert panel.ledger.text() == ""
    for frame in (2, 0):
        viewer.dims.set_point(0, frame)
        separate(qtbot, panel, click)
    for frame in (0, 2):
        viewer.dims.set_point(0, frame)
        assert f"measured: {stack.data[frame].sum(dtype=float):,.6g}" in panel.ledger.text()
    viewer.dims.set_point(0, 1)
    assert panel.ledger.text() == "This frame was not separated yet."
    stack.data = np.ones((3, *SHAPE))
    assert panel.ledger.text() == ""


def test_the_window_leaves_out_what_the_file_calls_saturated_as_the_command_does(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None], model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "saturated.h5"
    with h5py.File(path, "w") as file:
        file["entry/detector/data"] = viewer.layers["stack"].data[:1].astype(np.uint16)
        file["entry/detector/saturation_value"] = 9
    viewer.open(path, plugin="napari-bgremove")
    panel.image_choice.layer = viewer.layers["saturated"]
    separate(qtbot, panel, click)
    assert panel.message.text == ""
    signal = viewer.layers["saturated - signal"].data
    job = SeparateJob(inputs=[str(path)], out=str(tmp_path / "out"), model=str(model_file))
    (files,) = run_separation(job, emit=lambda *_event, **_values: None)
    assert_allclose(signal, read_image(files["signal"]).reshape(SHAPE), rtol=1e-5, atol=1e-5)
    assert_array_equal(np.isnan(signal), viewer.layers["stack"].data[0] >= 9)
    click(panel, "Copy as Python")
    assert "saturation=9.0" in QApplication.clipboard().text()


def test_a_layer_of_that_name_that_is_not_ours_is_left_alone(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    mine = viewer.add_image(np.ones(SHAPE), name="stack - signal")
    panel.image_choice.layer = viewer.layers["stack"]
    separate(qtbot, panel, click)
    assert_array_equal(mine.data, 1)
    assert len([layer for layer in viewer.layers if layer.name.startswith("stack - signal")]) == 2


def test_an_image_that_goes_meanwhile_gets_no_result(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    click(panel, "Separate this frame")
    viewer.layers.remove("stack")
    qtbot.waitUntil(panel.button.isEnabled, timeout=60_000)
    assert "its result was dropped" in panel.message.text
    assert len(viewer.layers) == 0


def test_an_image_that_shows_something_else_meanwhile_gets_no_result(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    click(panel, "Separate this frame")
    viewer.layers["stack"].data = np.ones((3, 30, 40))
    qtbot.waitUntil(panel.button.isEnabled, timeout=60_000)
    assert "shows something else now" in panel.message.text
    assert [layer.name for layer in viewer.layers] == ["stack"]


def test_a_second_run_follows_an_image_that_was_moved(
    qtbot: Any, viewer: Any, panel: SeparatePanel, click: Callable[..., None]
) -> None:
    separate(qtbot, panel, click)
    viewer.layers["stack"].scale, viewer.layers["stack"].translate = (1, 4, 4), (0, 7, 8)
    separate(qtbot, panel, click)
    assert_array_equal(viewer.layers["stack - signal"].scale, (4, 4))
    assert_array_equal(viewer.layers["stack - signal"].translate, (7, 8))


def test_a_file_that_is_no_model_is_refused_in_one_sentence(qtbot: Any, panel: SeparatePanel, tmp_path: Path) -> None:
    (tmp_path / "no.safetensors").write_bytes(b"not a model")
    panel.choose_model(tmp_path / "no.safetensors")
    qtbot.waitUntil(lambda: "no.safetensors" in panel.message.text, timeout=60_000)
    assert panel.model_text.text() == "the bundled model"


def test_without_an_image_it_says_so(viewer: Any, panel: SeparatePanel, click: Callable[..., None]) -> None:
    viewer.layers.clear()
    click(panel, "Separate this frame")
    assert panel.message.text == "There is no image: open one first."


def test_devices_are_asked_of_the_engine(qtbot: Any, panel: SeparatePanel) -> None:
    panel.ask_devices()
    qtbot.waitUntil(lambda: panel.device.findText("cpu") >= 0, timeout=60_000)
    assert "CPU (" in panel.device.toolTip()


def test_an_answer_to_a_panel_that_is_gone_is_dropped(qtbot: Any, viewer: Any, panel: SeparatePanel) -> None:
    panel.separate()
    engine = panel.engine
    viewer.window.remove_dock_widget(panel)
    panel.deleteLater()
    qtbot.waitUntil(lambda: not engine._waiting, timeout=20_000)
    qtbot.waitUntil(lambda: not engine._timer.isActive(), timeout=60_000)
    assert [layer.name for layer in viewer.layers] == ["stack"]
