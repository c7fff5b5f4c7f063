"""A set taken apart by the warm engine in turns: a block of spectra each, so that others are answered in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.engine.spectra_records import merge_records
from napari_bgremove.engine.spectra_source import Bands
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.spectra_loading import LoadedSet

__all__ = ["SeparationTurns"]

# A question of another panel waits no longer than about this.
TURN_SECONDS = 0.7
FIRST_ROWS = 4
# Of the last turn's rows; the first one may have been slow for reasons of its own.
MOST_GROWTH = 8
CHANGED = "The files hold other spectra than those that are shown; open them again."


@dataclass(eq=False)
class _Work:
    """What is being taken apart, and how far it is."""

    question: dict[str, Any]
    folder: Path
    count: int
    rows: tuple[int, int]
    asked_at: float = 0.0
    record: dict[str, Any] = field(default_factory=dict)

    def take(self, reply: Mapping[str, Any]) -> float:
        """Take a block that has come, choose the next one, and return the seconds that are left."""
        first, stop = self.rows
        self.record = merge_records(self.record, reply["record"])
        rows, pace = stop - first, (time.monotonic() - self.asked_at) / (stop - first)
        wanted = round(rows * TURN_SECONDS / max(float(reply["record"]["seconds"]), 1e-3))
        following = min(max(wanted, 1), MOST_GROWTH * rows)
        self.rows = stop, min(stop + following, self.count)
        return pace * (self.count - stop)


class SeparationTurns(QObject):
    """Takes one set apart at a time; it can be cancelled after each block.

    Attributes
    ----------
    progressed : Signal of (int, int, float)
        So many spectra of so many are done; seconds left.
    finished : Signal of (str, mapping)
        The folder with signal.npy and background.npy, and the record.
    failed : Signal of mapping
        What the engine said; the folder is gone.
    """

    progressed = Signal(int, int, float)
    finished = Signal(str, object)
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._work: _Work | None = None
        self._asked: dict[int, _Work] = {}

    @property
    def is_busy(self) -> bool:
        """True until it has finished, failed or been cancelled."""
        return self._work is not None

    def start(self, loaded: LoadedSet, how: SpectraMethod, bands: Bands, folder: Path) -> None:
        """Take a set apart into a folder, which is there already; what went on before is cancelled."""
        self.cancel()
        source = loaded.source.model_copy(update={"signal_bands": bands})
        question = {
            "source": source.model_dump(mode="json"), "how": how.model_dump(mode="json"), "out": str(folder),
            "read_at": loaded.read_at,
        }  # fmt: skip
        count = loaded.spectra.n_spectra
        self._work = _Work(question, folder, count, (0, min(FIRST_ROWS, count)))
        self._ask(self._work)

    def cancel(self) -> None:
        """Ask for no more; the block at hand is thrown away when it comes."""
        self._work = None

    def _ask(self, work: _Work) -> None:
        work.asked_at = time.monotonic()
        number = self._engine.ask("separate_spectra", self._on_reply, rows=list(work.rows), **work.question)
        self._asked[number] = work

    def _on_reply(self, reply: Letter) -> None:
        work = self._asked.pop(reply.number, None)
        for older in [number for number in self._asked if number < reply.number]:  # superseded, never answered
            _remove(self._asked.pop(older))
        if work is None:
            return
        if work is not self._work:
            _remove(work)
        elif reply.kind == "failed":
            self._fail(work, reply.values)
        elif reply.values["count"] != work.count:
            self._fail(work, {"error": "ComputeError", "message": CHANGED})
        else:
            self._go_on(work, reply.values)

    def _go_on(self, work: _Work, reply: Mapping[str, Any]) -> None:
        left = work.take(reply)
        done = work.rows[0]
        self.progressed.emit(done, work.count, left)
        if self._work is not work:  # who heard of it has cancelled
            _remove(work)
        elif done < work.count:
            self._ask(work)
        else:
            self._work = None
            self.finished.emit(str(work.folder), work.record)

    def _fail(self, work: _Work, values: Mapping[str, Any]) -> None:
        self._work = None
        _remove(work)
        self.failed.emit(values)


def _remove(work: _Work) -> None:
    shutil.rmtree(work.folder, ignore_errors=True)
