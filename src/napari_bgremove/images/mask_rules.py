"""Masks that follow from a rule: values in a range, gaps, saturation, hot pixels.

Each rule looks at the image as recorded, before the gate: what the gate takes
out (gaps, saturated pixels) is just what some of the rules are to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_bgremove._validation import check_choice, check_image, check_positive, check_same_shape
from napari_bgremove.errors import NoUsablePixelsError
from napari_bgremove.images.gate import fill_unusable, gate_image

__all__ = [
    "COMBINATIONS",
    "MaskRules",
    "combine_masks",
    "drop_small_regions",
    "find_gaps",
    "find_hot_pixels",
    "find_in_range",
    "find_saturated",
]

Mask = NDArray[np.bool_]
COMBINATIONS = ("add", "subtract", "intersect", "replace")


def find_in_range(image: ArrayLike, *, low: float | None = None, high: float | None = None) -> Mask:
    """Find the pixels with low <= value <= high; a bound of None is no bound.

    Raises
    ------
    ValueError
        When `low` is above `high`.
    """
    array = check_image("image", image)
    if low is not None and high is not None and low > high:
        msg = f"'low' must not exceed 'high'; found {low:g} and {high:g}. Exchange them."
        raise ValueError(msg)
    found = np.ones(array.shape, bool) if array.dtype.kind != "f" else ~np.isnan(array)
    if low is not None:
        found &= array >= low
    if high is not None:
        found &= array <= high
    return found


def find_gaps(image: ArrayLike, *, gap_values: Sequence[float] | None = None) -> Mask:
    """Find the pixels that hold no measurement: NaN, Inf and the gap values, as in `gate_image`."""
    array = check_image("image", image)
    try:
        return ~gate_image(image, gap_values=gap_values).valid
    except NoUsablePixelsError:
        return np.ones(array.shape, bool)


def find_saturated(image: ArrayLike, *, saturation: float) -> Mask:
    """Find the pixels at or above the saturation value."""
    return find_in_range(image, low=saturation)


def find_hot_pixels(image: ArrayLike, *, threshold: float = 8.0, window: int = 5) -> Mask:
    """Find single pixels that stick out of their neighbourhood.

    A pixel is hot when it exceeds the median of the window around it by
    `threshold` times the local scatter (1.4826 times the median absolute
    deviation, and at least the square root of the median: counted photons
    scatter by that much).

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        As recorded; gaps are left out.
    threshold : float
        In units of the scatter.
    window : int
        Side of the neighbourhood, in pixels.
    """
    check_positive("threshold", threshold)
    check_positive("window", window, unit="pixels")
    gated = gate_image(image)
    values = fill_unusable(gated.values)
    middle = ndimage.median_filter(values, window, mode="mirror")
    scatter = 1.4826 * ndimage.median_filter(np.abs(values - middle), window, mode="mirror")
    scatter = np.maximum(scatter, np.sqrt(np.maximum(middle, 0)))
    found: Mask = (values - middle > threshold * scatter) & gated.valid
    return found


def drop_small_regions(mask: Mask, minimum_size: int) -> Mask:
    """Drop connected regions (8 neighbours) of fewer than `minimum_size` pixels."""
    labels = np.asarray(ndimage.label(mask, structure=np.ones((3, 3)))[0])
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # what is not in the mask
    kept: Mask = np.asarray(sizes[labels] >= max(minimum_size, 1))
    return kept


def combine_masks(mask: Mask, other: Mask, how: str = "add") -> Mask:
    """Return `mask` with `other` added, subtracted, intersected, or put in its place."""
    check_choice("how", how, COMBINATIONS)
    check_same_shape("other", other, "mask", mask)
    if how == "add":
        return mask | other
    if how == "subtract":
        return mask & ~other
    return mask & other if how == "intersect" else other.copy()


@dataclass(frozen=True)
class MaskRules:
    """Which rules make a mask; a rule that is None or False is off.

    Attributes
    ----------
    above, below : float or None
        Pixels at or above, at or below this value, in the unit of the image.
    between : (low, high) or None
    gaps : bool
        Pixels that hold no measurement.
    saturation : float or None
        Value from which on a pixel is saturated.
    hot_pixels : float or None
        Threshold of `find_hot_pixels`.
    """

    above: float | None = None
    below: float | None = None
    between: tuple[float, float] | None = None
    gaps: bool = False
    saturation: float | None = None
    hot_pixels: float | None = None

    @property
    def is_empty(self) -> bool:
        """True when no rule is on."""
        return self == MaskRules()

    def find(self, image: ArrayLike) -> Mask:
        """Return the pixels for which any of the rules holds."""
        array = check_image("image", image)
        found = np.zeros(array.shape, bool)
        if self.above is not None:
            found |= find_in_range(array, low=self.above)
        if self.below is not None:
            found |= find_in_range(array, high=self.below)
        if self.between is not None:
            found |= find_in_range(array, low=self.between[0], high=self.between[1])
        if self.gaps:
            found |= find_gaps(array)
        if self.saturation is not None:
            found |= find_saturated(array, saturation=self.saturation)
        if self.hot_pixels is not None:
            found |= find_hot_pixels(array, threshold=self.hot_pixels)
        return found
