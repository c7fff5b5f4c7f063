"""NPY and NPZ, never with pickles in them."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.source import (
    MemoryFrames,
    Source,
    arrange_frames,
    check_declared_size,
    check_dtype,
    explain_failures,
    to_native,
)

__all__ = ["list_npz", "open_npy", "open_npz"]


@dataclass(frozen=True)
class _MappedFrames:
    """Frames of an NPY file, mapped anew for each read so that no handle stays open."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    fortran: bool

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, "NPY"):
            order: Literal["F", "C"] = "F" if self.fortran else "C"
            array = np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)
            frame = array[np.unravel_index(index, self.shape[:-2])] if len(self.shape) > 2 else array
            # A copy: the map ends with the file it belongs to.
            return to_native(np.array(frame))


def open_npy(path: Path) -> Source:
    """Describe an NPY file; its size has to be exactly what its header says."""
    with explain_failures(path, "NPY"):
        with open(path, "rb") as file:
            shape, fortran, dtype = _read_header(file)
            start = file.tell()
        frames, is_stack = arrange_frames(path.name, shape)
        native = check_dtype(path.name, dtype)
        expected, found = start + prod(shape) * dtype.itemsize, path.stat().st_size
        if expected != found:
            msg = (
                f"'{path.name}' must hold the {expected} bytes its header announces ({describe_shape(shape)} {dtype}); "
                f"found {found}. Copy the file again from its source."
            )
            raise ReadError(msg)
        check_declared_size(path.name, frames[1:], native, file_bytes=found)
    reader = _MappedFrames(path, shape, dtype, start, fortran)
    return Source(frames, native, reader, is_stack)


def open_npz(path: Path, *, dataset: str | None = None) -> Source:
    """Read the one image or stack of an NPZ file into memory."""
    with explain_failures(path, "NPZ"):
        entries = list_npz(path)
        name = dataset if dataset is not None else _only_image(path.name, entries)
        if name not in entries:
            msg = f"'{path.name}' must hold the array '{name}'; found {_describe_entries(entries)}. Choose one of them."
            raise ReadError(msg)
        shape, dtype = entries[name]
        subject = f"{path.name}: {name}"
        frames, is_stack = arrange_frames(subject, shape)
        native = check_dtype(subject, dtype)
        check_declared_size(subject, frames, native, file_bytes=path.stat().st_size)
        with np.load(path, allow_pickle=False) as archive:
            array = to_native(archive[name]).reshape(frames)
    notes = ("NPZ files are read into memory as a whole.",) if is_stack else ()
    return Source(frames, native, MemoryFrames(array), is_stack, dataset=name, notes=notes)


def list_npz(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Name, shape and dtype of each array of an NPZ file, from the headers alone."""
    entries = {}
    with explain_failures(path, "NPZ"), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    shape, _, dtype = _read_header(file)
                    entries[member.removesuffix(".npy")] = (shape, dtype)
    return entries


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    with warnings.catch_warnings():
        # numpy remarks that a header was written by Python 2; it is read correctly.
        warnings.simplefilter("ignore", UserWarning)
        version = npy_format.read_magic(file)
        shape, fortran, dtype = _header_reader(version)(file)
    return shape, fortran, dtype


def _header_reader(version: tuple[int, int]) -> Any:
    if version == (1, 0):
        return npy_format.read_array_header_1_0
    if version in ((2, 0), (3, 0)):
        return npy_format.read_array_header_2_0
    msg = f"NPY version {version[0]}.{version[1]} is not known"
    raise ValueError(msg)


def _only_image(name: str, entries: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    images = [key for key, (shape, dtype) in entries.items() if len(shape) in (2, 3) and dtype.kind in "buif"]
    if len(images) != 1:
        msg = (
            f"'{name}' must hold exactly one 2-D or 3-D array of numbers; found {len(images)} "
            f"({_describe_entries(entries)}). Choose one by its name as the dataset."
        )
        raise ReadError(msg)
    return images[0]


def _describe_entries(entries: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    found = [f"{key} ({describe_shape(shape)} {dtype})" for key, (shape, dtype) in list(entries.items())[:8]]
    return ", ".join(found) or "no array"
