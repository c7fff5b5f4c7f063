"""Follows a run folder, whoever started the run: attaching again is the same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.processes import start_time

__all__ = ["RunFollower"]

POLL_MS = 250
PATIENCE_MS = 20_000  # of a run in which no process is seen
ENDINGS = ("finished", "stopped", "failed")


class RunFollower(QObject):
    """Emits the events of a run as they are written, and says when it ended or was lost."""

    happened = Signal(list)  # events, oldest first; at most one batch each quarter of a second
    # "finished", "stopped", "failed" or "lost", a sentence, and details where there are any
    ended = Signal(str, str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: RunFolder | None = None
        self._process: int | None = None
        self._offset = 0
        self._quiet = 0
        self._ending: dict[str, Any] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_timeout)

    @property
    def is_following(self) -> bool:
        """True from the start until the run has ended."""
        return self._timer.isActive()

    def follow(self, folder: RunFolder, *, from_start: bool = True, process: int | None = None) -> None:
        """Follow a run; by default what happened before is told first.

        Parameters
        ----------
        folder : RunFolder
        from_start : bool
            False: go on with the run that was followed before.
        process : int, optional
            Number of the process that was just started. It says nothing while
            it imports, which on a busy machine takes longer than our patience.
        """
        if from_start or folder != self._folder:
            self._offset = 0
        self._folder, self._process, self._quiet, self._ending = folder, process, 0, {}
        self._timer.start()
        self._on_timeout()

    def leave(self) -> None:
        """Stop following; the run goes on."""
        self._timer.stop()

    def _on_timeout(self) -> None:
        assert self._folder is not None
        # Looked at first: what a process writes before it goes is then in the events.
        is_worked_on = self._is_worked_on(self._folder)
        events, self._offset = self._folder.read_events(offset=self._offset)
        for event in events:
            if event["event"] == "started":
                self._ending = {}
            elif event["event"] in ENDINGS:
                self._ending = event
        self._quiet = 0 if events or is_worked_on else self._quiet + 1
        if events:
            self.happened.emit(events)
        # An ending counts only when nobody works here any more: the next run may have begun.
        if is_worked_on or not self.is_following:
            return
        if self._ending:
            self._end(self._ending["event"], _sentence(self._ending), str(self._ending.get("details", "")))
        elif self._quiet * POLL_MS > PATIENCE_MS:
            self._end("lost", "The training ended without a word; its newest model is kept. Resume it.")

    def _is_worked_on(self, folder: RunFolder) -> bool:
        return folder.owner() is not None or (self._process is not None and start_time(self._process) is not None)

    def _end(self, how: str, sentence: str, details: str = "") -> None:
        self._timer.stop()
        self.ended.emit(how, sentence, details)


def _sentence(ending: Mapping[str, Any]) -> str:
    """Return what a run says of its end; the message of a bug is no sentence for a person."""
    if "details" in ending:
        return f"Something unexpected happened in the engine ({ending['kind']}); what was written is kept."
    return str(ending.get("message", ""))
