"""Cleanings of one set: asked of the warm engine, kept for curves and calibration, shown as layers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.viewer_layers.spectra_layers import put_spectra
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.signal_marks import Bands
from napari_bgremove.widgets.spectra_clean_form import label_of_method
from napari_bgremove.widgets.spectra_loading import LoadedSet
from napari_bgremove.widgets.spectra_scratch import ScratchFolder
from napari_bgremove.widgets.spectra_turns import SeparationTurns

__all__ = ["Cleaning", "SpectraCleanings"]

OTHER_MARKS = ", other marks"


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What a method made of a set.

    Attributes
    ----------
    how : SpectraMethod
    bands : tuple of (low, high)
        What was marked as signal then.
    signal, background : ndarray
        In the shape of the set; read from their files as they are looked at.
    """

    how: SpectraMethod
    bands: Bands
    signal: NDArray[Any]
    background: NDArray[Any]
    files: Mapping[str, str]
    record: Mapping[str, Any]

    @property
    def label(self) -> str:
        """As plot, layers and table call it."""
        return label_of_method(self.how)


class SpectraCleanings(QObject):
    """Holds the cleanings of a set by their labels.

    Attributes
    ----------
    changed : Signal
    progressed : Signal of (int, int, float)
        Of a cleaning so many spectra of so many are done; seconds left.
    made_one : Signal of Cleaning
        It is there, and was kept and shown.
    ended : Signal
        A cleaning is there, has failed, or is not wanted any more.
    failed : Signal of mapping
        What the engine said.
    """

    changed = Signal()
    progressed = Signal(int, int, float)
    made_one = Signal(object)
    ended = Signal()
    failed = Signal(object)
    broke = Signal(object)  # an exception of our own

    def __init__(self, viewer: Any, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._set: LoadedSet | None = None
        self._wanted: tuple[LoadedSet, SpectraMethod, Bands] | None = None
        self._unread: Path | None = None
        self.scratch = ScratchFolder(self)
        self.made: dict[str, Cleaning] = {}
        self._turns = SeparationTurns(engine, self)
        self._turns.progressed.connect(self.progressed)
        self._turns.finished.connect(self._on_finished)
        self._turns.failed.connect(self._on_engine_failed)
        self._loading = LatestCall(_load_parts, delay_ms=0, parent=self)
        self._loading.returned.connect(self._on_parts)
        self._loading.failed.connect(self._on_failed)

    @property
    def is_busy(self) -> bool:
        """True while a cleaning is still to come."""
        return self._wanted is not None

    def take_set(self, loaded: LoadedSet) -> None:
        """Begin with another set; cleanings of the one before are forgotten, their layers stay."""
        for label in list(self.made):
            self._discard(label)
        self._set = loaded
        self.changed.emit()
        self.cancel()

    def start(self, how: SpectraMethod, bands: Bands) -> None:
        """Ask for a cleaning of the set."""
        assert self._set is not None
        self._wanted = self._set, how, bands
        self._turns.start(self._set, how, bands, self.scratch.make())

    def cancel(self) -> None:
        """Forget the cleaning that is to come."""
        self._turns.cancel()
        if self._loading.is_busy:
            self._loading.cancel()
            self._remove_unread()
        self._end()

    def parts(self, bands: Bands) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        """Return signal and background by label; what was made with other marks says so."""
        return {
            label + ("" if each.bands == bands else OTHER_MARKS): (each.signal, each.background)
            for label, each in self.made.items()
        }

    def _on_finished(self, folder: str, record: Mapping[str, Any]) -> None:
        assert self._wanted is not None
        files = {name: str(Path(folder) / f"{name}.npy") for name in ("signal", "background")}
        self._unread = Path(folder)
        self._loading(*self._wanted, files, record)

    def _on_engine_failed(self, values: Mapping[str, Any]) -> None:
        self._end()
        self.failed.emit(values)

    def _on_parts(self, result: tuple[LoadedSet, Cleaning, SpectraSet, dict[str, NDArray[Any]]]) -> None:
        loaded, cleaning, shown, parts = result
        if loaded is self._set:
            self._unread = None
            self._discard(cleaning.label)
            self.made[cleaning.label] = cleaning
            put_spectra(
                self._viewer, loaded.name, shown, parts, method=cleaning.label, record=cleaning.record, copy=False,
                source=loaded.source.model_copy(update={"signal_bands": cleaning.bands}).model_dump(mode="json"),
            )  # fmt: skip
            self.changed.emit()
            self._end()
            self.made_one.emit(cleaning)

    def _on_failed(self, error: Exception) -> None:
        self._remove_unread()
        self._end()
        self.broke.emit(error)

    def _end(self) -> None:
        self._wanted = None
        self.ended.emit()

    def _remove_unread(self) -> None:
        """Remove what the engine has made and nobody will look at."""
        if self._unread is not None:
            shutil.rmtree(self._unread, ignore_errors=True)
        self._unread = None

    def _discard(self, label: str) -> None:
        """Forget a cleaning, and the files that nothing else reads."""
        if (old := self.made.pop(label, None)) is not None:
            shutil.rmtree(Path(old.files["signal"]).parent, ignore_errors=True)


def _load_parts(
    loaded: LoadedSet, how: SpectraMethod, bands: Bands, files: Mapping[str, str], record: Mapping[str, Any]
) -> tuple[LoadedSet, Cleaning, SpectraSet, dict[str, NDArray[Any]]]:
    """Copy the set and read its parts for layers, and open them for curves: of a file only what is drawn is read."""
    opened = {name: np.load(file, mmap_mode="r", allow_pickle=False) for name, file in files.items()}
    # The last one lies on top in the viewer.
    parts = {name: np.array(opened[name], np.float32) for name in ("background", "signal")}
    if how.model is not None and how.output == "both":
        rest = loaded.spectra.spectra - parts["signal"] - parts["background"]
        parts = {"residual": np.asarray(rest, np.float32), **parts}
    cleaning = Cleaning(how, bands, opened["signal"], opened["background"], files, record)
    return loaded, cleaning, loaded.spectra.with_spectra(np.array(loaded.spectra.spectra)), parts
