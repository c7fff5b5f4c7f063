"""A separation of files that a window started: in a process of its own that ends with the window."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.launch import end_process, start_attached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.preferences import read_preferences
from napari_bgremove.widgets.run_follower import RunFollower

__all__ = ["BatchRun"]

GRACE_MS = 15_000  # a frame of a large detector takes some seconds
GONE_MS = 500  # slower than the follower, which may still have something to read


class BatchRun(QObject):
    """Starts a job, tells what happens, and ends with its panel."""

    happened = Signal(list)
    ended = Signal(str, str, str)  # how, a sentence, details

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._follower = RunFollower(self)
        self._follower.happened.connect(self.happened)
        self._follower.ended.connect(self._on_ended)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._grace = QTimer(self)
        self._grace.setSingleShot(True)
        self._grace.setInterval(GRACE_MS)
        self._grace.timeout.connect(self._on_grace_over)
        self._gone = QTimer(self)
        self._gone.setInterval(GONE_MS)
        self._gone.timeout.connect(self._on_look_whether_gone)
        self._finalizer: Any = None

    @property
    def is_running(self) -> bool:
        """True from the start until the run has ended."""
        return self._follower.is_following

    def make_folder(self) -> Path:
        """Make the folder of the next run; files put there go when it ends."""
        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="napari-bgremove-run-"))
        return self._folder

    def start(self, job: SeparateJob) -> None:
        """Start a job in the folder made last."""
        run = RunFolder(self._folder or self.make_folder())
        run.create(job.model_dump_json(indent=1))
        self._process = start_attached(run, threads=read_preferences().engine_threads)
        # Also when the window goes without a word.
        self._finalizer = weakref.finalize(self, _clean_up, self._process, run.path)
        farewell = weakref.finalize(self, _do_apart, self._finalizer)  # a partial would be emptied, as in EngineLink
        farewell.atexit = False
        self.destroyed.connect(farewell)
        self._follower.follow(run)

    def stop(self) -> None:
        """Ask the run to stop after its frame; it is ended when it does not within the grace period."""
        if self._folder is not None and self.is_running:
            RunFolder(self._folder).ask_to_stop()
            self._grace.start()

    def close(self) -> None:
        """End the run, whatever it does, and take its folder away; nobody waits for it."""
        self._follower.leave()
        self._grace.stop()
        self._gone.stop()
        if self._finalizer is not None:
            _do_apart(self._finalizer)
        elif self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._finalizer = self._process = self._folder = None

    def _on_grace_over(self) -> None:
        if self._process is not None:
            _do_apart(partial(end_process, self._process))
            self._gone.start()

    def _on_look_whether_gone(self) -> None:
        # One that was ended by force says nothing any more.
        if self._process is not None and self._process.poll() is not None:
            self._on_ended("stopped", "")

    def _on_ended(self, how: str, sentence: str, details: str = "") -> None:
        self.close()
        self.ended.emit(how, sentence, details)


def _do_apart(act: Callable[[], Any], *_sent: Any) -> None:
    """Do what may take seconds off the window's thread; Python does not end before it is done."""
    threading.Thread(target=act, daemon=False).start()


def _clean_up(process: subprocess.Popen[bytes], folder: Path) -> None:
    end_process(process)
    shutil.rmtree(folder, ignore_errors=True)
