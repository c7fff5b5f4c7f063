"""Values of an image between its pixels, without a pixel that was not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_bgremove._validation import check_image, check_same_shape
from napari_bgremove.images.gate import fill_unusable

__all__ = ["ORDERS", "ImageSampler"]

#: Nearest pixel, bilinear, and splines of degree 2 to 5.
ORDERS = (0, 1, 2, 3, 4, 5)

# A centre of a pixel that rounding has put a little beside itself would ask for a neighbour it does not need.
_DECIMALS = 9

# Samples at once. More would leave the cache, and every intermediate array would be new memory from the system,
# which takes longer than the arithmetic.
_BLOCK = 4096

Samples = NDArray[np.float64]


class ImageSampler:
    """An image that is read between its pixels; made once, read as often as a line is dragged.

    A sample is left out (NaN) where it lies outside the image, which ends at
    the centres of its outermost pixels, and where one of the pixels around it
    that it would be interpolated from is not usable: the nearest for order 0,
    of the four around it those with a bilinear weight for all others.

    The splines of orders 2 to 5 pass through every pixel, and their
    coefficients come from the whole image by a recursive filter. They are
    computed here, once. A single NaN would spread over all of them, so
    unusable pixels are replaced first, by what is usual around the nearest
    usable one (`fill_unusable`). No sample is read at a replaced pixel or
    between it and another; but as beyond the rim of an image, where a spline
    sees the mirrored image, something has to be assumed there, and the bend of
    the spline next to a gap depends on it: on the difference between what was
    assumed and what is true, with a weight of up to 0.14 (order 3; 0.18 for
    order 5) between the first and the second pixel from the gap and about a
    quarter (0.43) of that for each further one. Orders 0 and 1 assume nothing.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        Any real dtype. Not copied unless something in it is masked, and not
        modified: a sampler belongs to the image as it is now.
    order : {0, 1, 2, 3, 4, 5}
        Nearest pixel, bilinear, or degree of the spline.
    valid_mask : array_like of bool, optional
        True where a pixel is usable, of the image's shape. NaN, Inf and what
        a masked array masks are never usable.

    Raises
    ------
    ValueError
        When the image is not 2-D, is empty or complex, the order is none of
        those, or the mask has another shape.
    """

    def __init__(self, image: ArrayLike, *, order: int = 1, valid_mask: ArrayLike | None = None) -> None:
        _check_order(order)
        self.order = order
        self._values = _mark_unusable(image, valid_mask)
        self._coefficients = _filter(self._values, order) if order > 1 else None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self._values.shape
        return rows, columns

    def sample(self, rows: Samples, columns: Samples) -> Samples:
        """Return the image at (row, column) positions of any one shape, in pixels; NaN where it is left out."""
        flat_rows, flat_columns = np.ravel(rows), np.ravel(columns)
        samples = np.empty(flat_rows.shape)
        for start in range(0, len(samples), _BLOCK):
            block = slice(start, start + _BLOCK)
            samples[block] = self._sample_block(flat_rows[block], flat_columns[block])
        return samples.reshape(np.shape(rows))

    def _sample_block(self, rows: Samples, columns: Samples) -> Samples:
        rows, columns = np.round(rows, _DECIMALS), np.round(columns, _DECIMALS)
        inside = (rows >= 0) & (rows <= self.shape[0] - 1) & (columns >= 0) & (columns <= self.shape[1] - 1)
        all_inside = bool(inside.all())
        if not all_inside:  # any pixel will do: what is read there is not kept
            rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
        samples = self._read(rows, columns)
        return samples if all_inside else np.where(inside, samples, np.nan)

    def _read(self, rows: Samples, columns: Samples) -> Samples:
        if self.order == 0:
            return _read_nearest(self._values, rows, columns)
        bilinear = _read_bilinear(self._values, rows, columns)
        if self._coefficients is None:
            return bilinear
        smooth = ndimage.map_coordinates(
            self._coefficients, (rows, columns), order=self.order, mode="mirror", prefilter=False
        )
        return np.where(np.isfinite(bilinear), smooth, np.nan)


def _check_order(order: int) -> None:
    if order not in ORDERS:
        msg = f"'order' must be a whole number from 0 to 5; found {order}. Take 1 (bilinear) or 3 (cubic)."
        raise ValueError(msg)


def _mark_unusable(image: ArrayLike, valid_mask: ArrayLike | None) -> NDArray[Any]:
    """Return the values in one block of memory, NaN where a mask says so."""
    values = check_image("image", image)
    usable = ~np.ma.getmaskarray(image) if isinstance(image, np.ma.MaskedArray) else None
    if valid_mask is not None:
        given = np.asarray(valid_mask, bool)
        check_same_shape("valid_mask", given, "image", values)
        usable = given if usable is None else usable & given
    return np.ascontiguousarray(values if usable is None or usable.all() else np.where(usable, values, np.nan))


def _filter(values: NDArray[Any], order: int) -> Samples:
    filled = values.astype(np.float64)
    unusable = ~np.isfinite(filled)
    if unusable.any():
        with np.errstate(over="ignore"):  # beyond float32 it becomes Inf, and is replaced as well
            filled[unusable] = fill_unusable(np.where(unusable, np.nan, filled).astype(np.float32))[unusable]
    return np.asarray(ndimage.spline_filter(filled, order=order, output=np.float64, mode="mirror"))


def _read_nearest(values: NDArray[Any], rows: Samples, columns: Samples) -> Samples:
    nearest = np.floor(rows + 0.5).astype(np.intp) * values.shape[1] + np.floor(columns + 0.5).astype(np.intp)
    samples = values.reshape(-1).take(nearest).astype(np.float64)
    return np.where(np.isfinite(samples), samples, np.nan)


def _read_bilinear(values: NDArray[Any], rows: Samples, columns: Samples) -> Samples:
    """Interpolate between four pixels, or two, or none: one without weight is not looked at.

    By hand, because `scipy.ndimage.map_coordinates`, which takes as long,
    multiplies a NaN by a weight of zero: a gap would hide the pixels beside it.
    """
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = rows - top, columns - left
    upper_left = top * values.shape[1] + left
    lower_left = upper_left + (down > 0) * values.shape[1]
    beside = right > 0
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore"):  # Inf - Inf
        upper = _blend(flat, upper_left, upper_left + beside, right)
        lower = _blend(flat, lower_left, lower_left + beside, right)
        samples = upper + down * (lower - upper)
    return np.where(np.isfinite(samples), samples, np.nan)


def _blend(flat: NDArray[Any], first: NDArray[np.intp], second: NDArray[np.intp], share: Samples) -> Samples:
    start = flat.take(first).astype(np.float64)
    return start + share * (flat.take(second) - start)
