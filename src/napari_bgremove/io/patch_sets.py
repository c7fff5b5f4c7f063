"""Patch sets on disk: one NPZ file, no pickles, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.images.patch_set import ROLES, PatchSet
from napari_bgremove.io.formats.arrays import list_npz
from napari_bgremove.io.formats.source import check_declared_size, explain_failures
from napari_bgremove.io.provenance import dump_provenance, parse_provenance

__all__ = ["read_patch_set", "write_patch_set"]

PathLike = str | os.PathLike[str]
_FORMAT = 1
#: Kinds of numbers each array may hold, and its shape behind the first axis.
_ARRAYS: Mapping[str, tuple[str, int]] = {
    "patches": ("f", 3),
    "positions": ("iuf", 2),
    "angles": ("f", 1),
    "shots": ("iu", 1),
}


def write_patch_set(path: PathLike, patch_set: PatchSet) -> Path:
    """Write a patch set as one .npz file.

    Parameters
    ----------
    path : path-like
        Target; the suffix is kept as given.
    patch_set : PatchSet
        Patches with their origin.

    Raises
    ------
    OSError
        When it cannot be written; an old file is then still in place.
    """
    record = {
        "format": _FORMAT,
        "role": patch_set.role,
        "shot_names": list(patch_set.shot_names),
        "metadata": patch_set.metadata,
    }
    arrays: dict[str, Any] = {name: np.asarray(getattr(patch_set, name)) for name in _ARRAYS}
    arrays["record"] = np.frombuffer(dump_provenance(record).encode(), np.uint8)
    return atomic_write(path, lambda file: np.savez(file, **arrays))


def read_patch_set(path: PathLike) -> PatchSet:
    """Read what `write_patch_set` wrote.

    Raises
    ------
    ReadError
        When the file is cut, altered, or not a patch set.
    """
    path = Path(path)
    with explain_failures(path, "patch set"):
        _check_entries(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
            record = _parse_record(path.name, archive["record"])
        _check_counts(path.name, arrays, record)
        return PatchSet(
            patches=np.ascontiguousarray(arrays["patches"], np.float32),
            role=record["role"],
            positions=arrays["positions"].astype(np.float64),
            angles=arrays["angles"].astype(np.float64),
            shots=arrays["shots"].astype(np.int64),
            shot_names=tuple(record["shot_names"]),
            metadata=record["metadata"],
        )


def _check_entries(path: Path) -> None:
    entries = list_npz(path)
    for name, (kinds, axes) in {**_ARRAYS, "record": ("u", 1)}.items():
        shape, dtype = entries.get(name, ((), np.dtype("V1")))
        if len(shape) != axes or dtype.kind not in kinds:
            found = f"{describe_shape(shape)} {dtype}" if name in entries else "nothing"
            msg = (
                f"'{path.name}' must be a patch set with the array '{name}' of {axes} axes; found {found}. "
                "Extract again."
            )
            raise ReadError(msg)
        check_declared_size(f"{path.name}: {name}", shape, dtype, file_bytes=path.stat().st_size)


def _parse_record(name: str, text: NDArray[np.uint8]) -> dict[str, Any]:
    record = parse_provenance(text.tobytes().decode())
    kinds = {"role": str, "shot_names": list, "metadata": dict}
    fits = record is not None and all(type(record.get(key)) is kind for key, kind in kinds.items())
    if record is None or not fits or record.get("format") != _FORMAT:
        found = "none" if record is None else json.dumps(record)[:80]
        msg = (
            f"'{name}' must carry the record of a patch set, format {_FORMAT}; found {found}. Extract the "
            "patches again."
        )
        raise ReadError(msg)
    if record["role"] not in ROLES:
        msg = f"'{name}' must hold patches of the role {' or '.join(ROLES)}; found '{record['role']}'. Extract again."
        raise ReadError(msg)
    return record


def _check_counts(name: str, arrays: Mapping[str, NDArray[Any]], record: Mapping[str, Any]) -> None:
    patches, shots = len(arrays["patches"]), arrays["shots"]
    counts = {key: len(array) for key, array in arrays.items()}
    if set(counts.values()) != {patches} or arrays["positions"].shape[1] != 2:
        msg = f"'{name}' must describe each of its {patches} patches once; found {counts}. Extract the patches again."
        raise ReadError(msg)
    if shots.size and (shots.min() < 0 or shots.max() >= len(record["shot_names"])):
        msg = (
            f"'{name}' must name the shot of each patch; found shot {shots.max()} of "
            f"{len(record['shot_names'])}. Extract again."
        )
        raise ReadError(msg)
