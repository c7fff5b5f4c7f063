"""Follows a run folder, whoever started the run: attaching again is the same code."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.engine.run_folder import RunFolder

__all__ = ["RunFollower"]

POLL_MS = 250
ENDINGS = ("finished", "stopped", "failed")


class RunFollower(QObject):
    """Emits the events of a run as they are written, and says when it ended or was lost."""

    happened = Signal(list)  # events, oldest first; at most one batch each quarter of a second
    ended = Signal(str, str)  # "finished", "stopped", "failed" or "lost", and a sentence

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: RunFolder | None = None
        self._offset = 0
        self._quiet = 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_timeout)

    @property
    def is_following(self) -> bool:
        """True from the start until the run has ended."""
        return self._timer.isActive()

    def follow(self, folder: RunFolder, *, from_start: bool = True) -> None:
        """Follow a run; by default what happened before is told first."""
        self._folder, self._quiet = folder, 0
        self._offset = 0 if from_start or not folder.events.exists() else folder.events.stat().st_size
        self._timer.start()
        self._on_timeout()

    def leave(self) -> None:
        """Stop following; the run goes on."""
        self._timer.stop()

    def _on_timeout(self) -> None:
        assert self._folder is not None
        events, self._offset = self._folder.read_events(offset=self._offset)
        if events:
            self._quiet = 0
            self.happened.emit(events)
        alive = self._folder.owner() is not None
        if alive:
            return
        # An earlier ending counts only when nobody works here any more.
        self._quiet += 1
        last: dict[str, Any] = next((e for e in reversed(events) if e["event"] in ENDINGS), {})
        if last:
            self._end(last["event"], str(last.get("message", "")))
        elif self._quiet * POLL_MS > 20_000:
            self._end("lost", "The training ended without a word; its newest model is kept. Resume it.")

    def _end(self, how: str, sentence: str) -> None:
        self._timer.stop()
        self.ended.emit(how, sentence)
