"""How much signal a mask lets into the background patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive, check_same_shape

__all__ = ["Leak", "measure_leak", "measure_leaks"]

# The dark level is the mean of the darkest quarter of the blocks outside the mask.
_DARK_SHARE = 0.25


@dataclass(frozen=True)
class Leak:
    """Shares of the signal of an x-ray-only image that a mask lets through.

    Attributes
    ----------
    outside : float
        Outside the mask: what background patches could hold.
    in_patches : float
        In the pixels of the background patches that were cut, each counted
        once: what the network is told to take away. NaN without patches.
    """

    outside: float
    in_patches: float = float("nan")


def measure_leak(image: NDArray[np.float32], signal_mask: NDArray[np.bool_], *, block: int = 32) -> float:
    """Measure the share of the signal that lies outside the mask.

    Signal is what exceeds the dark level, the mean of the darkest quarter of
    the blocks outside the mask; summed over whole areas, so that read noise
    averages out.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        X-ray-only image behind the gate (NaN where not usable).
    signal_mask : ndarray of bool, shape (rows, columns)
        True where signal is.
    block : int
        Side of the blocks in pixels.

    Returns
    -------
    float
        0 for a mask that holds all of the signal, 1 for one that holds none;
        NaN when nothing lies outside the mask, or the image has no signal.
    """
    return measure_leaks(image, signal_mask, block=block).outside


def measure_leaks(
    image: NDArray[np.float32],
    signal_mask: NDArray[np.bool_],
    corners: NDArray[np.integer] | None = None,
    patch: int = 128,
    *,
    block: int = 32,
) -> Leak:
    """Measure the shares of the signal outside the mask, and in the background patches.

    Parameters
    ----------
    image, signal_mask, block
        As in `measure_leak`.
    corners : ndarray of int, shape (n, 2), optional
        Row and column of the top left pixel of each background patch.
    patch : int
        Their side in pixels.

    Returns
    -------
    Leak
        NaN as in `measure_leak`.
    """
    check_positive("block", block, unit="pixels")
    check_same_shape("signal_mask", signal_mask, "image", image)
    usable = np.isfinite(image)
    outside = usable & ~signal_mask
    if not outside.any():
        return Leak(float("nan"))
    dark = _dark_level(np.where(outside, image, np.nan), block)
    excess = np.where(usable, image, dark) - dark
    total = float(excess.sum(dtype=np.float64))
    if total <= 0:
        return Leak(float("nan"))

    def share_of(region: NDArray[np.bool_]) -> float:
        return float(np.clip(excess[region].sum(dtype=np.float64) / total, 0, 1))

    if corners is None or len(corners) == 0:
        return Leak(share_of(outside))
    return Leak(share_of(outside), share_of(_covered(image.shape, corners, patch)))


def _covered(shape: tuple[int, ...], corners: NDArray[np.integer], patch: int) -> NDArray[np.bool_]:
    covered = np.zeros(shape, bool)
    for row, column in corners:
        covered[row : row + patch, column : column + patch] = True
    return covered


def _dark_level(outside: NDArray[np.float32], block: int) -> float:
    rows, columns = (-(-n // block) for n in outside.shape)
    padded = np.full((rows * block, columns * block), np.nan)
    padded[: outside.shape[0], : outside.shape[1]] = outside
    blocks = padded.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(rows * columns, -1)
    filled = np.isfinite(blocks).mean(axis=1) > 0.5  # a sliver of a block is mostly noise
    chosen = blocks[filled] if filled.any() else blocks[np.isfinite(blocks).any(axis=1)]
    means = np.sort(np.nanmean(chosen, axis=1))
    return float(means[: max(1, round(_DARK_SHARE * len(means)))].mean())
