"""The one gate every detector image passes before any computation.

Detectors mark what they did not measure with numbers (-1, -2, 2^22-1, 2^32-1);
a single such number left in ruins every percentile. Behind this gate an image
is float32, C-contiguous and native, and what is not a measurement is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_bgremove._validation import check_image, check_same_shape
from napari_bgremove.errors import NoUsablePixelsError

__all__ = ["GatedImage", "fill_unusable", "gate_image"]

_FILL_SIDE = 5  # pixels; 7 and 9 were no better on real images

# Pilatus marks overflow with 2^22-1, Eiger gaps and dead pixels with 2^32-1.
_OVERFLOW_MARKS = (2.0**22 - 1, 2.0**32 - 1)
# Pilatus and CBF software mark module gaps with -1 and dead pixels with -2.
_NEGATIVE_MARKS = (-1.0, -2.0)


@dataclass(frozen=True)
class GatedImage:
    """An image behind the gate.

    Attributes
    ----------
    values : ndarray, shape (rows, columns), float32
        NaN where the pixel is not usable.
    valid : ndarray, shape (rows, columns), bool
        True where the pixel is usable.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


def gate_image(
    image: ArrayLike,
    *,
    valid_mask: ArrayLike | None = None,
    gap_values: Sequence[float] | None = None,
    saturation: float | None = None,
) -> GatedImage:
    """Turn a detector image of any kind into usable float32 values.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        Any real dtype, byte order, stride or masked array. Not modified.
    valid_mask : array_like of bool, optional
        True where a pixel is usable, of the image's shape.
    gap_values : sequence of float, optional
        Numbers that mean "not measured". By default 2^22-1 and 2^32-1; for
        integer images whose only negative values are -1 and -2, those two as
        well. Float images keep their negative values: after pedestal
        subtraction -1 is a measurement.
    saturation : float, optional
        Values at or above it are not usable.

    Returns
    -------
    GatedImage

    Raises
    ------
    ValueError
        When the image is not 2-D, is empty or complex, or when the mask has
        another shape.
    NoUsablePixelsError
        When no usable pixel is left.
    """
    array = check_image("image", image)
    valid = np.ones(array.shape, bool)
    if isinstance(image, np.ma.MaskedArray):
        valid &= ~np.ma.getmaskarray(image)
    if valid_mask is not None:
        given = np.asarray(valid_mask, dtype=bool)
        check_same_shape("valid_mask", given, "image", array)
        valid &= given
    with np.errstate(over="ignore"):  # a mark beyond float16, a float64 beyond float32: Inf, and not usable
        for gap in _gap_values(array) if gap_values is None else gap_values:
            valid &= array != gap
        if saturation is not None:
            valid &= array < saturation
        values = np.array(array, dtype=np.float32, order="C")
    valid &= np.isfinite(values)
    if not valid.any():
        msg = (
            f"'image' must have usable pixels; all {array.size} are gaps, masked or not finite. Check the mask "
            "and the gap values."
        )
        raise NoUsablePixelsError(msg)
    values[~valid] = np.nan
    return GatedImage(values, valid)


def fill_unusable(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace NaN by what is usual around the nearest usable pixel, so that a network can look at the image.

    What is usual is the median of the usable pixels of a 5 x 5 window. The
    value of the pixel itself would not do: a hit at the rim of a gap would
    be carried through the whole gap, and pass for scattering there.
    The filled values never leave the program: results are NaN there again.
    """
    unusable = ~np.isfinite(values)
    if not unusable.any():
        return values
    if unusable.all():
        return np.zeros_like(values)
    nearest = ndimage.distance_transform_edt(unusable, return_distances=False, return_indices=True)
    rims, of_rim = np.unique(np.ravel_multi_index(nearest[:, unusable], values.shape), return_inverse=True)
    framed = np.pad(values, _FILL_SIDE // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (_FILL_SIDE, _FILL_SIDE))
    around = windows[np.unravel_index(rims, values.shape)].reshape(len(rims), -1)
    filled = values.copy()
    filled[unusable] = np.nanmedian(around, axis=1)[of_rim]
    return filled


def _gap_values(array: NDArray[Any]) -> tuple[float, ...]:
    if array.dtype.kind != "i" or array.min() >= 0:
        return _OVERFLOW_MARKS
    return (*_OVERFLOW_MARKS, *_NEGATIVE_MARKS) if array.min() >= min(_NEGATIVE_MARKS) else _OVERFLOW_MARKS
