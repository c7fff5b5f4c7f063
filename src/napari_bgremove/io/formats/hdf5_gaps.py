"""Find the values of an HDF5 dataset that were never written.

HDF5 answers a question for bytes that do not exist with the fill value, as a
rule zero: for a chunk nobody wrote, for a virtual dataset whose source file was
not copied along, for an external raw file that is too short. None of this
raises an error, so it is looked for here.
"""

from __future__ import annotations

import itertools
from math import ceil, prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError

__all__ = ["check_sources", "find_missing", "is_complete"]

_COPY = "Copy all files of the measurement into one folder."


def check_sources(name: str, dataset: h5py.Dataset, *, deep: bool = True) -> None:
    """Raise ReadError unless all files a dataset draws on are there and large enough.

    Parameters
    ----------
    name : str
        Subject of the error message.
    dataset : h5py.Dataset
        Any dataset; one that is stored in its own file passes.
    deep : bool
        Also open each source of a virtual dataset and compare its shape.
    """
    folder = Path(dataset.file.filename).parent  # behind an external link: where that file is
    for file_name, offset, size in dataset.external or ():
        source = folder / file_name
        found = source.stat().st_size if source.is_file() else 0
        needed = offset + min(size, dataset.nbytes)
        if found < needed:
            msg = f"'{name}' keeps its values in '{file_name}', which must hold {needed} bytes; found {found}. {_COPY}"
            raise ReadError(msg)
    for mapping in dataset.virtual_sources() if dataset.is_virtual else ():
        _check_mapping(name, dataset, folder, mapping, deep=deep)


def is_complete(name: str, dataset: h5py.Dataset) -> bool:
    """Tell whether all values were written; raise ReadError where none was."""
    if dataset.is_virtual:
        mapped = sum(mapping.vspace.get_select_npoints() for mapping in dataset.virtual_sources())
        written, expected = mapped, int(dataset.size)
    elif dataset.chunks is not None:
        written = dataset.id.get_num_chunks()
        expected = prod(ceil(n / c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    else:
        written, expected = int(dataset.id.get_storage_size() > 0), 1
    if written == 0:
        msg = f"'{name}' must hold measured values; nothing was ever written into it. Choose another dataset."
        raise ReadError(msg)
    return bool(written >= expected)


def find_missing(name: str, dataset: h5py.Dataset, place: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of one frame that were never written, as (rows, columns) True.

    Parameters
    ----------
    name : str
        Subject of the error message.
    dataset : h5py.Dataset
        At least two axes; the last two are rows and columns.
    place : tuple of int
        Index of the frame along the leading axes.
    """
    if dataset.is_virtual:
        return _outside_mappings(name, dataset, place)
    return _in_unwritten_chunks(dataset, place)


def _in_unwritten_chunks(dataset: h5py.Dataset, place: tuple[int, ...]) -> NDArray[np.bool_]:
    missing = np.zeros(dataset.shape[-2:], dtype=bool)
    lead = tuple(i // c * c for i, c in zip(place, dataset.chunks, strict=False))
    rows, columns = dataset.chunks[-2:]
    corners = itertools.product(range(0, missing.shape[0], rows), range(0, missing.shape[1], columns))
    for row, column in corners:
        if dataset.id.get_chunk_info_by_coord((*lead, row, column)).byte_offset is None:
            missing[row : row + rows, column : column + columns] = True
    return missing


def _outside_mappings(name: str, dataset: h5py.Dataset, place: tuple[int, ...]) -> NDArray[np.bool_]:
    missing = np.ones(dataset.shape[-2:], dtype=bool)
    for mapping in dataset.virtual_sources():
        axes = _selected(name, mapping.vspace, dataset.shape)
        if all(index in axis for index, axis in zip(place, axes, strict=False)):
            missing[np.ix_(axes[-2], axes[-1])] = False
    return missing


def _selected(name: str, space: Any, shape: tuple[int, ...]) -> list[NDArray[np.intp]]:
    """Return the indices along each axis of a box-like selection."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return [np.arange(n) for n in shape]
    if not space.is_regular_hyperslab():
        msg = (
            f"'{name}' must be put together from rectangles; found an irregular virtual dataset. Copy it into a "
            "plain one."
        )
        raise ReadError(msg)
    axes = []
    for start, stride, count, block in zip(*space.get_regular_hyperslab(), strict=True):
        starts = start + stride * np.arange(count)
        axes.append((starts[:, None] + np.arange(block)).ravel())
    return axes


def _check_mapping(name: str, dataset: h5py.Dataset, folder: Path, mapping: Any, *, deep: bool) -> None:
    if "%" in mapping.file_name or "%" in mapping.dset_name:
        msg = (
            f"'{name}' must name its source files; found the pattern '{mapping.file_name}'. Copy it into a "
            "plain dataset."
        )
        raise ReadError(msg)
    own = mapping.file_name == "."
    source = Path(dataset.file.filename) if own else folder / mapping.file_name
    if not source.is_file():
        msg = f"'{name}' is put together from other files; '{mapping.file_name}' is missing. {_COPY}"
        raise ReadError(msg)
    if not deep:
        return
    with _opened(dataset.file, source, own=own) as file:
        part = file.get(mapping.dset_name)
        if not isinstance(part, h5py.Dataset):
            msg = (
                f"'{name}' is put together from other files; '{mapping.file_name}' has no "
                f"'{mapping.dset_name}'. {_COPY}"
            )
            raise ReadError(msg)
        _check_part(name, part, mapping)


def _check_part(name: str, part: h5py.Dataset, mapping: Any) -> None:
    if mapping.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        too_small = part.size < mapping.vspace.get_select_npoints()
    else:
        ends = [last + 1 for last in mapping.src_space.get_select_bounds()[1]]
        too_small = len(ends) != part.ndim or any(n > have for n, have in zip(ends, part.shape, strict=True))
    if too_small or part.is_virtual or not is_complete(name, part):
        msg = (
            f"'{name}' is put together from other files; '{mapping.dset_name}' in '{mapping.file_name}' is not "
            "complete. "
            f"{_COPY}"
        )
        raise ReadError(msg)


class _opened:
    """The source file, opened and closed again unless it is the file itself."""

    def __init__(self, current: h5py.File, source: Path, *, own: bool) -> None:
        self._own = own
        self._file = current if own else h5py.File(source, "r")

    def __enter__(self) -> h5py.File:
        return self._file

    def __exit__(self, *exception: object) -> None:
        if not self._own:
            self._file.close()
