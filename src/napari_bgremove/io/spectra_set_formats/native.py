"""Sets of spectra as this package writes them: one NPZ file, no pickles, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove.errors import ReadError
from napari_bgremove.io.provenance import dump_provenance, parse_provenance
from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["is_native", "read_native", "write_native"]

_FORMAT = "spectra set 1"
_ARRAYS = ("axis", "spectra", "targets", "locations", "shots")


def is_native(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Tell whether arrays of a file carry the record of a set of spectra."""
    record = _parse(arrays)
    return record is not None and record.get("format") == _FORMAT


def write_native(path: Path, spectra_set: SpectraSet) -> Path:
    """Write a set; lazy spectra are computed."""
    composition = spectra_set.composition
    record = {
        "format": _FORMAT,
        "blocks": [[block.name, block.start, block.stop] for block in spectra_set.blocks],
        "axis_unit": spectra_set.axis_unit,
        "value_unit": spectra_set.value_unit,
        "composition": composition and [composition.targets, composition.names, composition.unit],
        "provenance": spectra_set.provenance,
    }
    arrays: dict[str, Any] = {name: np.asarray(getattr(spectra_set, name)) for name in _ARRAYS}
    if composition is not None:
        arrays["composition"] = composition.values
    arrays["record"] = np.frombuffer(dump_provenance(record).encode(), np.uint8)
    return atomic_write(path, lambda file: np.savez(file, **arrays))


def read_native(path: Path, arrays: Mapping[str, NDArray[Any]]) -> SpectraSet:
    """Read what `write_native` wrote."""
    record = _parse(arrays) or {}
    try:
        tables = record["composition"]
        return SpectraSet(
            **{name: arrays[name] for name in _ARRAYS},
            blocks=tuple(Block(str(name), int(start), int(stop)) for name, start, stop in record["blocks"]),
            axis_unit=str(record["axis_unit"]),
            value_unit=str(record["value_unit"]),
            composition=tables and Composition(tuple(tables[0]), tuple(tables[1]), arrays["composition"], tables[2]),
            provenance=dict(record["provenance"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        msg = f"'{path.name}' must hold a whole set of spectra; found it altered ({error}). Copy the file again."
        raise ReadError(msg) from error


def _parse(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any] | None:
    text = arrays.get("record")
    if text is None or text.dtype != np.uint8:
        return None
    try:
        return parse_provenance(text.tobytes().decode())
    except UnicodeDecodeError:
        return None
