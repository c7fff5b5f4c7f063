"""Tables of spectra a few rows at a time: where to cut one that may not fit into the memory, and how to write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_rows", "read_rows", "write_rows"]

# What a block may hold in double precision; taking it apart takes several times as much.
BLOCK_BYTES = 16 * 2**20


def cut_rows(spectra: Any) -> Iterator[slice]:
    """Yield all rows of a table, in order, as blocks that are read one at a time.

    Parameters
    ----------
    spectra : ndarray or dask array, shape (n, channels)
        A dask array is cut between its chunks, so that none is computed
        twice; a chunk larger than a block is one block.
    """
    count, channels = spectra.shape
    most = max(1, BLOCK_BYTES // (8 * max(channels, 1)))
    chunks = spectra.chunks[0] if hasattr(spectra, "dask") else (1,) * count
    start = stop = 0
    for rows in chunks:
        if stop > start and stop + rows - start > most:
            yield slice(start, stop)
            start = stop
        stop += rows
    yield slice(start, stop)


def read_rows(spectra: Any, rows: slice) -> NDArray[np.floating]:
    """Return some rows of a table in the memory."""
    part = spectra[rows]
    # Without threads: what they would compute ahead would have to be kept.
    return np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "dask") else part)


def write_rows(path: Path, values: NDArray[np.floating], *, first: int, count: int) -> None:
    """Write rows into a temporary NPY file of `count` rows, from row `first` on; the file begins with row 0.

    Nobody reads it before its last row is there. It is written and not mapped
    into the memory, because a full disk is an error when it is written to, and
    the end of the process when it is mapped.

    Raises
    ------
    OSError
        When the disk is full, or the file is gone.
    """
    if first == 0:
        with path.open("wb") as file:
            layout = {"descr": np.lib.format.dtype_to_descr(values.dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**layout, "shape": (count, *values.shape[1:])})
            values.tofile(file)
        return
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(first * values[0].nbytes, 1)
        values.tofile(file)
