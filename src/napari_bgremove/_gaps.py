"""Samples of spectra and signals that are not usable: marked with NaN before a method, and bridged for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_same_shape

__all__ = ["bridge_gaps", "mark_gaps"]

Array = NDArray[np.float64]


def mark_gaps(measured: ArrayLike, *, valid_mask: ArrayLike | None = None) -> tuple[Array, NDArray[np.bool_]]:
    """Return samples as a new float64 array, NaN where they are not usable, and where they are.

    Parameters
    ----------
    measured : array_like, shape (..., n)
        Any real dtype; NaN, Inf and masked samples are not usable. Not modified.
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.

    Returns
    -------
    values : ndarray, shape (..., n), float64
        In C order, of its own memory.
    usable : ndarray of bool, shape (..., n)

    Raises
    ------
    ValueError
        When the values are not real numbers, or the mask has another shape.
    """
    array = np.asanyarray(measured)
    if array.dtype.kind not in "buif":
        msg = f"'measured' must hold real numbers; found dtype {array.dtype}."
        raise ValueError(msg)
    values = np.array(np.ma.getdata(array), dtype=np.float64, order="C")
    usable = np.asarray(np.isfinite(values))
    if isinstance(array, np.ma.MaskedArray):
        usable &= ~np.ma.getmaskarray(array)
    if valid_mask is not None:
        mask = np.asarray(valid_mask, bool)
        mask = np.broadcast_to(mask, values.shape) if mask.shape == values.shape[-1:] else mask
        check_same_shape("valid_mask", mask, "measured", values)
        usable &= mask
    if not usable.all():
        values[~usable] = np.nan
    return values, usable


def bridge_gaps(axis: NDArray[Any], values: Array) -> Array:
    """Bridge samples that are not usable by straight lines, each signal by itself; the ends are held.

    Parameters
    ----------
    axis : ndarray, shape (n,)
        Positions, strictly up or strictly down.
    values : ndarray, shape (..., n)
        NaN where a sample is not usable. Not modified.

    Returns
    -------
    ndarray, shape (..., n)
        `values` itself where there are no gaps. A signal without any usable
        sample stays NaN.
    """
    usable = np.isfinite(values)
    if usable.all():
        return values
    if axis[0] > axis[-1]:
        return bridge_gaps(axis[::-1], values[..., ::-1])[..., ::-1]
    bridged = values.copy()
    rows, known = bridged.reshape(-1, len(axis)), usable.reshape(-1, len(axis))
    for row, good in zip(rows, known, strict=True):
        if good.any() and not good.all():
            row[~good] = np.interp(axis[~good], axis[good], row[good])
    return bridged
