"""The record of origin that travels inside every file this package writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

__all__ = ["dump_provenance", "metadata_of", "parse_provenance", "to_plain"]

#: Key of the record in an ImageDescription tag and in an HDF5 attribute.
RECORD = "napari_bgremove"


def dump_provenance(record: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Write a record as ASCII JSON; NaN and infinities become null, which is all JSON has."""
    return json.dumps({RECORD: to_plain(record)}, allow_nan=False, indent=indent)


def parse_provenance(text: str) -> dict[str, Any] | None:
    """Return the record in a text, or None where the text is not one of ours."""
    if RECORD not in text:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    record = content.get(RECORD) if isinstance(content, dict) else None
    return record if isinstance(record, dict) else None


def metadata_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Pick out of a record what an opened image should know about itself."""
    known = ("kev_per_unit", "unit", "pixel_size_m", "saturation", "field")
    metadata = {key: record[key] for key in known if record.get(key) is not None}
    if "pixel_size_m" in metadata:
        metadata["pixel_size_m"] = tuple(metadata["pixel_size_m"])
    return metadata


def to_plain(value: Any) -> Any:
    """Return a value as JSON has it: no arrays, no tuples, no NaN."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    return value
