"""The records of a cleaning that was made block by block: put together, and said to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_bgremove.spectra.chemcam_header import describe_stated
from napari_bgremove.spectra.cleaning_remarks import describe_remarks, merge_remarks

__all__ = ["describe_record", "merge_records"]


def merge_records(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Put the provenance of two blocks of one cleaning together: times and counts are added up."""
    remarks = merge_remarks(first.get("remarks", {}), second.get("remarks", {}))
    return {
        **first,
        **second,
        **({"remarks": remarks} if remarks else {}),
        "notes": list(dict.fromkeys([*first.get("notes", ()), *second.get("notes", ())])),
        "seconds": round(first.get("seconds", 0.0) + second.get("seconds", 0.0), 4),
    }


def describe_record(record: Mapping[str, Any]) -> str:
    """Say what a person should know of a cleaning: what its headers stated, what went not quite well; or nothing."""
    said = (describe_stated(record), describe_remarks(record.get("remarks", {})), *record.get("notes", ()))
    return " ".join(text for text in said if text)
