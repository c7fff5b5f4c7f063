"""Spectra and maps of spectra in HDF5, NeXus and netCDF-4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.hdf5 import list_hdf5, open_hdf5
from napari_bgremove.io.formats.source import check_declared_size, explain_failures
from napari_bgremove.io.spectrum_formats.map_axes import AxisChoice, find_map_axis
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.io.spectrum_formats.spectrum import Spectrum, check_axis

__all__ = ["read_maps"]


def read_maps(path: Path, *, dataset: str | None = None, axis: AxisChoice = None) -> list[Spectrum]:
    """Read the intensities of one dataset, with the energies moved to the last dimension."""
    with explain_failures(path, "HDF5"):
        name, values, notes = _read_intensity(path, dataset)
        with h5py.File(path, "r", locking="best-effort") as file:
            found = find_map_axis(f"{path.name}: {name}", file[name], values.shape, axis)
            metadata = {"dataset": name, **_read_note(file[name])}
        check_axis(f"{path.name}: {found.name}", found.values, places=[f"sample {i}" for i in range(len(found.values))])
    return [
        Spectrum(
            axis=found.values,
            intensity=np.ascontiguousarray(np.moveaxis(values, found.dimension, -1), float),
            label=path.stem,
            axis_name=found.name,
            axis_unit=found.unit,
            intensity_name=name.rsplit("/", 1)[-1],
            metadata=metadata,
            notes=(*notes, *found.notes),
        )
    ]


def _read_intensity(path: Path, dataset: str | None) -> tuple[str, NDArray[Any], tuple[str, ...]]:
    """Return name, values and notes: arrays by the reader of images, a single spectrum by itself."""
    shapes = {name: shape for name, (shape, _) in list_hdf5(path).items()}
    wanted = None if dataset is None else f"/{dataset.lstrip('/')}"
    flat = wanted in shapes and len(shapes[wanted]) == 1
    if flat or (wanted is None and shapes and all(len(shape) == 1 for shape in shapes.values())):
        name = wanted or _choose_flat(path.name, shapes)
        with h5py.File(path, "r", locking="best-effort") as file:
            return name, np.asarray(file[name]), ()
    source = open_hdf5(path, dataset=dataset)
    check_declared_size(path.name, source.shape, source.dtype, file_bytes=path.stat().st_size)
    frames = np.stack([source.read_frame(i) for i in range(source.shape[0])])
    return str(source.dataset), frames if source.is_stack else frames[0], source.notes


def _choose_flat(name: str, shapes: dict[str, tuple[int, ...]]) -> str:
    """Return the one dataset that is not called an axis, where all datasets have one dimension."""
    others = [entry for entry in shapes if not name_axis(entry.rsplit("/", 1)[-1].replace("_", " "))[0]]
    if len(others) != 1:
        found = ", ".join(f"{entry} ({describe_shape(shape)})" for entry, shape in list(shapes.items())[:8])
        msg = f"'{name}' must hold one dataset with intensities; found {found}. Name it as the dataset."
        raise ReadError(msg)
    return others[0]


def _read_note(dataset: h5py.Dataset) -> dict[str, str]:
    """Igor Pro keeps what the beamline wrote down in a note on the wave."""
    note = dataset.attrs.get("IGORWaveNote", "")
    text = note.decode(errors="replace") if isinstance(note, bytes) else str(note)
    return {"comment": text} if text else {}
