"""EDF, CBF, SMV and MarCCD: fabio reads them, and has to agree with our own count of bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.completeness import ExpectedFrame, expect_cbf, expect_edf, expect_smv
from napari_bgremove.io.formats.source import (
    Source,
    arrange_frames,
    check_declared_size,
    check_dtype,
    explain_failures,
    to_native,
)
from napari_bgremove.io.formats.tiff import open_tiff
from napari_bgremove.io.isolated import read_isolated

__all__ = ["open_detector"]


@dataclass(frozen=True)
class _DetectorFrames:
    """Frames that fabio reads and our own reading of the header confirms."""

    path: Path
    kind: str
    expected: tuple[ExpectedFrame, ...]

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, self.kind):
            self.path.stat()  # a file that went away since is said to be missing, not damaged
            frame = read_isolated(self.path, self.kind, index=index)
            expected = self.expected[index]
            self._compare(frame.frames, frame.values, expected)
            return to_native(frame.values.reshape(expected.shape[-2:]))

    def _compare(self, frames: int, values: NDArray[Any], expected: ExpectedFrame) -> None:
        native = expected.dtype.newbyteorder("=")
        agreed = frames == len(self.expected) and values.size == np.prod(expected.shape) and values.dtype == native
        if agreed and expected.plain:
            stored = np.fromfile(self.path, expected.dtype, count=values.size, offset=expected.offset)
            agreed = stored.astype(native, copy=False).tobytes() == values.tobytes()
        if not agreed:
            msg = (
                f"'{self.path.name}' must have one meaning; its header announces {len(self.expected)} frames of "
                f"{describe_shape(expected.shape)} {native}, fabio reads {frames} of {describe_shape(values.shape)} "
                f"{values.dtype} or other values. Copy the file again from its source."
            )
            raise ReadError(msg)


def open_detector(path: Path, kind: str) -> Source:
    """Describe an EDF, CBF, SMV or MarCCD file after counting its bytes."""
    with explain_failures(path, kind):
        expected = _expect(path, kind)
        shape, dtype = expected[0].shape, expected[0].dtype
        if any(frame.shape != shape or frame.dtype != dtype for frame in expected):
            msg = (
                f"'{path.name}' must keep one size and type in all frames; found several. Save them as separate files."
            )
            raise ReadError(msg)
        stack = (len(expected), *shape) if len(expected) > 1 else shape
        frames, is_stack = arrange_frames(path.name, stack)
        if frames[0] != len(expected):
            msg = (
                f"'{path.name}' must hold 2-D frames; found {describe_shape(shape)} in one. Save them as "
                "separate frames."
            )
            raise ReadError(msg)
        native = check_dtype(path.name, dtype)
        check_declared_size(path.name, frames[1:], native, file_bytes=path.stat().st_size)
    reader = _DetectorFrames(path, kind, tuple(expected))
    return Source(frames, native, reader, is_stack, metadata=_metadata(kind, expected[0].header))


def _expect(path: Path, kind: str) -> list[ExpectedFrame]:
    if kind == "EDF":
        return expect_edf(path)
    if kind == "CBF":
        return [expect_cbf(path)]
    if kind == "SMV":
        return [expect_smv(path)]
    # A MarCCD file is a TIFF whose first 4096 bytes also hold a second header.
    source = open_tiff(path)
    return [ExpectedFrame(source.shape[1:], source.dtype, 4096, {}, plain=False)]


def _metadata(kind: str, header: Mapping[str, str]) -> dict[str, Any]:
    read = {"EDF": _edf_metadata, "CBF": _cbf_metadata, "SMV": _smv_metadata}.get(kind)
    metadata = read(header) if read is not None else {}
    return {key: value for key, value in metadata.items() if value is not None} | {"header": dict(header)}


def _edf_metadata(header: Mapping[str, str]) -> dict[str, Any]:
    return {"pixel_size_m": _pair(_number(header.get("psize_2")), _number(header.get("psize_1")))}


def _cbf_metadata(header: Mapping[str, str]) -> dict[str, Any]:
    text = header.get("text", "")
    size = re.search(r"Pixel_size\s+(\S+)\s*m\s*x\s*(\S+)\s*m", text)
    cutoff = re.search(r"Count_cutoff\s+(\S+)", text)
    return {
        # Pilatus writes x first; ours is (row, column).
        "pixel_size_m": _pair(_number(size[2]), _number(size[1])) if size else None,
        "saturation": _number(cutoff[1]) if cutoff else None,
    }


def _smv_metadata(header: Mapping[str, str]) -> dict[str, Any]:
    size = _number(header.get("pixel_size"))  # in mm
    return {
        "pixel_size_m": _pair(size * 1e-3, size * 1e-3) if size is not None else None,
        "saturation": _number(header.get("ccd_image_saturation")),
    }


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else float("nan")
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _pair(row: float | None, column: float | None) -> tuple[float, float] | None:
    return (row, column) if row is not None and column is not None else None
