"""The model panel with the real engine: start, watch, stop, resume, use an epoch, attach, refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.separate_panel import SeparatePanel

SIDE, PATIENCE = 128, 120_000


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    n = 8
    for role, values in (
        ("signal", rng.poisson(20, (n, SIDE, SIDE))),
        ("background", (rng.random((n, SIDE, SIDE)) < 0.05) * 80.0),
    ):
        shots = np.arange(n) // 2
        patches = PatchSet(values.astype(np.float32), role, np.zeros((n, 2)), np.zeros(n), shots, ("a", "b", "c", "d"))
        write_patch_set(tmp_path / f"{role}.npz", patches)
    return tmp_path


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Iterator[Any]:
    viewer = make_napari_viewer_proxy()
    yield viewer
    engine_of(viewer).close()


@pytest.fixture
def panel(viewer: Any, patches: Path) -> Iterator[ModelPanel]:
    panel = ModelPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Model")
    panel.patches.setText(str(patches))
    for name, value in {"batch_size": 4, "epochs": 2, "warmup_steps": 1, "latents": 2}.items():
        panel.form.field(name).value = value
    yield panel
    if panel.training.folder is not None:  # nothing of a test lives on
        panel.training.folder.ask_to_stop()
        deadline = time.monotonic() + 60
        while panel.training.folder.owner() is not None and time.monotonic() < deadline:
            time.sleep(0.05)


def wait_for_end(qtbot: Any, panel: ModelPanel) -> None:
    qtbot.waitUntil(lambda: not panel.follower.is_following, timeout=PATIENCE)


def test_a_training_is_watched_from_start_to_a_model_in_use(
    qtbot: Any, viewer: Any, panel: ModelPanel, click: Callable[..., None]
) -> None:
    separate = SeparatePanel(viewer)
    viewer.window.add_dock_widget(separate, name="Separate")
    click(panel, "Start")
    assert not panel.start_button.isEnabled()
    wait_for_end(qtbot, panel)
    assert panel.view.status.text() == "Training finished."
    assert panel.view.plot.curves["validation"][1].shape == (2,)
    run = RunFolder(Path(panel.workspace.run_folder))
    assert separate.model_file == run.best
    assert read_model(run.best).description.network.latents == 2
    pinned = [layer for layer in viewer.layers if layer.name.startswith("Pinned patch")]
    assert pinned[0].data.shape == (2 * SIDE, 3 * SIDE)
    panel.view.epoch_slider.setValue(0)
    assert panel.view.epoch_text.text() == "epoch 1"
    click(panel, "Use this epoch")
    assert separate.model_file == run.epoch_model(0)


def test_a_training_is_stopped_with_a_model_kept_and_resumed(
    qtbot: Any, panel: ModelPanel, click: Callable[..., None]
) -> None:
    panel.form.field("epochs").value = 400
    click(panel, "Start")
    run = RunFolder(Path(panel.workspace.run_folder))
    qtbot.waitUntil(lambda: "step" in panel.view.status.text(), timeout=PATIENCE)
    click(panel, "Stop")
    assert "Stopping..." in panel.view.status.text()
    wait_for_end(qtbot, panel)
    assert panel.view.status.text() == "Training stopped; resume goes on."
    read_model(run.model)
    click(panel, "Resume")
    qtbot.waitUntil(lambda: "step" in panel.view.status.text(), timeout=PATIENCE)
    assert any(event["event"] == "started" and event["resumed"] for event in run.read_events()[0])
    click(panel, "Stop")
    wait_for_end(qtbot, panel)


def test_a_training_is_paused_and_goes_on(qtbot: Any, panel: ModelPanel, click: Callable[..., None]) -> None:
    panel.form.field("epochs").value = 400
    click(panel, "Start")
    qtbot.waitUntil(lambda: "step" in panel.view.status.text(), timeout=PATIENCE)
    click(panel, "Pause")
    qtbot.waitUntil(lambda: "Paused" in panel.view.status.text(), timeout=PATIENCE)
    run = RunFolder(Path(panel.workspace.run_folder))
    before = len(run.read_events()[0])
    qtbot.wait(600)
    assert len(run.read_events()[0]) == before
    click(panel, "Go on")
    qtbot.waitUntil(lambda: "step" in panel.view.status.text(), timeout=PATIENCE)
    click(panel, "Stop")
    wait_for_end(qtbot, panel)


def test_a_run_is_attached_to_by_another_panel(
    qtbot: Any, viewer: Any, panel: ModelPanel, click: Callable[..., None]
) -> None:
    """What a person finds who closed napari over a training and comes back."""
    click(panel, "Start")
    folder = panel.workspace.run_folder
    panel.follower.leave()
    other = ModelPanel(viewer)
    viewer.window.add_dock_widget(other, name="Model again")
    other.attach(folder)
    wait_for_end(qtbot, other)
    assert other.view.status.text() == "Training finished."
    assert other.view.plot.curves["training"][1].shape == (2,)


def test_the_term_for_layers_is_in_the_loss_and_shown_over_the_epochs(
    qtbot: Any, panel: ModelPanel, click: Callable[..., None], tick: Callable[..., None]
) -> None:
    panel.bring_into_view(panel.form.layer_background.tick)
    tick(panel.form.layer_background.tick)
    for name, value in {"strength": 0.5, "ramp_start": 0.0, "ramp_end": 0.0}.items():
        panel.form.layer_background.field(name).value = value
    click(panel, "Start")
    wait_for_end(qtbot, panel)
    events = RunFolder(Path(panel.workspace.run_folder)).read_events()[0]
    terms = [event["training"] for event in events if event["event"] == "epoch"]
    assert all(term["layer_background"] > 0 for term in terms)
    assert_allclose(
        [term["loss"] - term["task_loss"] for term in terms],
        [0.5 * term["layer_background"] for term in terms],
        rtol=1e-3,
    )
    assert "layer background R" in panel.view.layers.text()
    panel.view.term.setCurrentIndex(panel.view.term.findData("layer_background"))
    assert_allclose(panel.view.plot.curves["training"][1], [term["layer_background"] for term in terms])


def test_a_training_that_cannot_start_says_why(
    qtbot: Any, panel: ModelPanel, patches: Path, click: Callable[..., None]
) -> None:
    write = patches / "background.npz"
    write.write_bytes(write.read_bytes()[:300])
    click(panel, "Start")
    wait_for_end(qtbot, panel)
    assert panel.view.status.text() == "Training failed."
    assert "background.npz" in panel.message.text


def test_missing_patches_are_said_before_anything_is_made(panel: ModelPanel, tmp_path: Path) -> None:
    panel.patches.setText(str(tmp_path / "nowhere"))
    panel.start()
    assert "is not there: extract patches and save them" in panel.message.text
    assert not list(tmp_path.glob("**/job.json"))


def test_a_number_the_recipe_refuses_is_one_sentence(panel: ModelPanel) -> None:
    panel.form.field("learning_rate").value = -1.0
    panel.start()
    assert "'learning_rate' must be above zero; found -1.0" in panel.message.text


def test_the_engine_estimates_and_checks(qtbot: Any, panel: ModelPanel, click: Callable[..., None]) -> None:
    click(panel, "How long?")
    qtbot.waitUntil(lambda: "patches/s" in panel.message.text, timeout=PATIENCE)
    click(panel, "Equivariant?")
    qtbot.waitUntil(lambda: "exactly equivariant" in panel.message.text, timeout=PATIENCE)
