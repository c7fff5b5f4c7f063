"""A run that was asked to stop is gone in the end, and the window never waits for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.widgets.batch_run import BatchRun

STUBBORN = (
    "import pathlib, signal, sys, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1], 'ready').touch();"
    "time.sleep(600)"
)


@pytest.fixture
def run(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> BatchRun:
    """A run whose engine hears neither the wish to stop nor the signal to end."""

    def start(folder: RunFolder, **_options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", STUBBORN, str(folder.path)])

    monkeypatch.setattr("napari_bgremove.widgets.batch_run.start_attached", start)
    run = BatchRun()
    folder = run.make_folder()
    run.start(SeparateJob(inputs=["shot.npy"], out="out"))
    qtbot.waitUntil((folder / "ready").exists, timeout=30_000)
    return run


def test_a_process_that_does_not_stop_is_ended_by_force(qtbot: Any, run: BatchRun) -> None:
    process, folder = run._process, run._folder
    assert process is not None
    assert folder is not None
    run._grace.setInterval(100)
    with qtbot.waitSignal(run.ended, timeout=30_000) as ended:
        run.stop()
    assert ended.args == ["stopped", "", ""]
    assert process.poll() is not None
    qtbot.waitUntil(lambda: not folder.exists(), timeout=30_000)


def test_closing_does_not_wait_for_it(qtbot: Any, run: BatchRun) -> None:
    process, folder = run._process, run._folder
    assert process is not None
    assert isinstance(folder, Path)
    start = time.monotonic()
    run.close()
    assert process.poll() is None, "it is still there"
    assert time.monotonic() - start < 1
    qtbot.waitUntil(lambda: process.poll() is not None and not folder.exists(), timeout=30_000)
