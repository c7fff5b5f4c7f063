"""A map block by block: read, taken apart, written and forgotten, so that it may be larger than the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove.cli.spectrum_results import (
    CURVES,
    Outcome,
    describe_map_record,
    separate_spectrum,
    write_summaries,
)
from napari_bgremove.cli.spectrum_sources import LoadedSpectra
from napari_bgremove.io.results import StackWriter
from napari_bgremove.io.spectra import Spectrum
from napari_bgremove.spectra.ends import End
from napari_bgremove.spectra.sentences import describe_map

__all__ = ["read_blocks", "separate_in_blocks"]


class _NothingToWriteError(Exception):
    """No spectrum has a background: what was written so far goes."""


def separate_in_blocks(
    loaded: LoadedSpectra,
    *,
    method: str,
    ends: tuple[End, End] | None,
    parameters: Mapping[str, Any],
    files: Mapping[str, Path],
    record: Mapping[str, Any],
) -> tuple[Outcome, dict[str, Path]]:
    """Take the map of a lazy source apart, and write it frame by frame.

    Only the figures of its spectra stay in the memory, not the curves.

    Returns
    -------
    outcome : Outcome
        Without curves.
    written : dict of str to Path
        Empty where no spectrum has a background; then there is no file.

    Raises
    ------
    ValueError
        When axis, ends or parameters do not fit the spectra.
    ReadError, ComputeError
        When a block cannot be read.
    """
    (spectrum,) = loaded.spectra
    outcomes = (
        separate_spectrum(block, method=method, ends=ends, parameters=parameters) for block in read_blocks(spectrum)
    )
    figures: list[Mapping[str, Any]] = []
    written: dict[str, Path] = {}
    try:
        with ExitStack() as stack:
            writers: dict[str, StackWriter] = {}
            for outcome in outcomes:
                if outcome.separation is None:
                    raise outcome.error or ValueError(outcome.sentence)
                provenance = {**record, **outcome.separation.provenance}
                writers = writers or _open_writers(
                    stack, outcome, files, describe_map_record(provenance, loaded, spectrum)
                )
                _append(writers, outcome, loaded.spectral_axis)
                figures.append(outcome.figures)
                written = {name: files[name] for name in writers}
            whole = _join(spectrum, figures)
            if not whole.has_background:
                raise _NothingToWriteError
    except _NothingToWriteError:
        return whole, {}
    return whole, {**written, **write_summaries(whole, files, loaded, provenance)}


def read_blocks(spectrum: Spectrum) -> Iterator[Spectrum]:
    """Yield the map along its first dimension, in the blocks of its dask array, each read when it is its turn."""
    lazy: Any = spectrum.intensity
    for first, stop in pairwise(accumulate(lazy.chunks[0], initial=0)):
        yield replace(spectrum, intensity=lazy[first:stop].compute(scheduler="synchronous"))


def _open_writers(
    stack: ExitStack, outcome: Outcome, files: Mapping[str, Path], record: Mapping[str, Any]
) -> dict[str, StackWriter]:
    known = [name for name in CURVES if getattr(outcome.separation, name) is not None]
    return {name: stack.enter_context(StackWriter(files[name], provenance={**record, "field": name})) for name in known}


def _append(writers: Mapping[str, StackWriter], outcome: Outcome, spectral_axis: int) -> None:
    for name, writer in writers.items():
        for frame in np.moveaxis(getattr(outcome.separation, name), -1, spectral_axis):
            writer.append(frame)


def _join(spectrum: Spectrum, parts: list[Mapping[str, Any]]) -> Outcome:
    figures = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Outcome(spectrum, describe_map(figures["status"]), figures)
