"""What a model file says of itself, read without torch: all that a window needs before it hands the file on.

The tensors and the self-test are the business of `learning.model_file`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from numpy.typing import NDArray

from napari_bgremove.errors import ModelFileError

__all__ = [
    "KEY",
    "SUBJECTS",
    "check_model_file",
    "damaged",
    "digest_tensors",
    "find_subject",
    "open_model_file",
    "parse_description",
    "parse_header",
    "read_header",
    "text_digest",
]

KEY = "napari_bgremove"
FORMAT = 1
#: What is taken apart by a network of each family.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {"c4_unet": "images", "plain_unet": "images", "spectroscopy_net": "spectra", "prior_guided": "signals"}
)
_LENGTH_BYTES = 8
_MAX_HEADER = 8 * 2**20
_MAX_FILE = 2 * 2**30


def check_model_file(path: Path) -> dict[str, Any]:
    """Return the description of a model file that is as long as its header says.

    Raises
    ------
    ModelFileError
        When it is not readable, cut, of another program, or of a newer version.
    """
    header = read_header(path)
    description = parse_description(path.name, header)
    if not isinstance(description, dict):
        raise damaged(path.name, "its description is not a table")
    end = max((_end_of(path.name, entry) for name, entry in header.items() if name != "__metadata__"), default=0)
    size = path.stat().st_size
    with open_model_file(path) as file:
        expected = _LENGTH_BYTES + _header_length(path.name, file.read(_LENGTH_BYTES)) + end
    if size != expected:
        raise damaged(path.name, f"it must have {expected} bytes; found {size}")
    return description


def read_header(path: Path) -> dict[str, Any]:
    """Read the safetensors header of a file, and nothing behind it."""
    with open_model_file(path) as file:
        start = file.read(_LENGTH_BYTES)
        return parse_header(path.name, start + file.read(_header_length(path.name, start)))


@contextmanager
def open_model_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading that could be a model, or say why not."""
    try:
        size = path.stat().st_size
        if size > _MAX_FILE:
            msg = f"'{path.name}' must be smaller than 2 GiB to be a model of ours; found {size / 2**30:.1f} GiB."
            raise ModelFileError(msg)
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror or error}. Check the path."
        raise ModelFileError(msg) from error


def parse_header(name: str, content: bytes) -> dict[str, Any]:
    """Return the safetensors header that `content` starts with."""
    end = _LENGTH_BYTES + _header_length(name, content)
    if len(content) < end:
        raise damaged(name, f"it ends after {len(content)} bytes, inside its header")
    try:
        header = json.loads(content[_LENGTH_BYTES:end], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise damaged(name, "its header is not readable") from error
    if not isinstance(header, dict):
        raise damaged(name, "its header is not a table")
    return header


def parse_description(name: str, header: Mapping[str, Any]) -> Any:
    """Return the description in a header: JSON whose checksum holds and whose format this version reads."""
    metadata = header.get("__metadata__")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(text, str):
        msg = f"'{name}' is a safetensors file of another program: it has no '{KEY}' description."
        raise ModelFileError(msg)
    digest, _, text = text.partition(" ")
    if digest != text_digest(text):
        raise damaged(name, "the checksum of its description does not match")
    try:
        description = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise damaged(name, "its description is not readable") from error
    if isinstance(description, dict) and description.get("format") != FORMAT:
        msg = (
            f"'{name}' has the model format {str(description.get('format'))[:20]}, this version reads "
            f"{FORMAT}. Update napari-bgremove."
        )
        raise ModelFileError(msg)
    return description


def find_subject(description: Any) -> str | None:
    """Return what the network named in a description takes apart; None for one that is not ours."""
    network = description.get("network") if isinstance(description, dict) else None
    family = network.get("family") if isinstance(network, dict) else None
    return SUBJECTS.get(family) if isinstance(family, str) else None


def digest_tensors(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the checksum of tensors: names, shapes, types and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.shape} torch.{tensor.dtype}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """Return the checksum of a description, which decides how the weights are applied."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def damaged(name: str, reason: str) -> ModelFileError:
    """Return the error for a file that is not what was written."""
    return ModelFileError(f"'{name}' is damaged: {reason}. Take another copy of the file.")


def _header_length(name: str, start: bytes) -> int:
    if len(start) < _LENGTH_BYTES:
        raise damaged(name, f"it ends after {len(start)} bytes")
    (length,) = struct.unpack("<Q", start[:_LENGTH_BYTES])
    if length > _MAX_HEADER:
        msg = f"'{name}' is not a model file: it does not start with a safetensors header."
        raise ModelFileError(msg)
    return int(length)


def _end_of(name: str, entry: Any) -> int:
    """Return where a tensor ends, counted from the end of the header."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(isinstance(n, int) for n in offsets):
        raise damaged(name, "its header does not say where the tensors are")
    return int(offsets[1])


def _refuse_constant(name: str) -> None:
    msg = f"{name} is not a JSON number"
    raise ValueError(msg)
