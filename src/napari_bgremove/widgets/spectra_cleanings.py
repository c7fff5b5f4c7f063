"""Cleanings of one set: asked of the warm engine, kept for curves and calibration, shown as layers."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_separation import SpectraMethod
from napari_bgremove.viewer_layers.spectra_layers import put_spectra
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.signal_marks import Bands
from napari_bgremove.widgets.spectra_clean_form import label_of_method
from napari_bgremove.widgets.spectra_loading import LoadedSet

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
    ended : Signal
        A cleaning is there, or has failed.
    failed : Signal of mapping
        What the engine said.
    """

    changed = Signal()
    ended = Signal()
    failed = Signal(object)
    broke = Signal(object)  # an exception of our own

    def __init__(self, viewer: Any, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._engine = viewer, engine
        self._set: LoadedSet | None = None
        self._asked: tuple[int, LoadedSet, SpectraMethod, Bands] | None = None
        self._folder: Path | None = None
        self._count = 0
        self.made: dict[str, Cleaning] = {}
        self._loading = LatestCall(_load_parts, delay_ms=0, parent=self)
        self._loading.returned.connect(self._on_parts)
        self._loading.failed.connect(self._on_failed)

    @property
    def is_busy(self) -> bool:
        """True while a cleaning is still to come."""
        return self._asked is not None

    def take_set(self, loaded: LoadedSet) -> None:
        """Begin with another set; cleanings of the one before are forgotten, their layers stay."""
        for label in list(self.made):
            self._discard(label)
        self._set, self._asked = loaded, None
        self._loading.cancel()
        self.changed.emit()
        self.ended.emit()

    def start(self, how: SpectraMethod, bands: Bands) -> None:
        """Ask for a cleaning of the set."""
        assert self._set is not None
        source = self._set.source.model_copy(update={"signal_bands": bands})
        number = self._engine.ask(
            "separate_spectra", self._on_reply, source=source.model_dump(mode="json"),
            how=how.model_dump(mode="json"), out=str(self._new_folder()), read_at=self._set.read_at,
        )  # fmt: skip
        self._asked = number, self._set, how, bands

    def parts(self, bands: Bands) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        """Return signal and background by label; what was made with other marks says so."""
        return {
            label + ("" if each.bands == bands else OTHER_MARKS): (each.signal, each.background)
            for label, each in self.made.items()
        }

    def _on_reply(self, reply: Letter) -> None:
        if self._asked is None or reply.number != self._asked[0]:
            return  # the set is another one by now
        _, loaded, how, bands = self._asked
        if reply.kind == "failed":
            self._end()
            self.failed.emit(reply.values)
        else:
            self._loading(loaded, how, bands, reply.values["files"], reply.values["record"])

    def _on_parts(self, result: tuple[LoadedSet, Cleaning, dict[str, NDArray[Any]]]) -> None:
        loaded, cleaning, parts = result
        if loaded is self._set:
            self._discard(cleaning.label)
            self.made[cleaning.label] = cleaning
            put_spectra(
                self._viewer, loaded.name, loaded.spectra, parts, method=cleaning.label, record=cleaning.record,
                source=loaded.source.model_copy(update={"signal_bands": cleaning.bands}).model_dump(mode="json"),
            )  # fmt: skip
            self.changed.emit()
            self._end()

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self.broke.emit(error)

    def _end(self) -> None:
        self._asked = None
        self.ended.emit()

    def _discard(self, label: str) -> None:
        """Forget a cleaning, and the files that nothing else reads."""
        if (old := self.made.pop(label, None)) is not None:
            shutil.rmtree(Path(old.files["signal"]).parent, ignore_errors=True)

    def _new_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="napari-bgremove-spectra-"))
            # With this object or at the end of the process, whichever comes first.
            self.destroyed.connect(weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True))
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder


def _load_parts(
    loaded: LoadedSet, how: SpectraMethod, bands: Bands, files: Mapping[str, str], record: Mapping[str, Any]
) -> tuple[LoadedSet, Cleaning, dict[str, NDArray[Any]]]:
    """Read the parts for layers, and open them for curves: of the file only what is drawn is read."""
    opened = {name: np.load(file, mmap_mode="r", allow_pickle=False) for name, file in files.items()}
    # The last one lies on top in the viewer.
    parts = {name: np.array(opened[name], np.float32) for name in ("background", "signal")}
    if how.model is not None and how.output == "both":
        rest = loaded.spectra.spectra - parts["signal"] - parts["background"]
        parts = {"residual": np.asarray(rest, np.float32), **parts}
    cleaning = Cleaning(how, bands, opened["signal"], opened["background"], files, record)
    return loaded, cleaning, parts
