"""Read a set of spectra and judge it, off the window's thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.spectra.blocks import find_blocks
from napari_bgremove.spectra.set_records import describe_set
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.spectra.stationarity import measure_stationarity
from napari_bgremove.widgets.parts.latest_call import LatestCall

__all__ = ["LoadedSet", "SetLoader", "load_set"]


@dataclass(frozen=True, eq=False)
class LoadedSet:
    """A set as the panel shows it.

    Attributes
    ----------
    source : SpectraSource
        Without marks.
    spectra : SpectraSet
    summary : str
        What it holds, in a line or two.
    rows : dict of str to ndarray of int
        The rows of each target.
    breaks : tuple of int
        Channels before which a curve is broken.
    read_at : float
        When; tells the engine that what it has read is still good.
    """

    source: SpectraSource
    spectra: SpectraSet
    summary: str
    rows: dict[str, NDArray[np.intp]]
    breaks: tuple[int, ...]
    read_at: float

    @property
    def name(self) -> str:
        """As its layers are called."""
        first = Path(self.source.paths[0])
        return first.name if first.is_dir() else first.stem


def load_set(source: SpectraSource) -> LoadedSet:
    """Read a set and prepare what the panel shows of it; errors as `SpectraSource.read`."""
    read_at = time.time()
    spectra = source.read()
    spectra = spectra.with_spectra(np.asarray(spectra.spectra))
    rows = {target: np.flatnonzero(spectra.targets == target) for target in spectra.distinct_targets}
    # Where bands were left out, nothing is drawn across either.
    starts = {block.start for block in (*spectra.blocks, *find_blocks(spectra.axis))}
    return LoadedSet(source, spectra, describe_set(spectra), rows, tuple(sorted(starts - {0})), read_at)


class SetLoader(QObject):
    """Reads, then judges; of many requests the newest counts.

    Attributes
    ----------
    loaded : Signal of LoadedSet
    judged : Signal of Stationarity
    written : Signal of str
        A set that came from elsewhere is in this file.
    failed : Signal of Exception
    """

    loaded = Signal(object)
    judged = Signal(object)
    written = Signal(str)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._reading = LatestCall(load_set, delay_ms=0, parent=self)
        self._judging = LatestCall(measure_stationarity, delay_ms=0, parent=self)
        self._writing = LatestCall(write_spectra_set, delay_ms=0, parent=self)
        self._reading.returned.connect(self._on_read)
        self._judging.returned.connect(self.judged)
        self._writing.returned.connect(self._on_written)
        for call in (self._reading, self._judging, self._writing):
            call.failed.connect(self.failed)

    @property
    def is_busy(self) -> bool:
        """True while something is still to come."""
        return self._reading.is_busy or self._judging.is_busy or self._writing.is_busy

    def read(self, source: SpectraSource) -> None:
        """Read a set; what is judged meanwhile is of no interest any more."""
        self._judging.cancel()
        self._reading(source)

    def write(self, path: str, spectra: SpectraSet) -> None:
        """Write a set that is in no file yet."""
        self._writing(path, spectra)

    def _on_read(self, loaded: LoadedSet) -> None:
        self.loaded.emit(loaded)
        self._judging(loaded.spectra)

    def _on_written(self, path: Path) -> None:
        self.written.emit(str(path))
