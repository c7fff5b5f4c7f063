"""Spectra and maps of spectra in HDF5, NeXus and netCDF-4."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.hdf5 import list_hdf5, open_hdf5
from napari_bgremove.io.formats.source import FrameReader, Source, check_declared_size, explain_failures
from napari_bgremove.io.spectrum_formats.map_axes import AxisChoice, find_map_axis
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.io.spectrum_formats.spectrum import Spectrum, check_axis

__all__ = ["read_maps"]

# Of a map that is read when it is asked for, as many spectra at once as fill this.
_BLOCK_BYTES = 16 * 2**20


def read_maps(path: Path, *, dataset: str | None = None, axis: AxisChoice = None, lazy: bool = False) -> list[Spectrum]:
    """Read the intensities of one dataset, with the energies moved to the last dimension.

    With `lazy`, those of a dataset of three dimensions are a dask array, in
    blocks of whole spectra along the first dimension that is no energy.
    """
    with explain_failures(path, "HDF5"):
        name, values, notes = _read_intensity(path, dataset, lazy=lazy)
        with h5py.File(path, "r", locking="best-effort") as file:
            found = find_map_axis(f"{path.name}: {name}", file[name], values.shape, axis)
            metadata = {"dataset": name, **_read_note(file[name])}
        check_axis(f"{path.name}: {found.name}", found.values, places=[f"sample {i}" for i in range(len(found.values))])
    return [
        Spectrum(
            axis=found.values,
            intensity=_arrange(values, found.dimension),
            label=path.stem,
            axis_name=found.name,
            axis_unit=found.unit,
            intensity_name=name.rsplit("/", 1)[-1],
            metadata=metadata,
            notes=(*notes, *found.notes),
        )
    ]


def _arrange(values: NDArray[Any] | Source, dimension: int) -> Any:
    """Move the energies to the end, in float64; of frames that are not read yet as a dask array."""
    if not isinstance(values, Source):
        return np.ascontiguousarray(np.moveaxis(values, dimension, -1), float)
    length, others = values.shape[_leading(dimension)], [n for i, n in enumerate(values.shape) if i != dimension][1:]
    shape = (*others, values.shape[dimension])
    each = max(1, _BLOCK_BYTES // (prod(shape) * np.dtype(float).itemsize))
    rows = da.arange(length, chunks=each)
    return da.map_blocks(
        _read_block, rows, values.read_frame, dimension,
        dtype=float, chunks=(rows.chunks[0], *((n,) for n in shape)), new_axis=[1, 2], meta=np.empty((0, 0, 0)),
    )  # fmt: skip


def _leading(dimension: int) -> int:
    """First dimension that is not the one of the energies."""
    return 1 if dimension == 0 else 0


def _read_block(rows: NDArray[np.intp], read_frame: FrameReader, dimension: int) -> NDArray[np.float64]:
    if dimension == 0:  # every frame is a picture at one energy
        values = read_frame.read_rows(int(rows[0]), int(rows[-1]) + 1)  # type: ignore[attr-defined]
    else:
        values = np.stack([read_frame(int(row)) for row in rows])
    return np.ascontiguousarray(np.moveaxis(values, dimension, -1), float)


def _read_intensity(
    path: Path, dataset: str | None, *, lazy: bool
) -> tuple[str, NDArray[Any] | Source, tuple[str, ...]]:
    """Return name, values and notes: arrays by the reader of images, a single spectrum by itself."""
    shapes = {name: shape for name, (shape, _) in list_hdf5(path).items()}
    wanted = None if dataset is None else f"/{dataset.lstrip('/')}"
    flat = wanted in shapes and len(shapes[wanted]) == 1
    if flat or (wanted is None and shapes and all(len(shape) == 1 for shape in shapes.values())):
        name = wanted or _choose_flat(path.name, shapes)
        with h5py.File(path, "r", locking="best-effort") as file:
            return name, np.asarray(file[name]), ()
    source = open_hdf5(path, dataset=dataset)
    if lazy and source.is_stack:
        return str(source.dataset), source, source.notes
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
