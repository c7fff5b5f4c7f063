"""Signals for a command: those of `spectrum_sources`, sets of spectra, and the clean ones they are compared with."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.cli.spectrum_blocks import read_blocks
from napari_bgremove.cli.spectrum_sources import LoadedSpectra, SpectrumChoice, load_spectra, refuse_options
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.arrays import list_npz
from napari_bgremove.io.spectra import Spectrum
from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["LoadedSignals", "Pair", "load_signals"]

Array = NDArray[np.float64]
#: Signals as measured, and the clean ones where they are known.
Pair = tuple[Array, Array | None]


@dataclass(frozen=True)
class LoadedSignals:
    """What a file holds.

    Attributes
    ----------
    spectra : LoadedSpectra
        A set is one of them, as a map.
    set : SpectraSet or None
        Its labels and spectrometers.
    truths : tuple of Spectrum
        Clean signals, one for each of the spectra; empty where there is no reference.
    peak : float
        The largest magnitude of the truths.
    """

    spectra: LoadedSpectra
    set: SpectraSet | None = None
    truths: tuple[Spectrum, ...] = ()
    peak: float = np.nan

    def count_blocks(self, place: int) -> int:
        """Return how many pairs `read_pairs` will yield."""
        intensity: Any = self.spectra.spectra[place].intensity
        return len(intensity.chunks[0]) if hasattr(intensity, "dask") else 1

    def read_pairs(self, place: int) -> Iterator[Pair]:
        """Yield one of the spectra with its truth; a map that is still in its file block by block."""
        spectrum = self.spectra.spectra[place]
        if not self.truths:
            yield from ((block, None) for block in _read(spectrum))
        else:
            yield from zip(_read(spectrum), _read(self.truths[place]), strict=True)


def load_signals(path: Path, choice: SpectrumChoice, *, reference: Path | None = None) -> LoadedSignals:
    """Read the signals of a file, and print what the reader has to say.

    An NPZ file with an axis beside its spectra is a set, unless `choice` names
    a dataset or a direction in it. The same choice holds for the reference,
    but for the column, which is the file's own.

    Raises
    ------
    click.UsageError
        When an option is not for this kind of file.
    ReadError
        When a file is no such file, or the reference has other signals.
    """
    loaded = _load(path, choice)
    if reference is None:
        return loaded
    truths = _load(reference, replace(choice, column=None)).spectra.spectra
    spectra = loaded.spectra.spectra
    if [one.intensity.shape for one in truths] != [one.intensity.shape for one in spectra]:
        shapes = [", ".join(describe_shape(one.intensity.shape) for one in part[:8]) for part in (spectra, truths)]
        msg = (
            f"'{reference.name}' must hold the clean signals of '{path.name}' ({shapes[0]}); found {shapes[1]}. Take "
            "the file the signals were made from."
        )
        raise ReadError(msg)
    truths = tuple(_chunk_as(one, spectrum) for one, spectrum in zip(truths, spectra, strict=True))
    peak = max(float(np.nanmax(np.abs(block), initial=0)) for one in truths for block in _read(one))
    return replace(loaded, truths=truths, peak=peak)


def _load(path: Path, choice: SpectrumChoice) -> LoadedSignals:
    if choice.along is not None or choice.dataset is not None or not _is_set(path):
        return LoadedSignals(load_spectra(path, choice, lazy=True))
    gate = choice.gate
    named = {"--spectrum": choice.names, "--column": choice.column, "--axis-dataset": choice.axis_dataset}
    marks = {"--valid-mask": gate.valid_mask, "--gap": gate.gap_values, "--saturation": gate.saturation}
    others = {"--axis": choice.axis, "--frame": choice.frame}
    refuse_options(named | others | marks, f"other files; '{path.name}' is read as a set of spectra")
    spectra = read_spectra_set(path)
    unit = choice.axis_unit or spectra.axis_unit
    one = Spectrum(spectra.axis, np.asarray(spectra.spectra), path.stem, choice.axis_name or "axis", unit)
    return LoadedSignals(LoadedSpectra((one,), unit=spectra.value_unit), spectra)


def _is_set(path: Path) -> bool:
    return zipfile.is_zipfile(path) and {"axis", "spectra"} <= set(list_npz(path))


def _read(spectrum: Spectrum) -> Iterator[Array]:
    if hasattr(spectrum.intensity, "dask"):
        yield from (np.asarray(block.intensity, np.float64) for block in read_blocks(spectrum))
    else:
        yield np.asarray(spectrum.intensity, np.float64)


def _chunk_as(truth: Spectrum, spectrum: Spectrum) -> Spectrum:
    """Return the truth in the blocks of what it is compared with."""
    lazy, wanted = (hasattr(one.intensity, "dask") for one in (truth, spectrum))
    values: Any = truth.intensity
    if wanted:
        import dask.array as da

        values = (values if lazy else da.from_array(values)).rechunk({0: spectrum.intensity.chunks[0]})  # type: ignore[attr-defined]
    elif lazy:
        values = values.compute(scheduler="synchronous")
    return replace(truth, intensity=values)
