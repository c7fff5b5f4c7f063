"""Intensity normalisation by percentiles, as Starke & Smid do it, and its inverse.

Two variants. *Literal*, as published: the noisy patch, the signal and the
background are each shifted by the lower bound, divided by the range and
clipped to [0, 1]; undoing adds the lower bound to both parts. That loses the
values above the upper bound and counts the lower bound twice. *Conserving*:
the lower bound belongs to the signal once, and what was clipped is given back
in proportion, so that signal + background is the measured image again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice

__all__ = ["NORMALIZATIONS", "PercentileRange", "measure_percentile_range", "undo_normalization"]

NORMALIZATIONS = ("conserving", "literal")
Image = NDArray[np.float32]


@dataclass(frozen=True)
class PercentileRange:
    """Lower and upper bound of a patch, in its own unit.

    For a stack of patches, shape (n, rows, columns), the bounds are arrays of
    shape (n, 1, 1), and everything below works on the whole stack.
    """

    low: float | Image
    high: float | Image

    @property
    def scale(self) -> Image:
        """Width of the range; 1 for a constant patch, so nothing divides by zero."""
        width = np.asarray(self.high, np.float32) - np.asarray(self.low, np.float32)
        return np.where(width > 0, width, np.float32(1))

    def apply(self, values: Image, *, clip: bool = True) -> Image:
        """Return (values - low) / scale, clipped to [0, 1] unless told not to."""
        normalized: Image = (values - np.asarray(self.low, np.float32)) / self.scale
        return np.clip(normalized, 0, 1) if clip else normalized

    def undo(self, normalized: Image) -> Image:
        """Return normalized * scale + low."""
        values: Image = normalized * self.scale + np.asarray(self.low, np.float32)
        return values


def measure_percentile_range(values: Image, *, percentiles: tuple[float, float] = (1.0, 99.95)) -> PercentileRange:
    """Measure the bounds of a patch, or of every patch of a stack.

    Parameters
    ----------
    values : ndarray, shape (rows, columns) or (n, rows, columns)
        NaN is left out. Without any usable pixel the range is (0, 1).
    percentiles : tuple of float
        Lower and upper percentile, by linear interpolation.
    """
    if values.ndim == 3:
        return _measure_stack(values, percentiles)
    usable = values[np.isfinite(values)]
    if usable.size == 0:
        return PercentileRange(0.0, 1.0)
    low, high = np.percentile(usable, percentiles)
    return PercentileRange(float(low), float(high))


def _measure_stack(stack: Image, percentiles: tuple[float, float]) -> PercentileRange:
    flat = stack.reshape(len(stack), -1)
    whole = np.isfinite(flat).all(axis=1)
    bounds = np.empty((len(stack), 2), np.float32)
    if whole.any():
        bounds[whole] = np.percentile(flat[whole], percentiles, axis=1).T
    for i in np.flatnonzero(~whole):
        one = measure_percentile_range(stack[i], percentiles=percentiles)
        bounds[i] = one.low, one.high
    return PercentileRange(bounds[:, 0, None, None], bounds[:, 1, None, None])


def undo_normalization(
    signal: Image, background: Image, measured: Image, bounds: PercentileRange, *, variant: str = "conserving"
) -> tuple[Image, Image]:
    """Bring a normalised prediction back to the unit of the measured patch.

    Parameters
    ----------
    signal, background : ndarray
        Predictions in [0, 1] of the clipped, normalised patch.
    measured : ndarray
        The patch in its own unit.
    bounds : PercentileRange
        The bounds the patch was normalised with.
    variant : {"conserving", "literal"}

    Returns
    -------
    signal, background : ndarray
        With "conserving", their sum is `measured` wherever the network did not
        predict more background than there was intensity.
    """
    check_choice("variant", variant, NORMALIZATIONS)
    if variant == "literal":
        return bounds.undo(signal), bounds.undo(background)
    scale, low = bounds.scale, np.asarray(bounds.low, np.float32)
    clipped = (measured - low) - scale * bounds.apply(measured)
    # Above the bound the excess is shared as the network shared the clipped
    # pixel; below it (clipped < 0) the deficit is noise around the low level.
    total = signal + background
    share = np.divide(background, total, out=np.zeros_like(background), where=total > 0)
    share = np.where(clipped > 0, share, 0).astype(np.float32)
    background_out = scale * background + share * clipped
    signal_out = scale * signal + low + (1 - share) * clipped
    return signal_out.astype(np.float32, copy=False), background_out.astype(np.float32, copy=False)
