"""Sets of spectra into signal and background, by a trained network or a classical cleaning, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.engine.spectra_blocks import cut_rows, write_rows
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.engine.spectra_records import merge_records
from napari_bgremove.engine.spectra_separator import Marks, SetSeparator
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.cleaning import NothingUsableError
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SpectraMethod", "separate_into_files", "separate_set"]

#: Is told how many spectra of how many are done.
Report = Callable[[int, int], None]


def separate_set(
    spectra: SpectraSet, how: SpectraMethod, *, signal_channels: Marks = None, report: Report | None = None
) -> Separation:
    """Separate all spectra of a set; of a lazy set only one block of the spectra is in the memory beside the parts.

    Parameters
    ----------
    spectra : SpectraSet
    how : SpectraMethod
    signal_channels : ndarray of bool, shape (n_channels,), optional
        True where a person has marked signal.
    report : callable, optional
        Is told (done, all) after every block.

    Returns
    -------
    Separation
        Of the shape of the spectra; its provenance says how long it took.
        `separate_into_files` needs no memory for the parts.

    Raises
    ------
    ValueError
        When the method is unknown, or the channels are not those of the network.
    ComputeError
        When a spectrum cannot be separated.
    ModelFileError
        When the model cannot be used.
    """
    whole: dict[str, NDArray[np.floating]] = {}
    record: dict[str, Any] = {}
    for rows, parts in _separate_blocks(spectra, how, signal_channels, report):
        for name in ("signal", "background", "measured"):
            values = np.asarray(getattr(parts, name))
            if name not in whole:
                whole[name] = np.empty((spectra.n_spectra, *values.shape[1:]), values.dtype)
            whole[name][rows] = values
        record = merge_records(record, parts.provenance)
    _check_result(record)
    return Separation(whole["signal"], whole["background"], whole["measured"], provenance=record)


def separate_into_files(
    spectra: SpectraSet,
    how: SpectraMethod,
    folder: Path,
    *,
    signal_channels: Marks = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Separate a set block by block into signal.npy and background.npy: it may be larger than the memory.

    Parameters and errors are those of `separate_set`.

    Parameters
    ----------
    folder : Path
        A temporary one, which is there already: the files are whole only when this returns.

    Returns
    -------
    dict
        The provenance.

    Raises
    ------
    OSError
        When the files cannot be written.
    """
    record: dict[str, Any] = {}
    for rows, parts in _separate_blocks(spectra, how, signal_channels, report):
        for name in ("signal", "background"):
            values = np.asarray(getattr(parts, name))
            write_rows(folder / f"{name}.npy", values, first=rows.start, count=spectra.n_spectra)
        record = merge_records(record, parts.provenance)
    _check_result(record)
    return record


def _separate_blocks(
    spectra: SpectraSet, how: SpectraMethod, marks: Marks, report: Report | None
) -> Iterator[tuple[slice, Separation]]:
    separator = SetSeparator(spectra, how, signal_channels=marks)
    for rows in cut_rows(spectra.spectra):
        yield rows, separator.separate(rows)
        if report is not None:
            report(rows.stop, spectra.n_spectra)


def _check_result(record: dict[str, Any]) -> None:
    if "method" not in record:  # of no block
        msg = (
            f"'spectra' must have at least 2 usable samples in a spectrum; found fewer in each of "
            f"{record['remarks']['spectra']}. Check the file."
        )
        raise NothingUsableError(msg)
