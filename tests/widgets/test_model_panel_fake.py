"""What the model panel says and offers when things go otherwise than planned; the engine is the fake one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QToolButton

from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.mailbox import Letter, Mailbox
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.processes import start_time
from napari_bgremove.widgets import engine_link, run_follower, training_run
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.panel import reports_errors
from napari_bgremove.widgets.train_form import describe_estimate

PATIENCE = 30_000


@pytest.fixture
def panel(
    qtbot: Any, tmp_path: Path, fake_engine: Any, flush: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelPanel]:
    monkeypatch.setattr(engine_link, "POLL_MS", 5)
    monkeypatch.setattr(run_follower, "POLL_MS", 5)
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    panel = ModelPanel(ViewerModel())
    panel.patches.setText(str(tmp_path))
    panel.show()
    yield panel
    panel.deleteLater()
    flush()


def run_of(panel: ModelPanel) -> RunFolder:
    assert panel.training.folder is not None
    return panel.training.folder


def answer(engine: Any, kind: str, **values: Any) -> None:
    """Answer the newest question of every engine in other words than the fake one's."""
    for folder in engine.servers:
        mailbox = Mailbox(folder)
        mailbox.reply(Letter(mailbox.take_requests()[-1].number, kind, values))


def test_a_model_dropped_on_the_viewer_shows_its_card(qtbot: Any, panel: ModelPanel, fake_engine: Any) -> None:
    fake_engine.answer()
    qtbot.waitUntil(panel.card.isEnabled, timeout=PATIENCE)
    assert panel.card.lines["Trained on"] == "nothing"
    panel.workspace.model_file = "dropped.safetensors"
    answer(fake_engine, "model", card={"provenance": {"trained_on": "stars"}}, file="dropped.safetensors")
    qtbot.waitUntil(lambda: panel.card.lines["Trained on"] == "stars", timeout=PATIENCE)
    assert panel.card.lines["Name"] == "dropped"


def test_a_file_that_is_no_model_gives_way_to_the_bundled_one(qtbot: Any, panel: ModelPanel, fake_engine: Any) -> None:
    panel.workspace.model_file = "no.safetensors"
    answer(fake_engine, "failed", error="ModelFileError", message="'no.safetensors' is damaged.")
    qtbot.waitUntil(lambda: panel.workspace.model_file == str(BUNDLED_MODEL), timeout=PATIENCE)
    assert panel.message.text == "'no.safetensors' is damaged."


def test_a_bug_in_the_engine_is_a_sentence_with_its_traceback_behind_the_button(
    qtbot: Any, panel: ModelPanel, fake_engine: Any, click: Callable[..., None]
) -> None:
    click(panel, "How long?")
    answer(fake_engine, "failed", error="KeyError", message="Something unexpected happened.", details="Traceback: here")
    qtbot.waitUntil(lambda: panel.message.text == "Something unexpected happened.", timeout=PATIENCE)
    (details,) = [b for b in panel.findChildren(QToolButton) if b.text() == "Details" and b.isVisible()]
    qtbot.mouseClick(details, Qt.MouseButton.LeftButton)
    (box,) = panel.findChildren(QMessageBox)
    assert box.detailedText() == "Traceback: here"
    box.close()


def test_an_error_nobody_expected_is_said_in_the_panel_and_not_swallowed(panel: ModelPanel) -> None:
    with pytest.raises(ZeroDivisionError):
        reports_errors(lambda panel: 1 / 0)(panel)
    assert "Something unexpected happened (ZeroDivisionError)" in panel.message.text
    assert [b.isVisible() for b in panel.findChildren(QToolButton) if b.text() == "Details"] == [True]


def test_a_run_whose_gpu_is_gone_goes_on_elsewhere(
    qtbot: Any, panel: ModelPanel, fake_engine: Any, click: Callable[..., None], tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run of yesterday")
    files = {role: str(tmp_path / f"{role}.npz") for role in ("signal", "background")}
    run.create(TrainJob(**files, device="cuda").model_dump_json())
    run.emit("failed", kind="ComputeError", message="'device' 'cuda' is not available on this computer.")
    fake_engine.answer()
    qtbot.waitUntil(lambda: panel.device.is_known, timeout=PATIENCE)
    panel.attach(run.path)
    qtbot.waitUntil(lambda: not panel.follower.is_following, timeout=PATIENCE)
    assert panel.view.status.text() == "Training failed."
    assert "'device' 'cuda' is not available" in panel.message.text
    panel.device.setCurrentText("cpu")
    click(panel, "Resume")
    job = read_job(run.job)
    assert isinstance(job, TrainJob)
    assert job.device == "cpu"
    assert {"device": ["cuda", "cpu"]} in [e.get("changes") for e in run.read_events()[0]]
    qtbot.waitUntil(lambda: panel.view.remarks.text() == "On CPU.", timeout=PATIENCE)


def test_a_run_that_does_not_stop_can_be_ended_and_resumed(
    qtbot: Any, panel: ModelPanel, fake_engine: Any, click: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    click(panel, "Start")
    fake_engine.train()
    run, owner = run_of(panel), run_of(panel).owner()
    assert owner is not None
    panel.training._grace.setInterval(20)
    click(panel, "Stop")
    assert "Stopping..." in panel.view.status.text()
    qtbot.waitUntil(lambda: panel.stop_button.text() == "End now", timeout=PATIENCE)
    click(panel, "End now")
    qtbot.waitUntil(lambda: not panel.follower.is_following, timeout=PATIENCE)
    assert start_time(owner) is None
    assert panel.view.status.text() == "Training stopped; resume goes on."
    assert "its newest checkpoint is kept" in panel.message.text
    assert run.model.exists()
    assert panel.stop_button.text() == "Stop"
    click(panel, "Resume")
    assert not run.stop_asked, "that wish was fulfilled"
    assert panel.training.is_going_on


def test_a_run_is_given_time_to_stop_by_itself(panel: ModelPanel) -> None:
    assert panel.training._grace.interval() == training_run.GRACE_MS >= 5000


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"seconds_per_step": 0.5, "batch": 8, "epochs": 20, "seconds": 7300.0},
            "This training takes about 2 h 2 min: 20 epochs at 16 patches/s.",
        ),
        (
            {"seconds_per_step": 0.5, "batch": 8, "epochs": 20, "seconds": None},
            "16 patches/s: 62 s per 1000 patches. With patches chosen, this training is timed.",
        ),
    ],
)
def test_the_time_of_a_training_is_said_before_it_starts(values: dict[str, Any], sentence: str) -> None:
    assert describe_estimate(values) == sentence
