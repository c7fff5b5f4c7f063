"""Write a stack of images frame by frame, whole or not at all.

Ten thousand separated shots never fit into the memory; here one frame does,
and a run that is killed in the middle leaves no half file behind.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
import tifffile
from numpy.typing import ArrayLike, DTypeLike, NDArray

from napari_bgremove._files import atomic_path
from napari_bgremove._validation import describe_shape
from napari_bgremove.io.provenance import RECORD, dump_provenance

if TYPE_CHECKING:
    from typing_extensions import Buffer  # in collections.abc from Python 3.12 on

__all__ = ["HDF5_DATASET", "PixelScale", "StackWriter"]

PathLike = str | os.PathLike[str]
PixelScale = float | Sequence[float] | None
HDF5_DATASET = "entry/data/data"
# TIFF counts its bytes in 32 bits; beyond this, and whenever the end is unknown, BigTIFF.
_CLASSIC_TIFF_BYTES = 2**31


class StackWriter:
    """Write a stack frame by frame; the file appears at the end, complete.

    A context manager: frames go to a temporary sibling file that takes the
    target's place when the block ends well, and vanishes when it does not.
    Only one frame is in memory.

    Parameters
    ----------
    path : path-like
        Target; .h5 and .hdf5 give HDF5, everything else TIFF.
    provenance : mapping
        Method, parameters, versions.
    pixel_scale : float or (row, column), optional
        Pixel size in metres.
    is_stack : bool
        False writes a single image without a frame axis.
    expected_bytes : int, optional
        Size of all frames where it is known; decides on BigTIFF.
    dtype : dtype
        Of the pixels in the file. Results are float32; raw data keep their own.

    Examples
    --------
    >>> with StackWriter("run7-signal.tif", provenance={"method": "mine"}) as writer:  # doctest: +SKIP
    ...     for i in range(len(stack)):
    ...         writer.append(stack.frame(i))
    """

    def __init__(
        self,
        path: PathLike,
        *,
        provenance: Mapping[str, Any],
        pixel_scale: PixelScale = None,
        is_stack: bool = True,
        expected_bytes: int | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.path = Path(path)
        self._scale = _check_scale(pixel_scale)
        record = dict(provenance)
        if self._scale is not None:
            record["pixel_size_m"] = self._scale
        self._description = dump_provenance(record)
        self._is_stack = is_stack
        self._dtype = np.dtype(dtype).newbyteorder("=")
        self._big = expected_bytes is None or expected_bytes > _CLASSIC_TIFF_BYTES
        self._stack = contextlib.ExitStack()
        self._sink: _TiffSink | _Hdf5Sink | None = None
        self._shape: tuple[int, ...] | None = None
        self._frames = 0

    def __enter__(self) -> Self:
        """Open the temporary file."""
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._sink = self._open_sink(temporary)
            stack.callback(self._sink.close)
            self._stack = stack.pop_all()
        return self

    def _open_sink(self, temporary: Path) -> _TiffSink | _Hdf5Sink:
        if self.path.suffix.lower() in (".h5", ".hdf5"):
            return _Hdf5Sink(temporary, self._description)
        return _TiffSink(temporary, self._description, self._scale, big=self._big)

    def append(self, frame: ArrayLike) -> None:
        """Write the next frame.

        Raises
        ------
        ValueError
            When it is not a real 2-D image of the size of the first.
        """
        if self._sink is None:
            msg = "'StackWriter' must be entered before a frame is appended; use it in a with statement."
            raise ValueError(msg)
        values = _check_frame(np.asarray(frame), self._shape)
        if self._frames and not self._is_stack:
            msg = "'StackWriter' must hold one image when is_stack is False; found a second frame."
            raise ValueError(msg)
        self._sink.append(np.ascontiguousarray(values, dtype=self._dtype), is_stack=self._is_stack)
        self._shape = values.shape
        self._frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in place, or remove what was written."""
        self._sink = None
        if error is None and self._frames == 0:
            error = ValueError(f"'{self.path.name}' must contain at least one frame; none was appended.")
            # Inside the stack, so that the temporary file goes.
            self._stack.__exit__(ValueError, error, None)
            raise error
        self._stack.__exit__(kind, error, trace)


class _TiffSink:
    """Appends pages to one TIFF file."""

    def __init__(self, path: Path, description: str, scale: tuple[float, float] | None, *, big: bool) -> None:
        self._writer = tifffile.TiffWriter(path, bigtiff=big)
        self._description: str | None = description
        self._resolution = None if scale is None else (0.01 / scale[1], 0.01 / scale[0])

    def append(self, frame: NDArray[Any], *, is_stack: bool) -> None:
        self._writer.write(
            frame,
            photometric="minisblack",
            description=self._description,
            metadata=None,
            contiguous=is_stack,
            software=False,
            resolution=self._resolution,
            resolutionunit=None if self._resolution is None else "CENTIMETER",
        )
        self._description = None  # the first page speaks for all

    def close(self) -> None:
        self._writer.close()


class _Hdf5Sink:
    """Appends frames to one NeXus dataset."""

    def __init__(self, path: Path, description: str) -> None:
        self._storage = _Storage(path)
        self._file = h5py.File(self._storage, "w")
        self._file.attrs["default"] = "entry"
        entry = self._file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "data"})
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "data"})
        self._description = description

    def append(self, frame: NDArray[Any], *, is_stack: bool) -> None:
        if not is_stack:
            dataset = self._file.create_dataset(HDF5_DATASET, data=frame)
        elif HDF5_DATASET in self._file:
            dataset = self._file[HDF5_DATASET]
            dataset.resize(dataset.shape[0] + 1, axis=0)
            dataset[-1] = frame
            self._storage.check()
            return
        else:
            dataset = self._file.create_dataset(
                HDF5_DATASET, data=frame[np.newaxis], maxshape=(None, *frame.shape), chunks=(1, *frame.shape)
            )
        dataset.attrs[RECORD] = self._description
        self._storage.check()

    def close(self) -> None:
        self._file.close()
        self._storage.close()
        self._storage.check()


class _Storage(io.FileIO):
    """The bytes below an HDF5 file; remembers the first failed write instead of raising it.

    HDF5 cannot close a file whose writes fail: it prints an error for each open
    object and crashes Python at its exit (seen with h5py 3.16 on a full disk).
    So a failure is kept for `check`, and HDF5 goes on as if into the void.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+b")
        self._error: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        """Write all of `data`, or remember why not."""
        content = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(content) and self._error is None:
                done += super().write(content[done:]) or 0
        except OSError as error:
            self._error = error
        return len(content)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length of the file, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def check(self) -> None:
        """Raise the first error there was."""
        if self._error is not None:
            raise self._error


def _check_scale(scale: PixelScale) -> tuple[float, float] | None:
    if scale is None:
        return None
    pair = (float(scale), float(scale)) if isinstance(scale, int | float) else tuple(float(n) for n in scale)
    if len(pair) != 2 or not all(np.isfinite(n) and n > 0 for n in pair):
        msg = f"'pixel_scale' must be one or two lengths above zero in metres; found {scale!r}."
        raise ValueError(msg)
    return pair[0], pair[1]


def _check_frame(values: NDArray[Any], shape: tuple[int, ...] | None) -> NDArray[Any]:
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
        msg = f"'frame' must be a real image with pixels; found {describe_shape(values.shape)} {values.dtype}."
        raise ValueError(msg)
    if shape is not None and values.shape != shape:
        msg = (
            f"'frame' must have the size of the first ({describe_shape(shape)}); found {describe_shape(values.shape)}."
        )
        raise ValueError(msg)
    return values
