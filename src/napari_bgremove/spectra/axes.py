"""What every method on spectra asks of an axis and of the spectra along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._gaps import mark_gaps
from napari_bgremove._validation import describe_shape

__all__ = ["check_axis", "check_spectra", "is_uniform"]

Array = NDArray[np.float64]


def check_axis(axis: ArrayLike) -> Array:
    """Return a spectral axis as float64, or say what is wrong with it.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energy, wavelength or position of each sample, ascending or descending.

    Returns
    -------
    ndarray, shape (n,), float64

    Raises
    ------
    ValueError
        When the axis is not 1-D, has fewer than two samples, is not finite,
        or does not go strictly up or strictly down.
    """
    values = np.asarray(axis)
    if values.ndim != 1 or values.size < 2:
        msg = f"'axis' must be 1-D with at least 2 samples; found {describe_shape(values.shape)}."
        raise ValueError(msg)
    if values.dtype.kind not in "uif":
        msg = f"'axis' must hold real numbers; found dtype {values.dtype}."
        raise ValueError(msg)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        at = _first(~np.isfinite(values))
        msg = f"'axis' must be finite; found {values[at]} at sample {at}."
        raise ValueError(msg)
    widths = np.diff(values)
    wrong = widths * np.sign(values[-1] - values[0]) <= 0
    if wrong.any():
        at = _first(wrong)
        msg = (
            f"'axis' must go strictly up or strictly down; found {values[at]:g} followed by {values[at + 1]:g} "
            f"at sample {at + 1}. Sort the samples, and average those at one position."
        )
        raise ValueError(msg)
    return values


def check_spectra(axis: Array, measured: ArrayLike, *, valid_mask: ArrayLike | None = None) -> Array:
    """Return spectra as a new float64 array, NaN where a sample is not usable.

    Parameters
    ----------
    axis : ndarray, shape (n,)
    measured : array_like, shape (..., n)
        Any real dtype; NaN, Inf and masked samples are not usable.
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.

    Returns
    -------
    ndarray, shape (..., n), float64

    Raises
    ------
    ValueError
        When the last axis of `measured` has another length than `axis`, the
        values are not real numbers, or the mask has another shape.
    """
    array = np.asanyarray(measured)
    if array.ndim == 0 or array.shape[-1] != len(axis):
        msg = (
            f"'measured' must end in the {len(axis)} samples of 'axis'; found {describe_shape(array.shape)}. "
            "Move the spectral axis to the end."
        )
        raise ValueError(msg)
    return mark_gaps(array, valid_mask=valid_mask)[0]


def is_uniform(axis: Array) -> bool:
    """Tell whether the steps of an axis are equal up to the rounding of its positions."""
    even = axis[0] + (axis[-1] - axis[0]) / (len(axis) - 1) * np.arange(len(axis))
    return bool(np.abs(axis - even).max() <= 4 * np.finfo(float).eps * np.abs(axis).max())


def _first(wrong: NDArray[Any]) -> int:
    return int(np.argmax(wrong))
