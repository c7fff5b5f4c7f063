"""What every format reader hands back, and the rules every file has to keep.

One place for the questions a file has to answer before a byte of it is used:
are these real numbers, which axes are rows and columns, and is the declared
size believable. A hostile or damaged header must not reach an allocation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError

__all__ = [
    "FrameReader",
    "MemoryFrames",
    "Source",
    "arrange_frames",
    "check_declared_size",
    "check_dtype",
    "explain_failures",
    "first_line",
    "to_native",
]

#: Reads frame i; has to survive pickling, because dask sends it to workers.
FrameReader = Callable[[int], NDArray[Any]]

# A believable file does not grow more than this when it is unpacked (deflate
# stops at 1032, bitshuffle + LZ4 at 255); small files get a floor instead.
_LARGEST_EXPANSION = 20_000
_ALWAYS_ALLOWED_BYTES = 64 * 2**20
_KINDS = {
    "c": "complex numbers; save the magnitude instead",
    "O": "Python objects; save the numbers as a plain array",
    "V": "records with named fields; save one field as a plain array",
    "S": "text; choose a dataset with numbers",
    "U": "text; choose a dataset with numbers",
    "M": "dates; choose a dataset with numbers",
    "m": "time spans; choose a dataset with numbers",
}


@dataclass(frozen=True)
class Source:
    """Frames of one file, described but not read yet.

    Attributes
    ----------
    shape : tuple of int
        (n, rows, columns).
    dtype : dtype
        Of the frames as they come out, in native byte order.
    read_frame : callable
        Frame number to (rows, columns) array.
    dataset : str or None
        The dataset inside the file, where a file can hold several.
    is_stack : bool
        False where the file holds one 2-D image without a frame axis.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    read_frame: FrameReader
    is_stack: bool
    dataset: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemoryFrames:
    """Frames that are in memory already: formats without random access."""

    frames: NDArray[Any]

    def __call__(self, index: int) -> NDArray[Any]:
        """Return frame `index`."""
        return np.asarray(self.frames[index])


@contextmanager
def explain_failures(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reading library raises into one ReadError.

    Damaged files make these libraries raise more than ten exception types
    (zlib.error, struct.error, KeyError, ZeroDivisionError, MemoryError ...);
    for the caller they all mean the same.
    """
    try:
        yield
    except ReadError:
        raise
    except FileNotFoundError as error:
        msg = f"'{path.name}' must exist; nothing was found at {path}. Check the path."
        raise ReadError(msg) from error
    except PermissionError as error:
        msg = f"'{path.name}' must be readable; permission was refused. Ask for read access to {path}."
        raise ReadError(msg) from error
    except Exception as error:
        msg = (
            f"'{path.name}' must be a complete {kind} file; reading it failed with "
            f"{type(error).__name__}: {first_line(error)}. Copy the file again from its source."
        )
        raise ReadError(msg) from error


def first_line(error: BaseException, *, limit: int = 200) -> str:
    """Return the first line of an exception's text, without a full stop."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[0][:limit].rstrip(" .")


def check_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the native form of a real dtype; raise ReadError for any other."""
    if dtype.kind not in "buif":
        msg = f"'{name}' must hold real numbers; found {dtype}, which are {_KINDS.get(dtype.kind, 'not numbers')}."
        raise ReadError(msg)
    return dtype.newbyteorder("=")


def arrange_frames(name: str, shape: Sequence[int], *, axes: str = "") -> tuple[tuple[int, int, int], bool]:
    """Read a declared shape as (frames, rows, columns).

    Parameters
    ----------
    name : str
        Subject of the error message.
    shape : sequence of int
        The shape the file declares, leading axes first.
    axes : str
        One letter per axis where the file names them; 'S' is a colour sample.

    Returns
    -------
    tuple of int, bool
        (n, rows, columns), and whether the file has a frame axis.

    Raises
    ------
    ReadError
        For no or one axis, an empty array, colour images, and leading axes
        that cannot be put in one order without guessing.
    """
    shape = tuple(int(n) for n in shape)
    found = describe_shape(shape) + (f", axes {axes}" if axes else "")
    if len(shape) < 2:
        msg = f"'{name}' must be an image (rows x columns); found {len(shape)} axes ({found}). Choose a 2-D dataset."
        raise ReadError(msg)
    if min(shape) < 1:
        msg = f"'{name}' must contain pixels; found an empty array ({found}). Check how it was saved."
        raise ReadError(msg)
    if "S" in axes or (len(shape) > 2 and shape[-1] in (3, 4) and not axes):
        msg = (
            f"'{name}' must hold one value per pixel; found a colour image ({found}). Save one channel or grey values."
        )
        raise ReadError(msg)
    if sum(n > 1 for n in shape[:-2]) > 1:
        msg = (
            f"'{name}' must be an image or a stack of images; found {len(shape)} axes ({found}), whose leading axes "
            "have no single order. Save it as frames x rows x columns."
        )
        raise ReadError(msg)
    return (prod(shape[:-2]), shape[-2], shape[-1]), len(shape) > 2


def check_declared_size(name: str, shape: Sequence[int], dtype: np.dtype[Any], *, file_bytes: int) -> None:
    """Refuse a declared array that cannot be real or would not fit, before it is allocated."""
    declared = prod(int(n) for n in shape) * dtype.itemsize
    memory_limit = _memory_bytes() // 2
    if declared <= min(_ALWAYS_ALLOWED_BYTES, memory_limit):
        return
    limit = min(memory_limit, max(_ALWAYS_ALLOWED_BYTES, file_bytes * _LARGEST_EXPANSION))
    if declared > limit:
        msg = (
            f"'{name}' must declare an array that fits in {limit / 2**30:.3g} GiB; found {describe_shape(shape)} "
            f"{dtype} = {declared / 2**30:.3g} GiB in a file of {file_bytes / 2**20:.3g} MiB. "
            "Check the header, or use a machine with more memory."
        )
        raise ReadError(msg)


def to_native(array: NDArray[Any]) -> NDArray[Any]:
    """Return a C-contiguous copy or view in native byte order."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _memory_bytes() -> int:
    if sys.platform == "win32":
        return _windows_memory_bytes()
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _windows_memory_bytes() -> int:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (field_name, ctypes.c_ulonglong)
            for field_name in ("total", "free", "page_total", "page_free", "virtual_total", "virtual_free", "extended")
        ]

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total)
