"""Radial and azimuthal profiles: what a scattering physicist reads off an image.

Internal bins, no geometry file: enough to compare two images of one detector.
For q-calibrated integration use pyFAI.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_image, check_positive, check_range, check_same_shape

__all__ = ["azimuthal_profile", "radial_profile"]

Floats = NDArray[np.float64]


def radial_profile(
    image: ArrayLike,
    *,
    centre: tuple[float, float],
    bins: int | None = None,
    width: float | None = None,
    valid_mask: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Average an image over rings about `centre`.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        NaN and Inf are left out.
    centre : (row, column)
        In pixels, fractions allowed; may lie outside the image.
    bins : int, optional
        Number of rings of equal width up to the farthest pixel. Give `bins`
        or `width`, not both; without either, rings are 1 pixel wide.
    width : float, optional
        Width of a ring, pixels.
    valid_mask : array_like of bool, optional
        True where a pixel is usable, of the image's shape.

    Returns
    -------
    radius : ndarray, shape (rings,)
        Middle of each ring, pixels.
    mean : ndarray, shape (rings,)
        Mean over the usable pixels whose centre lies in the ring; NaN where
        there is none.
    count : ndarray of int, shape (rings,)
        Number of these pixels.

    Raises
    ------
    ValueError
        When the image is not 2-D, the mask has another shape, the centre is
        not finite, or `bins` and `width` are both given or not positive.
    """
    values = np.asarray(check_image("image", image), np.float64)
    usable = _find_usable(values, valid_mask)
    distance = np.hypot(*_measure_offsets(values.shape, centre))
    step, rings = _choose_rings(float(distance.max()), bins, width)
    return _average(values, usable, distance, step, rings)


def azimuthal_profile(
    image: ArrayLike,
    *,
    centre: tuple[float, float],
    radii: tuple[float, float],
    width: float = 1.0,
    valid_mask: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Average an image over the sectors of a ring about `centre`: intensity over the angle.

    Parameters
    ----------
    image, centre, valid_mask
        As for `radial_profile`.
    radii : (inner, outer)
        Of the ring, pixels; a pixel counts when its centre lies between.
    width : float
        Of a sector, degrees; made a little narrower where it does not divide
        the circle.

    Returns
    -------
    angle : ndarray, shape (sectors,)
        Middle of each sector, degrees from the direction of rising columns
        towards that of rising rows (clockwise on a screen).
    mean, count
        As for `radial_profile`.

    Raises
    ------
    ValueError
        When the image is not 2-D, the mask has another shape, the centre is
        not finite, the radii do not rise from 0, or the width is not within
        0 to 180 degrees.
    """
    values = np.asarray(check_image("image", image), np.float64)
    usable = _find_usable(values, valid_mask)
    inner, outer = radii
    if not 0 <= inner < outer < np.inf:
        msg = f"'radii' must rise from 0 or above; found {inner:g} and {outer:g} px. Give the inner one first."
        raise ValueError(msg)
    check_positive("width", width, unit="degrees")
    check_range("width", width, 0, 180)
    rows, columns = _measure_offsets(values.shape, centre)
    distance = np.hypot(rows, columns)
    sectors = int(np.ceil(360 / width - 1e-9))
    angle = np.degrees(np.arctan2(rows, columns)) % 360
    return _average(values, usable & (distance >= inner) & (distance <= outer), angle, 360 / sectors, sectors)


def _average(
    values: Floats, usable: NDArray[np.bool_], position: Floats, step: float, bins: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Average the usable values bin by bin of their position; return the middles of the bins first."""
    index = np.minimum((position / step).astype(np.int64), bins - 1)[usable]
    count = np.bincount(index, minlength=bins)
    total = np.bincount(index, weights=values[usable], minlength=bins)
    mean = np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)
    middle = (np.arange(bins, dtype=np.float64) + 0.5) * step
    return middle, np.asarray(mean, np.float64), count.astype(np.int64)


def _find_usable(values: NDArray[np.float64], valid_mask: ArrayLike | None) -> NDArray[np.bool_]:
    usable = np.isfinite(values)
    if valid_mask is not None:
        given = np.asarray(valid_mask, bool)
        check_same_shape("valid_mask", given, "image", values)
        usable &= given
    return usable


def _measure_offsets(shape: tuple[int, ...], centre: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return rows and columns of every pixel, counted from the centre."""
    if not np.all(np.isfinite(centre)):
        msg = f"'centre' must be two finite numbers (row, column); found {tuple(centre)}."
        raise ValueError(msg)
    rows: NDArray[Any] = np.arange(shape[0])[:, None] - centre[0]
    columns: NDArray[Any] = np.arange(shape[1])[None, :] - centre[1]
    return np.broadcast_to(rows, shape), np.broadcast_to(columns, shape)


def _choose_rings(farthest: float, bins: int | None, width: float | None) -> tuple[float, int]:
    if bins is not None and width is not None:
        msg = f"'bins' and 'width' must not both be given; found {bins} and {width}. Leave one out."
        raise ValueError(msg)
    if bins is not None:
        check_positive("bins", bins)
        return (farthest / bins if farthest > 0 else 1.0), int(bins)
    step = 1.0 if width is None else float(width)
    check_positive("width", step, unit="px")
    return step, int(farthest // step) + 1
