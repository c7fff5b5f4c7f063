"""Count the bytes of EDF, CBF and SMV files before fabio sees them.

fabio fills what a cut EDF file lacks with zeros, and reads some damaged CBF
headers for ever. So the headers are read here a second time, by a few lines
that only know how many bytes there have to be; fabio then has to agree.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove.errors import ReadError

__all__ = ["ExpectedFrame", "count_byte_offset_values", "expect_cbf", "expect_edf", "expect_smv"]

_AGAIN = "Copy the file again from its source."
_LARGEST_HEADER = 2**20
_CBF_START = b"\x0c\x1a\x04\xd5"
_CBF_BOUNDARY = b"--CIF-BINARY-FORMAT-SECTION--"
_EDF_TYPES = {
    "signedbyte": "i1", "signed8": "i1", "unsignedbyte": "u1", "unsigned8": "u1",
    "signedshort": "i2", "signed16": "i2", "unsignedshort": "u2", "unsigned16": "u2", "unsignedshortinteger": "u2",
    "signedinteger": "i4", "signed32": "i4", "signedlong": "i4",
    "unsignedinteger": "u4", "unsigned32": "u4", "unsignedlong": "u4",
    "signed64": "i8", "unsigned64": "u8",
    "floatvalue": "f4", "float": "f4", "floatieee32": "f4", "float32": "f4",
    "double": "f8", "doublevalue": "f8", "floatieee64": "f8", "doubleieee64": "f8",
}  # fmt: skip
_CBF_TYPES = {
    "signed 8-bit integer": "i1", "unsigned 8-bit integer": "u1",
    "signed 16-bit integer": "i2", "unsigned 16-bit integer": "u2",
    "signed 32-bit integer": "i4", "unsigned 32-bit integer": "u4",
}  # fmt: skip
_SMV_TYPES = {
    "unsigned_short": "u2", "unsigned short int": "u2", "signed_short": "i2", "short int": "i2",
    "long_int": "i4", "long int": "i4", "unsigned_long": "u4", "float": "f4",
}  # fmt: skip


@dataclass(frozen=True)
class ExpectedFrame:
    """What a header announces: where the values are, how many, of which type."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    header: Mapping[str, str]
    #: True where the values stand in the file as they are, one behind the other.
    plain: bool = True


def expect_edf(path: Path) -> list[ExpectedFrame]:
    """Walk through all frames of an EDF file; raise ReadError unless all bytes are there."""
    size = path.stat().st_size
    frames: list[ExpectedFrame] = []
    with open(path, "rb") as file:
        position = 0
        while position < size:
            file.seek(position)
            head = file.read(_LARGEST_HEADER)
            if not head.strip(b"\x00\r\n\t "):
                break  # padding behind the last frame
            header, start = _edf_header(path.name, head, position)
            frame, block = _edf_frame(path.name, header, start)
            _check_bytes(path.name, f"frame {len(frames)}", start + block, size)
            if frame is not None:
                frames.append(frame)
            position = start + block
    if not frames:
        msg = f"'{path.name}' must hold an EDF image; found no frame. {_AGAIN}"
        raise ReadError(msg)
    return frames


def _edf_header(name: str, head: bytes, position: int) -> tuple[dict[str, str], int]:
    opened = head.find(b"{")
    closed = re.search(rb"\}[ \t]*\r?\n", head)
    if opened < 0 or closed is None or head[:opened].strip():
        msg = f"'{name}' must be complete; the EDF header at byte {position} has no beginning or no end. {_AGAIN}"
        raise ReadError(msg)
    text = head[opened + 1 : closed.start()].decode("latin-1")
    return _fields(text), position + closed.end()


def _edf_frame(name: str, header: dict[str, str], start: int) -> tuple[ExpectedFrame | None, int]:
    if "dim_1" not in header and header.get("edf_binarysize", "").strip() == "0":
        return None, 0  # a block that only carries common header values
    if header.get("compression", "none").lower() not in ("none", ""):
        msg = f"'{name}' must be an uncompressed EDF file; found compression {header['compression']}. Unpack it first."
        raise ReadError(msg)
    dims = [_whole(name, header, f"dim_{axis}") for axis in (3, 2, 1) if f"dim_{axis}" in header]
    kind = _choice(name, header, "datatype", _EDF_TYPES)
    order = ">" if header.get("byteorder", "").lower() == "highbytefirst" else "<"
    dtype = np.dtype(order + kind)
    bytes_needed = prod(dims) * dtype.itemsize
    block = next((_whole(name, header, key) for key in ("edf_binarysize", "size") if key in header), bytes_needed)
    if block < bytes_needed:
        msg = f"'{name}' must announce {bytes_needed} bytes for its {dims} values; found {block}. {_AGAIN}"
        raise ReadError(msg)
    return ExpectedFrame(tuple(dims), dtype, start, header), block


def expect_cbf(path: Path) -> ExpectedFrame:
    """Check the binary section of a CBF file: size, end, number of values and MD5."""
    content = path.read_bytes()
    start = content.find(_CBF_START)
    section = content.find(_CBF_BOUNDARY)
    if section < 0 or start < section:
        msg = f"'{path.name}' must hold a binary section; found none in {len(content)} bytes. {_AGAIN}"
        raise ReadError(msg)
    header = _mime_fields(content[section + len(_CBF_BOUNDARY) : start].decode("latin-1"))
    header["text"] = content[:section].decode("latin-1")
    size = _whole(path.name, header, "x-binary-size")
    begin = start + len(_CBF_START)
    _check_bytes(path.name, "the binary section", begin + size, len(content))
    if content.find(_CBF_BOUNDARY + b"--", begin + size) < 0:
        msg = f"'{path.name}' must end its binary section with a marker; found none after byte {begin + size}. {_AGAIN}"
        raise ReadError(msg)
    shape = tuple(_whole(path.name, header, f"x-binary-size-{axis}-dimension") for axis in ("second", "fastest"))
    dtype = np.dtype("<" + _choice(path.name, header, "x-binary-element-type", _CBF_TYPES))
    data = content[begin : begin + size]
    _check_cbf_data(path.name, header, data, prod(shape))
    return ExpectedFrame(shape, dtype, begin, header, plain=False)


def _check_cbf_data(name: str, header: Mapping[str, str], data: bytes, values: int) -> None:
    packing = header.get("conversions", "").lower()
    if packing != "x-cbf_byte_offset":
        msg = (
            f"'{name}' must be packed by byte offsets (x-CBF_BYTE_OFFSET); found {packing[:40]!r}. Convert it to TIFF."
        )
        raise ReadError(msg)
    if not _md5_agrees(header.get("content-md5", ""), data):
        msg = f"'{name}' must agree with the MD5 checksum in its header; its bytes do not. {_AGAIN}"
        raise ReadError(msg)
    declared = _whole(name, header, "x-binary-number-of-elements")
    found = count_byte_offset_values(data)
    if not declared == values == found:
        msg = f"'{name}' must hold {values} pixel values; its header says {declared}, its bytes give {found}. {_AGAIN}"
        raise ReadError(msg)


def _md5_agrees(stated: str, data: bytes) -> bool:
    try:
        digest = base64.b64decode(stated, validate=True)
    except (binascii.Error, ValueError):
        return True  # some writers leave a placeholder
    return len(digest) != 16 or digest == hashlib.md5(data, usedforsecurity=False).digest()


def count_byte_offset_values(data: bytes) -> int:
    """Count the values in a byte-offset stream; -1 where it stops inside one.

    A value is one byte; 0x80 announces two more, 0x8000 in these four more,
    0x80000000 in these eight more (CBFlib, "byte offset compression").
    """
    codes = np.frombuffer(data, np.uint8)
    position = extra = 0
    for escape in np.flatnonzero(codes == 0x80).tolist():
        if escape < position:
            continue  # part of a longer value already counted
        length = 3
        if data[escape + 1 : escape + 3] == b"\x00\x80":
            length = 15 if data[escape + 3 : escape + 7] == b"\x00\x00\x00\x80" else 7
        position = escape + length
        extra += length - 1
    return -1 if position > len(data) else len(data) - extra


def expect_smv(path: Path) -> ExpectedFrame:
    """Check that an SMV file (ADSC .img) holds the bytes its header announces."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(_LARGEST_HEADER)
    stated = re.match(rb"\{\s*HEADER_BYTES\s*=\s*(\d{1,7})\s*;", head)
    if stated is None:
        msg = f"'{path.name}' must be an SMV image, starting with HEADER_BYTES; found {head[:16]!r}. Save it as TIFF."
        raise ReadError(msg)
    start = int(stated[1])
    header = _fields(head[1:start].split(b"}")[0].decode("latin-1"))
    shape = (_whole(path.name, header, "size2"), _whole(path.name, header, "size1"))
    order = ">" if header.get("byte_order", "").lower() == "big_endian" else "<"
    dtype = np.dtype(order + _choice(path.name, header, "type", _SMV_TYPES))
    _check_bytes(path.name, "the image", start + prod(shape) * dtype.itemsize, size)
    return ExpectedFrame(shape, dtype, start, header)


def _check_bytes(name: str, what: str, expected: int, found: int) -> None:
    if found < expected:
        msg = f"'{name}' must be complete; {what} needs {expected} bytes, the file has {found}. {_AGAIN}"
        raise ReadError(msg)


def _fields(text: str) -> dict[str, str]:
    """Read 'key = value ;' pairs; keys in lower case."""
    pairs = (part.split("=", 1) for part in text.split(";") if "=" in part)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _mime_fields(text: str) -> dict[str, str]:
    """Read 'Key: value' lines, and the one 'conversions="..."' continuation."""
    pairs = re.findall(r"^\s*([\w-]+)\s*[:=]\s*(.*?)\s*;?\s*$", text, flags=re.MULTILINE)
    fields = {key.lower(): value.strip('"') for key, value in pairs}
    inline = re.search(r"conversions\s*=\s*\"?([\w-]+)", text, flags=re.IGNORECASE)
    if inline is not None:
        fields["conversions"] = inline[1]
    return fields


def _whole(name: str, header: Mapping[str, str], key: str) -> int:
    value = header.get(key, "")
    if not re.fullmatch(r"\s*\d{1,15}\s*", value):
        msg = f"'{name}' must state '{key}' as a whole number in its header; found {value[:40]!r}. {_AGAIN}"
        raise ReadError(msg)
    return int(value)


def _choice(name: str, header: Mapping[str, str], key: str, table: Mapping[str, str]) -> str:
    value = header.get(key, "").strip().lower()
    if value not in table:
        msg = f"'{name}' must state a known '{key}' in its header; found {value[:40]!r}. Convert the file to TIFF."
        raise ReadError(msg)
    return table[value]
