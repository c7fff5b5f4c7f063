"""Who follows a run hears all of it once, and is told how it ended, whatever the order of files and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.widgets import run_follower
from napari_bgremove.widgets.run_follower import RunFollower


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.create("{}")
    return run


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(run_follower, "POLL_MS", 5)
    return []


@pytest.fixture
def follower(qtbot: Any, endings: list[str]) -> Iterator[RunFollower]:
    follower = RunFollower()
    follower.ended.connect(lambda how, _sentence: endings.append(how))
    yield follower
    follower.leave()


def test_a_run_that_says_finished_before_it_leaves_the_folder_is_finished(
    qtbot: Any, run: RunFolder, follower: RunFollower, endings: list[str]
) -> None:
    run.occupy()
    follower.follow(run)
    run.emit("finished")
    qtbot.wait(50)
    assert endings == [], "somebody still works there"
    run.release()
    qtbot.waitUntil(lambda: bool(endings), timeout=2000)
    assert endings == ["finished"]


def test_a_run_that_was_stopped_resumed_and_killed_is_lost(
    qtbot: Any, run: RunFolder, follower: RunFollower, endings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_follower, "PATIENCE_MS", 50)
    for event in ("started", "stopped", "started", "step"):
        run.emit(event)
    follower.follow(run)
    qtbot.waitUntil(lambda: bool(endings), timeout=2000)
    assert endings == ["lost"]


def test_a_process_that_still_imports_is_waited_for(
    qtbot: Any, run: RunFolder, follower: RunFollower, endings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_follower, "PATIENCE_MS", 50)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    follower.follow(run, process=process.pid)
    qtbot.wait(200)
    assert endings == []
    process.kill()
    process.wait()
    qtbot.waitUntil(lambda: bool(endings), timeout=2000)
    assert endings == ["lost"]


def test_a_run_that_goes_on_is_told_from_where_it_was_left(
    qtbot: Any, run: RunFolder, follower: RunFollower, endings: list[str]
) -> None:
    told: list[str] = []
    follower.happened.connect(lambda events: told.extend(event["event"] for event in events))
    run.emit("started")
    run.emit("stopped")
    follower.follow(run)
    qtbot.waitUntil(lambda: bool(endings), timeout=2000)
    run.emit("started")
    run.emit("finished")
    follower.follow(run, from_start=False)
    qtbot.waitUntil(lambda: len(endings) == 2, timeout=2000)
    assert told == ["started", "stopped", "started", "finished"]
    assert endings == ["stopped", "finished"]


def test_a_bug_is_a_sentence_and_its_traceback(qtbot: Any, run: RunFolder, follower: RunFollower) -> None:
    run.emit("failed", kind="KeyError", message="'loss'", details="Traceback: KeyError: 'loss'")
    with qtbot.waitSignal(follower.ended, timeout=2000) as ended:
        follower.follow(run)
    how, sentence, details = ended.args
    assert how == "failed"
    assert sentence == "Something unexpected happened in the engine (KeyError); what was written is kept."
    assert details == "Traceback: KeyError: 'loss'"


def test_a_wish_to_stop_that_comes_while_a_run_starts_is_heard(run: RunFolder) -> None:
    """The imports of a training take seconds; who starts it withdraws an older wish, the run itself does not."""
    run.ask_to_stop()
    run.withdraw_stop()
    assert not run.stop_asked
    run.ask_to_stop()
    run.occupy()
    assert run.owner() == os.getpid()
    assert run.stop_asked
    run.release()
    assert not run.stop_asked, "it was fulfilled"
