"""Write curves as a table that people, spreadsheets and other programs read: CSV that says where it comes from.

The record stands above the table, each line behind a '#', which the readers
of tables take for a comment. Without these two characters the lines are the
JSON text of every other file of this package.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove._validation import describe_shape
from napari_bgremove.io.provenance import dump_provenance

__all__ = ["write_columns"]


def write_columns(
    path: str | os.PathLike[str], columns: Mapping[str, ArrayLike], *, provenance: Mapping[str, Any]
) -> Path:
    """Write columns of equal length as CSV, under '#' lines that say where they come from.

    Parameters
    ----------
    path : path-like
        Target file; missing folders are made.
    columns : mapping of str to array_like, each of shape (n,)
        Name and values, in the order of the columns. Real numbers are written
        with as many digits as it takes to read them back exactly, NaN as
        ``nan``, True and False as 1 and 0; texts are quoted where they need it.
    provenance : mapping
        Method, parameters, inputs: anything JSON can hold.

    Returns
    -------
    Path
        The file, in UTF-8, whole or not at all.

    Raises
    ------
    ValueError
        When there is no column, or one is not a 1-D array of real numbers or
        texts as long as the first.
    OSError
        When it cannot be written; an old file is then still in place.
    """
    arrays = {name: _check_column(name, values) for name, values in columns.items()}
    _check_lengths(arrays)
    text = io.StringIO(newline="")
    text.writelines(f"# {line}\n" for line in dump_provenance(provenance, indent=1).splitlines())
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(arrays)
    writer.writerows(zip(*(map(str, array) for array in arrays.values()), strict=True))
    return atomic_write(path, text.getvalue())


def _check_column(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        msg = f"'{name}' must be one column of values; found {array.ndim} axes ({describe_shape(array.shape)})."
        raise ValueError(msg)
    if array.dtype.kind not in "buifU":
        msg = f"'{name}' must hold real numbers or texts; found dtype {array.dtype}."
        raise ValueError(msg)
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def _check_lengths(arrays: Mapping[str, NDArray[Any]]) -> None:
    if not arrays:
        msg = "'columns' must name at least one column; found none."
        raise ValueError(msg)
    first = next(iter(arrays))
    for name, array in arrays.items():
        if len(array) != len(arrays[first]):
            msg = f"'{name}' must be as long as '{first}' ({len(arrays[first])} values); found {len(array)}."
            raise ValueError(msg)
