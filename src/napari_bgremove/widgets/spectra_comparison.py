"""Cleanings of one set compared by a calibration, in the warm engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_separation import SpectraMethod
from napari_bgremove.engine.spectra_source import Bands
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.spectra_clean_form import label_of_method
from napari_bgremove.widgets.spectra_cleanings import Cleaning
from napari_bgremove.widgets.spectra_loading import LoadedSet

__all__ = ["SpectraComparison"]


class SpectraComparison(QObject):
    """Asks for one comparison at a time.

    Attributes
    ----------
    compared : Signal of (mapping, mapping, mapping)
        Columns of the table, points of its rows, and what they are of.
    ended : Signal
        It is there, has failed, or is not wanted any more.
    failed : Signal of mapping
        What the engine said.
    """

    compared = Signal(object, object, object)
    ended = Signal()
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._asked: tuple[int, dict[str, Any]] | None = None

    @property
    def is_busy(self) -> bool:
        """True while a comparison is still to come."""
        return self._asked is not None

    def start(self, loaded: LoadedSet, bands: Bands, made: Mapping[str, Cleaning], methods: Sequence[str]) -> None:
        """Compare the raw spectra of a set, cleanings of it, and more classical methods.

        A cleaning with other marks than `bands` is done anew.
        """
        wanted = {label: each.how for label, each in made.items()}
        for method in methods:
            how = SpectraMethod(method=method)
            wanted.setdefault(label_of_method(how), how)
        cleanings = {
            label: {"how": how.model_dump(mode="json"), "signal": _file_of(made.get(label), bands)}
            for label, how in wanted.items()
        }
        source = loaded.source.model_copy(update={"signal_bands": bands}).model_dump(mode="json")
        number = self._engine.ask(
            "calibrate_spectra", self._on_reply, source=source, cleanings=cleanings, read_at=loaded.read_at
        )
        self._asked = number, {"source": source, "cleanings": {label: each["how"] for label, each in cleanings.items()}}

    def cancel(self) -> None:
        """Forget what was asked: the set is another one."""
        self._asked = None
        self.ended.emit()

    def _on_reply(self, reply: Letter) -> None:
        if self._asked is None or reply.number != self._asked[0]:
            return
        about, self._asked = self._asked[1], None
        if reply.kind == "failed":
            self.failed.emit(reply.values)
        else:
            self.compared.emit(reply.values["table"], reply.arrays, about)
        self.ended.emit()


def _file_of(cleaning: Cleaning | None, bands: Bands) -> str | None:
    return cleaning.files["signal"] if cleaning is not None and cleaning.bands == bands else None
