"""Denoise the signals of a file block by block, and write what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.cli.shots import show_progress
from napari_bgremove.cli.signal_outcomes import Denoised, SignalLog
from napari_bgremove.cli.signal_sources import LoadedSignals, Pair
from napari_bgremove.cli.spectrum_results import describe_map_record, number_spectra
from napari_bgremove.engine.signal_denoising import NothingToDenoiseError, SignalDenoiser, denoise_set
from napari_bgremove.io.columns import write_columns
from napari_bgremove.io.spectra import Spectrum
from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.io.stack_writer import StackWriter
from napari_bgremove.separation import Separation

__all__ = ["PARTS", "denoise_into_files"]

#: What many signals become files of, and what a separation calls it.
PARTS = {"denoised": "signal", "noise": "background"}

Blocks = Iterator[tuple[Separation, NDArray[np.float64] | None]]
Files = dict[str, Path]


def denoise_into_files(
    loaded: LoadedSignals, place: int, denoiser: SignalDenoiser, files: Mapping[str, Path], record: Mapping[str, Any]
) -> tuple[Denoised, Files]:
    """Denoise one spectrum, map or set of a file, and write what becomes of it.

    A spectrum becomes a table of its samples. A map or an image becomes a
    table of its signals beside images of both parts; of what is still in its
    file one block is in the memory. A set becomes such a table beside two sets.

    Parameters
    ----------
    loaded : LoadedSignals
    place : int
        Which of its spectra.
    denoiser : SignalDenoiser
    files : mapping of str to Path
        "table", and for many signals those of `PARTS`.
    record : mapping
        Where the signals come from.

    Returns
    -------
    denoised : Denoised
    written : dict of str to Path
        Empty where no signal can be denoised; then there is no file.

    Raises
    ------
    ValueError
        When method or parameters do not fit the signals.
    ReadError, ComputeError
        When a block cannot be read or computed.
    """
    spectrum = loaded.spectra.spectra[place]
    record = {**record, **denoiser.record}
    log = SignalLog(spectrum, peak=loaded.peak)
    blocks = _denoise_blocks(loaded, place, denoiser)
    try:
        if loaded.set is not None:
            return _write_set(loaded, blocks, log, files, record)
        if spectrum.intensity.ndim > 1:
            return _write_map(loaded, spectrum, blocks, log, files, record)
        return _write_one(spectrum, blocks, log, files, record)
    except NothingToDenoiseError as error:
        return Denoised(spectrum, {}, sentence=str(error)), {}


def _denoise_blocks(loaded: LoadedSignals, place: int, denoiser: SignalDenoiser) -> Blocks:
    """Yield every block denoised; one of which no signal can be is NaN, unless all are."""
    refused, is_refused = None, True
    for measured, truth in _show(loaded.read_pairs(place), loaded.count_blocks(place)):
        try:
            parts = denoiser.denoise(measured) if loaded.set is None else denoise_set(loaded.set, denoiser)
            is_refused = False
        except NothingToDenoiseError as error:
            refused = error
            parts = _without_result(measured, str(error))
        yield parts, truth
    if refused is not None and is_refused:
        raise refused


def _show(pairs: Iterator[Pair], count: int) -> Iterator[Pair]:
    """Show how far many blocks are."""
    if count == 1:
        yield from pairs
    else:
        with show_progress(pairs, label="denoising", length=count) as shown:
            yield from shown


def _without_result(measured: NDArray[np.float64], reason: str) -> Separation:
    nothing = np.full(measured.shape, np.nan)
    count = nothing[..., 0].size
    record = {"found": {}, "without_result": {"count": count, "reason": reason}}
    return Separation(nothing, nothing, measured, provenance=record)


def _write_one(
    spectrum: Spectrum, blocks: Blocks, log: SignalLog, files: Mapping[str, Path], record: Mapping[str, Any]
) -> tuple[Denoised, Files]:
    ((parts, truth),) = blocks
    log.note(parts, truth)
    denoised = log.conclude()
    columns = {"energy": spectrum.axis, "measured": parts.measured, "denoised": parts.signal, "noise": parts.background}
    names = {"label": spectrum.label, "axis_name": spectrum.axis_name, "axis_unit": spectrum.axis_unit}
    figures = {name: values[0] for name, values in denoised.figures.items()}
    return denoised, {
        "table": write_columns(files["table"], columns, provenance={**names, **record, "figures": figures})
    }


def _write_map(
    loaded: LoadedSignals, spectrum: Spectrum, blocks: Blocks, log: SignalLog, files: Mapping[str, Path],
    record: Mapping[str, Any],
) -> tuple[Denoised, Files]:  # fmt: skip
    record = describe_map_record(record, loaded.spectra, spectrum)
    is_stack = spectrum.intensity.ndim > 2
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(StackWriter(files[name], provenance={**record, "field": name}, is_stack=is_stack))
            for name in PARTS
        }
        for parts, truth in blocks:
            log.note(parts, truth)
            for name, part in PARTS.items():
                placed = np.moveaxis(getattr(parts, part), -1, loaded.spectra.spectral_axis)
                for frame in placed if is_stack else placed[np.newaxis]:
                    writers[name].append(frame)
    denoised = log.conclude()
    places = number_spectra(spectrum.intensity.shape[:-1], loaded.spectra.index_names)
    table = write_columns(files["table"], {**places, **denoised.figures}, provenance=record)
    return denoised, {**{name: files[name] for name in PARTS}, "table": table}


def _write_set(
    loaded: LoadedSignals, blocks: Blocks, log: SignalLog, files: Mapping[str, Path], record: Mapping[str, Any]
) -> tuple[Denoised, Files]:
    spectra = loaded.set
    assert spectra is not None
    ((parts, truth),) = blocks
    log.note(parts, truth)
    denoised = log.conclude()
    for name, part in PARTS.items():
        values = getattr(parts, part).astype(spectra.spectra.dtype)
        provenance = {**spectra.provenance, "denoising": record, "part": name}
        write_spectra_set(files[name], replace(spectra.with_spectra(values), provenance=provenance))
    labels = {"target": spectra.targets, "location": spectra.locations, "shot": spectra.shots}
    table = write_columns(files["table"], {**labels, **denoised.figures}, provenance=record)
    return denoised, {**{name: files[name] for name in PARTS}, "table": table}
