"""NPZ files of other programs: a table of spectra, its axis, and labels or reference values by row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.arrays import list_npz
from napari_bgremove.io.formats.source import check_declared_size, check_dtype
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending, find_instrument_blocks, unit_of
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["read_archive", "read_arrays"]

# A number that is the same for all repeats of a target also names it.
_TARGETS = re.compile(r"targets?|samples?|standards?|replicates?|groups?|names?|labels?", re.IGNORECASE)
_AXES = re.compile(r"axis|wave.*|wvl|.*shift|energ(y|ies)|lambda|channels?", re.IGNORECASE)

Arrays = Mapping[str, NDArray[Any]]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an NPZ file; an announced size that cannot be true is refused before it is allocated."""
    for key, (shape, dtype) in list_npz(path).items():
        subject = f"{path.name}: {key}"
        if dtype.kind != "U":
            check_dtype(subject, dtype)
        check_declared_size(subject, shape, dtype, file_bytes=path.stat().st_size)
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def read_archive(path: Path, arrays: Arrays) -> Recording:
    """Find spectra, axis and labels of foreign arrays by their shapes and names.

    Without labels every row is a target of its own: a table of one spectrum
    per sample is the usual case.
    """
    tables = {key: array for key, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "buif"}
    if "spectra" not in tables and len(tables) != 1:
        raise ReadError(_describe(path.name, "one table of spectra x channels, called 'spectra'", arrays))
    spectra = tables.get("spectra", next(iter(tables.values())))
    axis_name = _find_axis(path.name, arrays, spectra.shape[1])
    by_row = {key: array for key, array in arrays.items() if array.shape == spectra.shape[:1] and key != axis_name}
    targets, named = _find_targets(path.stem, by_row, len(spectra))
    axis, rows = ascending(
        path.name,
        arrays[axis_name].astype(np.float64),
        spectra,
        places=[f"channel {channel}" for channel in range(spectra.shape[1])],
    )
    made = make_spectra_set(
        axis,
        rows,
        targets=targets,
        blocks=find_instrument_blocks(axis),
        axis_unit=unit_of(axis_name),
        composition=_find_composition(by_row, targets),
        provenance={"file": path.name, "format": "NPZ", "targets_from": named},
    )
    return Recording(made, names_targets=True)


def _find_axis(name: str, arrays: Arrays, n_channels: int) -> str:
    fitting = [key for key, array in arrays.items() if array.shape == (n_channels,) and array.dtype.kind in "uif"]
    called = [key for key in fitting if _AXES.fullmatch(key)]
    if len(called) != 1 and len(fitting) != 1:
        raise ReadError(_describe(name, f"an axis of {n_channels} values, called 'axis' or 'wavelength'", arrays))
    return (called or fitting)[0]


def _find_targets(stem: str, by_row: Arrays, n_rows: int) -> tuple[NDArray[np.str_], str]:
    for key, array in by_row.items():
        if _TARGETS.fullmatch(key) and array.dtype.kind in "Uiu":
            return array.astype(np.str_), key
    return np.array([f"{stem} {row + 1}" for row in range(n_rows)]), "rows"


def _find_composition(by_row: Arrays, targets: NDArray[np.str_]) -> Composition | None:
    """Return the numbers that are the same in all rows of a target."""
    distinct, first, members = np.unique(targets, return_index=True, return_inverse=True)
    columns = {key: array[first].astype(float) for key, array in by_row.items() if array.dtype.kind == "f"}
    known = {
        key: values for key, values in columns.items() if np.array_equal(values[members], by_row[key], equal_nan=True)
    }
    if not known:
        return None
    values = np.stack(list(known.values()), axis=1)
    return Composition(tuple(distinct.tolist()), tuple(known), values, unit="")


def _describe(name: str, wanted: str, arrays: Arrays) -> str:
    found = ", ".join(f"{key} ({describe_shape(array.shape)})" for key, array in list(arrays.items())[:8]) or "nothing"
    return f"'{name}' must hold {wanted}; found {found}. Rename the arrays."
