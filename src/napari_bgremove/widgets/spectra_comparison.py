"""Cleanings of one set compared by a calibration, in the warm engine; those that are missing are made first."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.engine.spectra_records import describe_record
from napari_bgremove.engine.spectra_source import Bands
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.spectra_clean_form import label_of_method
from napari_bgremove.widgets.spectra_cleanings import Cleaning
from napari_bgremove.widgets.spectra_loading import LoadedSet
from napari_bgremove.widgets.spectra_scratch import ScratchFolder
from napari_bgremove.widgets.spectra_turns import SeparationTurns

__all__ = ["SpectraComparison"]


@dataclass(eq=False)
class _Wanted:
    """What is compared: cleanings by label, and the files of those that are there."""

    loaded: LoadedSet
    bands: Bands
    methods: dict[str, SpectraMethod]
    files: dict[str, str]
    made_here: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def missing(self) -> list[str]:
        """Labels of cleanings that are to be made."""
        return [label for label in self.methods if label not in self.files]

    @property
    def about(self) -> dict[str, Any]:
        """Plain values that say what was compared."""
        source = self.loaded.source.model_copy(update={"signal_bands": self.bands}).model_dump(mode="json")
        return {
            "source": source,
            "cleanings": {label: how.model_dump(mode="json") for label, how in self.methods.items()},
            "remarks": list(self.remarks),
        }


class SpectraComparison(QObject):
    """Asks for one comparison at a time.

    Attributes
    ----------
    compared : Signal of (mapping, mapping, mapping)
        Columns of the table, points of its rows, and what they are of; under
        "remarks" what went not well in the cleanings that were made for it.
    progressed : Signal of (str, int, int, float)
        Of the cleaning of this name so many spectra of so many are done; seconds left.
    ended : Signal
        It is there, has failed, or is not wanted any more.
    failed : Signal of mapping
        What the engine said.
    """

    compared = Signal(object, object, object)
    progressed = Signal(str, int, int, float)
    ended = Signal()
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._wanted: _Wanted | None = None
        self._scratch = ScratchFolder(self)
        self._turns = SeparationTurns(engine, self)
        self._turns.progressed.connect(self._on_progressed)
        self._turns.finished.connect(self._on_cleaned)
        self._turns.failed.connect(self._on_failed)

    @property
    def is_busy(self) -> bool:
        """True while a comparison is still to come."""
        return self._wanted is not None

    def start(self, loaded: LoadedSet, bands: Bands, made: Mapping[str, Cleaning], methods: Sequence[str]) -> None:
        """Compare the raw spectra of a set, cleanings of it, and more classical methods.

        A cleaning with other marks than `bands` is done anew.
        """
        wanted = {label: each.how for label, each in made.items()}
        for method in methods:
            how = SpectraMethod(method=method)
            wanted.setdefault(label_of_method(how), how)
        files = {label: each.files["signal"] for label, each in made.items() if each.bands == bands}
        self._wanted = _Wanted(loaded, bands, wanted, files)
        self._go_on(self._wanted)

    def cancel(self) -> None:
        """Forget what was asked: the set is another one, or a person does not want it any more."""
        self._turns.cancel()
        self._end()

    def _go_on(self, wanted: _Wanted) -> None:
        """Make the next cleaning that is missing, or ask for the table."""
        if wanted.missing:
            self._turns.start(wanted.loaded, wanted.methods[wanted.missing[0]], wanted.bands, self._scratch.make())
            return
        about = wanted.about
        cleanings = {label: {"how": how, "signal": wanted.files[label]} for label, how in about["cleanings"].items()}
        wanted.number = self._engine.ask(
            "calibrate_spectra", self._on_reply, source=about["source"], cleanings=cleanings,
            read_at=wanted.loaded.read_at,
        )  # fmt: skip

    def _on_progressed(self, done: int, count: int, seconds_left: float) -> None:
        if self._wanted is not None:
            self.progressed.emit(self._wanted.missing[0], done, count, seconds_left)

    def _on_cleaned(self, folder: str, record: Mapping[str, Any]) -> None:
        assert self._wanted is not None
        label = self._wanted.missing[0]
        if said := describe_record(record):
            self._wanted.remarks.append(f"{label}: {said}")
        self._wanted.made_here.append(Path(folder))
        self._wanted.files[label] = str(Path(folder) / "signal.npy")
        self._go_on(self._wanted)

    def _on_failed(self, values: Mapping[str, Any]) -> None:
        self._end()
        self.failed.emit(values)

    def _on_reply(self, reply: Letter) -> None:
        if self._wanted is None or reply.number != self._wanted.number:
            return
        about = self._wanted.about
        self._end()
        if reply.kind == "failed":
            self.failed.emit(reply.values)
        else:
            self.compared.emit(reply.values["table"], reply.arrays, about)

    def _end(self) -> None:
        for folder in self._wanted.made_here if self._wanted is not None else ():
            shutil.rmtree(folder, ignore_errors=True)
        self._wanted = None
        self.ended.emit()
