"""Open detector images of any format: the public door to all readers.

A stack is a lazy dask array with one frame per chunk, so that ten thousand
shots can be walked through without ever being in memory together; opening
reads headers only.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.arrays import list_npz
from napari_bgremove.io.formats.hdf5 import list_hdf5
from napari_bgremove.io.formats.source import FrameReader, Source, explain_failures
from napari_bgremove.io.readers import IMAGE_SUFFIXES, detect_kind, open_source

__all__ = [
    "DatasetEntry",
    "ImageStack",
    "find_image_files",
    "image_name",
    "list_datasets",
    "open_images",
    "read_image",
]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class ImageStack:
    """The frames of one file, not read yet.

    Attributes
    ----------
    data : dask.array.Array
        (n, rows, columns) in native byte order, one chunk per frame. Computing
        a chunk reads that frame, and raises ReadError where the file lacks it.
    name : str
        File name without folder and suffix.
    path : Path
        The file.
    dataset : str or None
        The dataset that was opened, where a file can hold several.
    is_stack : bool
        False where the file holds one 2-D image; `data` then has one frame.
    metadata : mapping
        Only what the file states: kev_per_unit, unit, pixel_size_m as
        (row, column) in metres, saturation, header.
    notes : tuple of str
        Sentences a user should see: a dataset that was guessed, pixels that
        were never written, series that were left aside.
    """

    data: da.Array
    name: str
    path: Path
    dataset: str | None = None
    is_stack: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.data.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of a frame."""
        return int(self.data.shape[1]), int(self.data.shape[2])

    def frame(self, index: int) -> NDArray[Any]:
        """Read one frame as a (rows, columns) array of its own.

        Raises
        ------
        ReadError
            When there is no such frame, or its bytes are missing.
        """
        if not -len(self) <= index < len(self):
            msg = (
                f"'{self.path.name}' must have the frame asked for; found {len(self)} frames, asked for "
                f"{index}. Count from 0."
            )
            raise ReadError(msg)
        return np.asarray(self.data[index].compute(scheduler="synchronous"))


@dataclass(frozen=True)
class DatasetEntry:
    """One array a file offers: its name, shape and dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def open_images(path: PathLike, *, dataset: str | None = None) -> ImageStack:
    """Open a file of any known format without reading its pixels.

    Parameters
    ----------
    path : path-like
        TIFF (.tif.gz too), NPY, NPZ, FITS, EDF, CBF, SMV, MarCCD, HDF5, NeXus,
        NXcanSAS or CXI.
    dataset : str, optional
        Name of the dataset in an HDF5, NPZ or FITS file. Without it the most
        likely one is taken and `notes` say which.

    Returns
    -------
    ImageStack

    Raises
    ------
    ReadError
        When the file is missing, cut, empty, in colour, not numeric, too large
        for the memory, or needs a library that is not installed.
    """
    path = Path(path)
    source = open_source(path, dataset=dataset)
    return ImageStack(
        data=_lazy(path, source),
        name=image_name(path),
        path=path,
        dataset=source.dataset,
        is_stack=source.is_stack,
        metadata=source.metadata,
        notes=source.notes,
    )


def read_image(path: PathLike, *, dataset: str | None = None, frame: int | None = None) -> NDArray[Any]:
    """Read one image as a (rows, columns) array.

    Parameters
    ----------
    path : path-like
        As for `open_images`.
    dataset : str, optional
        As for `open_images`.
    frame : int, optional
        Frame of a stack, counted from 0. May be left out where there is one.

    Returns
    -------
    ndarray
        (rows, columns) in the file's own dtype, native byte order.

    Raises
    ------
    ReadError
        As for `open_images`, and for a stack of which no frame was chosen.
    """
    stack = open_images(path, dataset=dataset)
    if frame is None and len(stack) > 1:
        msg = (
            f"'{stack.path.name}' must be a single image here; found a stack of {len(stack)} frames "
            f"({describe_shape(stack.data.shape)}). Choose one with frame=0 to {len(stack) - 1}."
        )
        raise ReadError(msg)
    return stack.frame(frame or 0)


def image_name(path: PathLike) -> str:
    """Return what an image is called after its file: the name without folder, .gz and suffix."""
    name = Path(path).name
    return name.removesuffix(".gz").removesuffix(".GZ").rsplit(".", 1)[0] or name


def list_datasets(path: PathLike) -> list[DatasetEntry]:
    """List the numeric arrays of an HDF5 or NPZ file; other formats have none to choose from."""
    path = Path(path)
    with explain_failures(path, "image"):
        kind = detect_kind(path)
    found = {"HDF5": list_hdf5, "NPZ": list_npz}.get(kind, lambda _: {})(path)
    return [DatasetEntry(name, shape, dtype) for name, (shape, dtype) in found.items()]


def find_image_files(patterns: PathLike | Iterable[PathLike]) -> list[Path]:
    """Find image files from names, folders and patterns such as 'run7/*.cbf'.

    Parameters
    ----------
    patterns : path-like or iterable of path-like
        A file is taken as it is; of a folder the files with a known suffix
        are taken (not those in folders below); the rest is a glob pattern,
        in which ** means any folders.

    Returns
    -------
    list of Path
        Each file once, sorted with numbers by value (shot2 before shot10).

    Raises
    ------
    ReadError
        When one of the patterns matches nothing.
    """
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    found = {path for pattern in patterns for path in _match(os.fspath(pattern))}
    return sorted(found, key=_by_number)


def _match(pattern: str) -> list[Path]:
    if not pattern:
        msg = "'' is no file name; it would mean the current folder. Type . for that."
        raise ReadError(msg)
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        matches = [item for item in path.iterdir() if _is_image_name(item.name) and item.is_file()]
        rule = "files with a known image suffix"
    else:
        matches = [Path(item) for item in glob.glob(pattern, recursive=True) if Path(item).is_file()]
        rule = "at least one file"
    if not matches:
        msg = f"'{pattern}' must match {rule}; found none. Check the path and the suffix."
        raise ReadError(msg)
    return matches


def _is_image_name(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(tuple(IMAGE_SUFFIXES))


def _by_number(path: Path) -> tuple[list[tuple[int, str | int]], str]:
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts], str(path)


def _lazy(path: Path, source: Source) -> da.Array:
    frames, rows, columns = source.shape
    stamp = path.stat()
    # The token names the state of the file, so that a rewritten file is a new array.
    name = f"frames-{tokenize(str(path.resolve()), stamp.st_mtime_ns, stamp.st_size, source.dataset)}"
    lazy: da.Array = da.map_blocks(
        _read_block,
        da.arange(frames, chunks=1),
        source.read_frame,
        (rows, columns),
        source.dtype,
        name=name,
        dtype=source.dtype,
        chunks=((1,) * frames, (rows,), (columns,)),
        new_axis=[1, 2],
        meta=np.empty((0, 0, 0), source.dtype),
    )
    return lazy


def _read_block(
    indices: NDArray[np.intp], read_frame: FrameReader, shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    frame = read_frame(int(indices[0]))
    if frame.shape != shape or frame.dtype != dtype:
        msg = (
            f"Frame {int(indices[0])} must be {describe_shape(shape)} {dtype}; found {describe_shape(frame.shape)} "
            f"{frame.dtype}. The file changed since it was opened: open it again."
        )
        raise ReadError(msg)
    return frame[np.newaxis]
