"""Where a layer lies, as plain values that travel in its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["describe_geometry", "pixel_size", "recorded_geometry"]

# By the names napari gives the units; of these a layer comes back, and a pixel size can be worked out.
_METRES = {
    "meter": 1.0, "centimeter": 1e-2, "millimeter": 1e-3, "micrometer": 1e-6, "nanometer": 1e-9, "angstrom": 1e-10,
}  # fmt: skip
_UNITS = {"pixel", *_METRES}
_FIELDS = ("scale", "translate", "rotate", "shear", "affine")


def describe_geometry(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return name and place of a layer, from the attributes napari gives a writer, as plain JSON values."""
    fields = {key: np.asarray(attributes[key], float).tolist() for key in _FIELDS if attributes.get(key) is not None}
    words = {key: [str(word) for word in attributes.get(key) or ()] for key in ("units", "axis_labels")}
    return {"name": str(attributes.get("name", "")), **fields, **{key: value for key, value in words.items() if value}}


def recorded_geometry(record: Mapping[str, Any], *, ndim: int) -> dict[str, Any]:
    """Return the attributes that put a layer where it lay when it was saved.

    Parameters
    ----------
    record : mapping
        The record of a file; it may come from strangers, so what does not fit is left out.
    ndim : int
        Axes of the layer.
    """
    layer = record.get("layer")
    if not isinstance(layer, Mapping):
        return {}
    shapes = {
        "scale": (ndim,), "translate": (ndim,), "rotate": (ndim, ndim), "shear": (ndim * (ndim - 1) // 2,),
        "affine": (ndim + 1, ndim + 1),
    }  # fmt: skip
    found = {key: _numbers(layer.get(key), shape) for key, shape in shapes.items()}
    if found["scale"] is None or not np.all(np.asarray(found["scale"])):  # without a scale the rest has no meaning
        return {}
    geometry: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    units, labels = (_words(layer.get(key), ndim) for key in ("units", "axis_labels"))
    if units is not None and set(units) <= _UNITS:
        geometry["units"] = units
    if labels is not None and len(set(labels)) == ndim:
        geometry["axis_labels"] = labels
    return geometry


def pixel_size(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the pixel size in metres of a layer whose scale is a length; None where it is not."""
    scale, units = attributes.get("scale"), [str(unit) for unit in attributes.get("units") or ()]
    if scale is None or len(scale) < 2 or len(units) < 2 or not all(unit in _METRES for unit in units[-2:]):
        return None
    rows, columns = (abs(float(step)) * _METRES[unit] for step, unit in zip(scale[-2:], units[-2:], strict=True))
    return rows, columns


def _numbers(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        return None
    return array.tolist() if array.shape == shape and np.isfinite(array).all() else None


def _words(value: Any, count: int) -> list[str] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        return None
    return [word for word in value if isinstance(word, str)] if all(isinstance(word, str) for word in value) else None
