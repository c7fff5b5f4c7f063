"""Where signal is, and where a patch without signal still fits.

The noise patches of Starke & Smid come from full shots, in the places where
the corresponding x-ray-only shot shows no signal. The places are found here:
a threshold above the local background, grown, and then every free patch
position, counted exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_bgremove._validation import check_positive
from napari_bgremove.images.mask_rules import drop_small_regions

__all__ = ["count_free_positions", "estimate_signal_mask", "free_positions", "grow_mask"]

Mask = NDArray[np.bool_]
# The local background is a slow quantity: it is measured on blocks of this
# side, which makes a window of hundreds of pixels cheap.
_BLOCK = 8
# Gaussian that joins the photons of a faint signal before the threshold.
_SMOOTHING_PX = 2.0


def estimate_signal_mask(
    image: NDArray[np.float32],
    *,
    threshold: float = 4.0,
    window: int = 257,
    percentile: float = 10.0,
    grow: int = 8,
    minimum_size: int = 64,
) -> Mask:
    """Estimate where an x-ray-only image shows signal.

    A pixel is signal when the smoothed image exceeds the local background, a
    low percentile over a wide window, by `threshold` times its scatter. The
    scatter is measured where the image is darkest.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        X-ray-only shot behind the gate (NaN where not usable).
    threshold : float
        Height above the local background in units of the background scatter.
    window : int
        Side of the window of the local background, in pixels. It has to be
        wider than the signal regions, or they become their own background.
    percentile : float
        Percentile that stands for the background within the window.
    grow : int
        Radius in pixels by which the mask is grown, since signal fades slowly.
    minimum_size : int
        Smaller regions (pixels, before growing) are dropped.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        True where signal is.
    """
    check_positive("threshold", threshold)
    check_positive("window", window, unit="pixels")
    if not np.isfinite(image).any():
        return np.zeros(image.shape, bool)
    smooth = _smooth(image)
    background = _local_background(smooth, window, percentile)
    excess = smooth - background
    scatter = _dark_scatter(excess)
    mask = np.nan_to_num(excess, nan=-np.inf) > threshold * scatter
    return grow_mask(drop_small_regions(mask, minimum_size), grow)


def grow_mask(mask: Mask, radius: int) -> Mask:
    """Grow (radius > 0) or shrink (radius < 0) a mask by a disc of that radius in pixels."""
    if radius == 0 or not mask.any():
        return mask.copy()
    if radius < 0:
        return ~grow_mask(~mask, -radius)
    distance = ndimage.distance_transform_edt(~mask)
    grown: Mask = distance <= radius
    return grown


def free_positions(free: Mask, patch: int, *, tolerance: float = 0.0) -> NDArray[np.intp]:
    """Return every position at which a whole patch is free.

    Parameters
    ----------
    free : ndarray of bool, shape (rows, columns)
        True where a patch may lie.
    patch : int
        Patch side in pixels.
    tolerance : float
        Share of pixels of a patch that may be not free (single bad pixels).

    Returns
    -------
    ndarray of int, shape (n, 2)
        Row and column of the top left pixel, in reading order.

    Raises
    ------
    ValueError
        When a patch has no pixels.
    """
    check_positive("patch", patch, unit="pixels")
    rows, columns = free.shape
    if rows < patch or columns < patch:
        return np.empty((0, 2), dtype=np.intp)
    # Summed-area table: the number of occupied pixels of every window, exactly.
    table = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    table[1:, 1:] = np.cumsum(np.cumsum(~free, axis=0, dtype=np.int64), axis=1)
    occupied = table[patch:, patch:] - table[:-patch, patch:] - table[patch:, :-patch] + table[:-patch, :-patch]
    return np.argwhere(occupied <= tolerance * patch * patch)


def count_free_positions(free: Mask, patch: int, *, tolerance: float = 0.0) -> int:
    """Return the number of positions `free_positions` would list."""
    return len(free_positions(free, patch, tolerance=tolerance))


def _smooth(image: NDArray[np.float32]) -> NDArray[np.float64]:
    usable = np.isfinite(image)
    weight = ndimage.gaussian_filter(usable.astype(float), _SMOOTHING_PX, mode="nearest")
    total = ndimage.gaussian_filter(np.where(usable, image, 0).astype(float), _SMOOTHING_PX, mode="nearest")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 1e-3, total / weight, np.nan)


def _local_background(smooth: NDArray[np.float64], window: int, percentile: float) -> NDArray[np.float64]:
    rows, columns = (-(-n // _BLOCK) for n in smooth.shape)
    padded = np.full((rows * _BLOCK, columns * _BLOCK), np.nan)
    padded[: smooth.shape[0], : smooth.shape[1]] = smooth
    blocks = padded.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2).reshape(rows, columns, -1)
    filled = np.where(np.isfinite(blocks).any(-1), _median_last(blocks), np.nanmedian(smooth))
    size = max(window // _BLOCK, 1)
    low = ndimage.percentile_filter(
        filled, percentile, size=(min(size, 2 * rows - 1), min(size, 2 * columns - 1)), mode="nearest"
    )
    zoomed = ndimage.zoom(low, _BLOCK, order=1, mode="nearest", grid_mode=True)
    return np.asarray(zoomed[: smooth.shape[0], : smooth.shape[1]])


def _median_last(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.asarray(~np.isfinite(blocks).any(-1))
    return np.asarray(np.nanmedian(np.where(empty[..., None], 0, blocks), axis=-1))


def _dark_scatter(excess: NDArray[np.float64]) -> float:
    """Return the scatter of the lower half: 1.4826 MAD below the median, one-sided."""
    usable = excess[np.isfinite(excess)]
    if usable.size == 0:
        return 1.0
    middle = np.median(usable)
    below = middle - usable[usable <= middle]
    scatter = 1.4826 * float(np.median(below))
    return scatter if scatter > 0 else float(np.finfo(np.float32).tiny)
