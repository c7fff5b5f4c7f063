"""Checks on arguments and arrays, with one wording for the whole package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "check_choice",
    "check_image",
    "check_positive",
    "check_range",
    "check_same_shape",
    "describe_duration",
    "describe_shape",
    "label_with_unit",
]


def describe_shape(shape: Sequence[int]) -> str:
    """Write a shape the way a person does: '512 x 1024'."""
    return " x ".join(str(n) for n in shape) if len(shape) else "a single number"


def describe_duration(seconds: float) -> str:
    """Write a time the way a person says it: 40 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def label_with_unit(name: str, unit: str) -> str:
    """Write what is on an axis or in a column: 'SiO2 (wt%)'; without a unit the name alone."""
    return f"{name} ({unit})" if unit else name


def check_positive(name: str, value: float, *, unit: str = "") -> None:
    """Raise ValueError unless `value` is a finite number above zero."""
    if not (np.isfinite(value) and value > 0):
        msg = f"'{name}' must be above zero; found {value}{' ' + unit if unit else ''}."
        raise ValueError(msg)


def check_range(name: str, value: float, low: float, high: float, *, unit: str = "") -> None:
    """Raise ValueError unless low <= value <= high."""
    if not low <= value <= high:
        tail = f" {unit}" if unit else ""
        msg = f"'{name}' must lie between {low} and {high}{tail}; found {value}{tail}."
        raise ValueError(msg)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        msg = f"'{name}' must be one of {', '.join(choices)}; found {value!r}."
        raise ValueError(msg)


def check_image(name: str, image: Any) -> NDArray[Any]:
    """Return `image` as a 2-D real array that has pixels, or raise ValueError."""
    array = np.asarray(image)
    if array.ndim != 2:
        hint = (
            " Choose one channel or convert it to grey values." if array.ndim == 3 and array.shape[-1] in (3, 4) else ""
        )
        msg = (
            f"'{name}' must be a 2-D image (rows x columns); found {array.ndim} axes "
            f"({describe_shape(array.shape)}).{hint}"
        )
        raise ValueError(msg)
    if array.size == 0:
        msg = f"'{name}' must contain pixels; found an empty image ({describe_shape(array.shape)})."
        raise ValueError(msg)
    if array.dtype.kind not in "buif":
        msg = f"'{name}' must hold real numbers; found dtype {array.dtype}."
        raise ValueError(msg)
    return array


def check_same_shape(name: str, array: NDArray[Any], reference_name: str, reference: NDArray[Any]) -> None:
    """Raise ValueError unless both arrays have the same shape."""
    if array.shape != reference.shape:
        msg = (
            f"'{name}' must have the shape of '{reference_name}' ({describe_shape(reference.shape)}); "
            f"found {describe_shape(array.shape)}."
        )
        raise ValueError(msg)
