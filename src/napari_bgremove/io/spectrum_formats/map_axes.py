"""The energies that belong to an array in HDF5: stated by NeXus, netCDF-4 or Igor, or lying beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectrum_formats.naming import name_axis

__all__ = ["AxisChoice", "MapAxis", "find_map_axis"]

#: A dataset with the energies, or their first value and step.
AxisChoice = str | tuple[float, float] | None


@dataclass(frozen=True)
class MapAxis:
    """Energies of an array.

    Attributes
    ----------
    values : ndarray, shape (n,)
    dimension : int
        The dimension of the array they run along.
    name, unit : str
    notes : tuple of str
        What a user should know of how they were found.
    """

    values: NDArray[np.float64]
    dimension: int
    name: str
    unit: str
    notes: tuple[str, ...] = ()


def find_map_axis(subject: str, dataset: h5py.Dataset, shape: tuple[int, ...], choice: AxisChoice = None) -> MapAxis:
    """Find the energies of a dataset that is read as an array of `shape`.

    What the file states is preferred to what lies beside it, and of several
    axes the one that is called an energy, or has such a unit.
    """
    if isinstance(choice, str):
        return _named(subject, dataset, shape, choice)
    if choice is not None:
        first, step = choice
        return MapAxis(first + step * np.arange(shape[-1], dtype=float), len(shape) - 1, "energy", "")
    sources: tuple[Callable[[h5py.Dataset], Iterator[MapAxis]], ...] = (_igor_axes, _scale_axes, _nexus_axes)
    stated = [axis for source in sources for axis in source(dataset) if _fits(axis, shape)]
    beside = [axis for axis in _neighbours(dataset, shape) if _fits(axis, shape)]
    told = [axis for axis in (*stated, *beside) if _is_spectral(axis)]
    last = [axis for axis in stated if axis.dimension == len(shape) - 1]
    if told or last:
        return (told or last)[0]
    note = (
        f"'{subject}' comes without energies; its {shape[-1]} columns are numbered from 0. Name a dataset, or first "
        "value and step, as the axis."
    )
    return MapAxis(np.arange(shape[-1], dtype=float), len(shape) - 1, "pixel", "px", (note,))


def _fits(axis: MapAxis, shape: tuple[int, ...]) -> bool:
    return axis.dimension < len(shape) and axis.values.shape == (shape[axis.dimension],)


def _is_spectral(axis: MapAxis) -> bool:
    return bool(name_axis(axis.name)[0]) or axis.unit in ("eV", "keV", "meV", "nm", "Å", "1/cm")


def _named(subject: str, dataset: h5py.Dataset, shape: tuple[int, ...], choice: str) -> MapAxis:
    item = dataset.file.get(choice)
    if not isinstance(item, h5py.Dataset):
        msg = f"'{subject}' must find its axis '{choice}' in the same file; found no such dataset. Check the name."
        raise ReadError(msg)
    for dimension in reversed(range(len(shape))):
        if item.shape == (shape[dimension],):
            return _from_dataset(item, dimension)
    msg = (
        f"'{choice}' must be as long as a dimension of '{subject}' ({describe_shape(shape)}); found "
        f"{describe_shape(item.shape)}. Choose another one."
    )
    raise ReadError(msg)


def _igor_axes(dataset: h5py.Dataset) -> Iterator[MapAxis]:
    """Waves of Igor Pro carry step and first value of each dimension as attributes."""
    scaling = np.asarray(dataset.attrs.get("IGORWaveScaling", np.empty((0, 2))))
    units = [_text(unit) for unit in np.ravel(dataset.attrs.get("IGORWaveUnits", ()))]
    # The first row is the range of the data.
    for dimension, ((step, first), length) in enumerate(zip(scaling[1:], dataset.shape, strict=False)):
        kind, unit = name_axis(units[dimension + 1] if dimension + 1 < len(units) else "")
        yield MapAxis(first + step * np.arange(length, dtype=float), dimension, kind or "energy" if unit else "", unit)


def _scale_axes(dataset: h5py.Dataset) -> Iterator[MapAxis]:
    """Dimension scales, which are the coordinates of netCDF-4."""
    for dimension, scales in enumerate(dataset.dims):
        for scale in scales.values():
            yield _from_dataset(scale, dimension)


def _nexus_axes(dataset: h5py.Dataset) -> Iterator[MapAxis]:
    names = np.ravel(dataset.parent.attrs.get("axes", ()))
    for dimension, name in enumerate(map(_text, names)):
        item = dataset.parent.get(name) if name not in ("", ".") else None
        if isinstance(item, h5py.Dataset):
            yield _from_dataset(item, dimension)


def _neighbours(dataset: h5py.Dataset, shape: tuple[int, ...]) -> Iterator[MapAxis]:
    """One-dimensional datasets of the same group; of equal dimensions the last is taken."""
    for item in dataset.parent.values():
        if isinstance(item, h5py.Dataset) and item.ndim == 1 and item.dtype.kind in "uif" and item != dataset:
            for dimension in reversed(range(len(shape))):
                if item.shape == (shape[dimension],):
                    yield _from_dataset(item, dimension)


def _from_dataset(item: h5py.Dataset, dimension: int) -> MapAxis:
    title = item.name.rsplit("/", 1)[-1].replace("_", " ")
    said = _text(item.attrs.get("units", ""))
    kind, unit = name_axis(f"{title} {said}")
    return MapAxis(np.asarray(item, float), dimension, kind or title, unit or said)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
