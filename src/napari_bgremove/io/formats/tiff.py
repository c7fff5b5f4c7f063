"""TIFF, frame by frame, and never a pixel that the file does not hold.

tifffile fills strips without bytes with zeros, and takes a file whose chain of
pages was cut for a valid shorter one. Both are looked for here first.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
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
from napari_bgremove.io.provenance import metadata_of, parse_provenance

__all__ = ["check_pages_complete", "open_tiff"]

_COLOUR = {2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIELAB"}
_CHANGED = "Copy the file again from its source."

# What tifffile has to say about a damaged file is in our one sentence, or does no
# harm; without a handler Python would print it to the terminal as well.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class _ContiguousFrames:
    """Uncompressed frames one behind the other: read straight from the file."""

    path: Path
    offset: int
    shape: tuple[int, int]
    dtype: str

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, "TIFF"), open(self.path, "rb") as file:
            size = prod(self.shape) * np.dtype(self.dtype).itemsize
            file.seek(self.offset + index * size)
            content = file.read(size)
            if len(content) != size:
                msg = (
                    f"'{self.path.name}' must hold {size} bytes for frame {index}; found {len(content)}. "
                    "The file changed or was cut. " + _CHANGED
                )
                raise ReadError(msg)
            return to_native(np.frombuffer(content, self.dtype).reshape(self.shape))


@dataclass(frozen=True)
class _PageFrames:
    """Compressed or scattered frames, each found again by the offset of its page."""

    path: Path
    offsets: tuple[int, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, "TIFF"), tifffile.TiffFile(self.path, _multifile=False) as file:
            file.filehandle.seek(self.offsets[index])
            page = tifffile.TiffPage(file, index)
            _check_segments(self.path.name, page, file.filehandle.size)
            if page.shape != self.shape or page.dtype != self.dtype:
                msg = (
                    f"'{self.path.name}' must keep one size and type in all frames; frame {index} is "
                    f"{describe_shape(page.shape)} {page.dtype}, the first is {describe_shape(self.shape)} "
                    f"{self.dtype}. " + _CHANGED
                )
                raise ReadError(msg)
            return to_native(page.asarray(maxworkers=1))


def open_tiff(path: Path) -> Source:
    """Describe the first series of a TIFF file."""
    with explain_failures(path, "TIFF"):
        offsets = check_pages_complete(path)
        with tifffile.TiffFile(path, _multifile=False) as file:
            return _describe(path, file, offsets)


def check_pages_complete(path: Path) -> list[int]:
    """Follow the chain of pages; return their offsets or raise ReadError.

    Parameters
    ----------
    path : Path
        TIFF or BigTIFF, either byte order.

    Returns
    -------
    list of int
        Offset of each page's directory.

    Raises
    ------
    ReadError
        Where the chain leads outside the file or back into itself.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        order, big = _read_header(path.name, file)
        count_format, offset_format = (f"{order}Q", f"{order}Q") if big else (f"{order}H", f"{order}I")
        entry = 20 if big else 12
        offset = _unpack_at(path.name, file, 8 if big else 4, offset_format, size)
        offsets: list[int] = []
        seen = set()
        while offset:
            if offset in seen:
                msg = (
                    f"'{path.name}' must list each page once; page {len(offsets)} leads back to an earlier one. "
                    f"{_CHANGED}"
                )
                raise ReadError(msg)
            seen.add(offset)
            offsets.append(offset)
            entries = _unpack_at(path.name, file, offset, count_format, size)
            end = offset + struct.calcsize(count_format) + entries * entry
            offset = _unpack_at(path.name, file, end, offset_format, size)
    if not offsets:
        msg = f"'{path.name}' must hold at least one page; found none. {_CHANGED}"
        raise ReadError(msg)
    return offsets


def _read_header(name: str, file: BinaryIO) -> tuple[str, bool]:
    head = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = int.from_bytes(head[2:4], "little" if order == "<" else "big")
    if order is None or version not in (42, 43):
        msg = f"'{name}' must start like a TIFF file (II or MM, then 42 or 43); found {head!r}. {_CHANGED}"
        raise ReadError(msg)
    return order, version == 43


def _unpack_at(name: str, file: BinaryIO, offset: int, code: str, size: int) -> int:
    width = struct.calcsize(code)
    if offset + width > size:
        msg = f"'{name}' must be complete; a page is announced at byte {offset}, the file ends at {size}. {_CHANGED}"
        raise ReadError(msg)
    file.seek(offset)
    return int(struct.unpack(code, file.read(width))[0])


def _describe(path: Path, file: tifffile.TiffFile, offsets: list[int]) -> Source:
    series = file.series[0]
    page = series.keyframe
    if page.photometric in _COLOUR or page.samplesperpixel > 1:
        kind = _COLOUR.get(page.photometric, "several samples per pixel")
        msg = (
            f"'{path.name}' must hold one value per pixel; found a colour image ({kind}, "
            f"{describe_shape(series.shape)}, "
            f"axes {series.axes}). Save one channel or grey values; a stack of 3 or 4 frames is written with "
            "photometric='minisblack'."
        )
        raise ReadError(msg)
    if series.dtype is None:
        msg = (
            f"'{path.name}' must hold a known number type; found {page.bitspersample} bits per pixel. Save it "
            "as float32."
        )
        raise ReadError(msg)
    shape, is_stack = arrange_frames(path.name, series.shape, axes=series.axes)
    _check_imagej(path.name, file, shape[0])
    dtype = check_dtype(path.name, series.dtype)
    check_declared_size(path.name, shape[1:], dtype, file_bytes=file.filehandle.size)
    _check_segments(path.name, page, file.filehandle.size)
    reader = _choose_reader(path, file, series, shape, offsets)
    notes = _notes(path.name, file, page)
    return Source(shape, dtype, reader, is_stack, metadata=_metadata(page), notes=notes)


def _check_imagej(name: str, file: tifffile.TiffFile, frames: int) -> None:
    # One page can stand for a whole ImageJ stack; of a cut one tifffile gives the first image.
    announced = (file.imagej_metadata or {}).get("images", 1)
    if isinstance(announced, int) and announced > frames:
        msg = f"'{name}' must hold the {announced} images its ImageJ header announces; found {frames}. {_CHANGED}"
        raise ReadError(msg)


def _choose_reader(
    path: Path,
    file: tifffile.TiffFile,
    series: tifffile.TiffPageSeries,
    shape: tuple[int, int, int],
    offsets: list[int],
) -> _ContiguousFrames | _PageFrames | MemoryFrames:
    page = series.keyframe
    if series.dataoffset is not None:
        _check_span(path.name, series.dataoffset, prod(shape) * series.dtype.itemsize, file.filehandle.size)
        stored = series.dtype.newbyteorder(file.byteorder).str
        return _ContiguousFrames(path, series.dataoffset, shape[1:], stored)
    pages = [part for part in series.pages if part is not None]
    if len(pages) != len(series.pages):
        msg = (
            f"'{path.name}' must hold all its pages itself; found {len(offsets)} of the {shape[0]} its header "
            "announces. "
            "Export the series into one file."
        )
        raise ReadError(msg)
    if len(pages) == shape[0] and page.shape == shape[1:]:
        places = tuple(int(part.offset) for part in pages)
        return _PageFrames(path, places, shape[1:], series.dtype)
    check_declared_size(path.name, shape, series.dtype, file_bytes=file.filehandle.size)
    for part in pages:
        _check_segments(path.name, part, file.filehandle.size)
    return MemoryFrames(to_native(series.asarray(maxworkers=1)).reshape(shape))


def _check_segments(name: str, page: tifffile.TiffPage | tifffile.TiffFrame, file_bytes: int) -> None:
    first = page.keyframe if page.keyframe is not None else page
    assert isinstance(first, tifffile.TiffPage)
    expected = prod(first.chunked)
    present = [count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False) if offset and count]
    if len(present) < expected:
        msg = (
            f"'{name}' must hold all strips of page {page.index}; {len(present)} of {expected} have bytes. "
            "Missing ones are not filled with zeros: export the image again."
        )
        raise ReadError(msg)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        _check_span(name, offset, count, file_bytes)
    if first.compression == 1:
        _check_page_bytes(name, page, first)


def _check_page_bytes(name: str, page: tifffile.TiffPage | tifffile.TiffFrame, first: tifffile.TiffPage) -> None:
    bits = first.bitspersample
    expected = first.size * (bits if isinstance(bits, int) else min(bits)) // 8
    found = sum(page.databytecounts)
    if found < expected:
        msg = f"'{name}' must hold {expected} bytes for page {page.index}; its strips list {found}. {_CHANGED}"
        raise ReadError(msg)


def _check_span(name: str, offset: int, count: int, file_bytes: int) -> None:
    if offset + count > file_bytes:
        msg = f"'{name}' must be complete; {offset + count} bytes are expected, {file_bytes} were found. {_CHANGED}"
        raise ReadError(msg)


def _notes(name: str, file: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[str, ...]:
    notes = []
    if len(file.series) > 1:
        notes.append(f"'{name}' holds {len(file.series)} series of different layout; the first was opened.")
    if page.photometric == 0:
        notes.append(
            f"'{name}' declares that low values are bright (MinIsWhite); the stored values are used as they are."
        )
    return tuple(notes)


def _metadata(page: tifffile.TiffPage) -> Mapping[str, Any]:
    # Resolution tags of foreign files are dots per inch of a printer more often
    # than a detector's pixel size, so only our own record is believed.
    provenance = parse_provenance(page.description)
    metadata = metadata_of(provenance) if provenance is not None else {}
    for name in ("Model", "Software", "DateTime"):
        tag = page.tags.get(name)
        if tag is not None and isinstance(tag.value, str | os.PathLike):
            metadata[name.lower()] = str(tag.value).strip()
    return metadata
