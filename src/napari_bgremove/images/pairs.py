"""A signal patch plus a background patch: the synthetic input a network learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice, check_same_shape
from napari_bgremove.images.gate import fill_unusable
from napari_bgremove.images.normalization import NORMALIZATIONS, PercentileRange, measure_percentile_range

__all__ = ["TrainingPair", "combine_patches", "find_hits", "measure_hit_share"]

Image = NDArray[np.float32]
# Fluctuations within this many standard deviations are taken for read noise.
_NOISE_SIGMAS = 5.0


@dataclass(frozen=True)
class TrainingPair:
    """Network input and its two labels, normalised, and the bounds used.

    Attributes
    ----------
    measured, signal, background : ndarray, shape (patch, patch)
        In [0, 1].
    valid : ndarray of bool
        False where either patch has no measurement: no loss there.
    bounds : PercentileRange
        Of the sum, in the unit of the patches.
    """

    measured: Image
    signal: Image
    background: Image
    valid: NDArray[np.bool_]
    bounds: PercentileRange


def combine_patches(
    signal: Image,
    background: Image,
    *,
    percentiles: tuple[float, float] = (1.0, 99.95),
    normalization: str = "conserving",
) -> TrainingPair:
    """Add a signal and a background patch and normalise the three alike.

    Parameters
    ----------
    signal, background : ndarray, shape (patch, patch)
        In one unit; NaN where not measured.
    percentiles : tuple of float
        Bounds are measured on the sum.
    normalization : {"conserving", "literal"}
        Literal labels are each shifted by the lower bound and clipped, as
        published; they do not add up to the input. Conserving labels do: the
        lower bound counts as signal once, a clipped pixel is shared in the
        proportion of its parts, and the read noise of the background patch is
        no background: were its positive half labelled so, a network would
        learn to take that half away and leave every sum too small.
    """
    check_choice("normalization", normalization, NORMALIZATIONS)
    check_same_shape("background", background, "signal", signal)
    total = signal + background
    valid = np.isfinite(total)
    bounds = measure_percentile_range(total, percentiles=percentiles)
    measured = bounds.apply(fill_unusable(total))
    if normalization == "literal":
        parts = bounds.apply(np.where(valid, signal, bounds.low)), bounds.apply(np.where(valid, background, bounds.low))
        return TrainingPair(measured, *parts, valid, bounds)
    above = np.maximum(np.where(valid, signal, 0) - np.asarray(bounds.low, np.float32), 0)
    hits = find_hits(np.where(valid, background, 0))
    share = np.divide(hits, above + hits, out=np.zeros_like(hits), where=above + hits > 0)
    label = (measured * share).astype(np.float32)
    return TrainingPair(measured, measured - label, label, valid, bounds)


def find_hits(background: Image) -> Image:
    """Return a background patch with its zero-mean fluctuations set to zero.

    Hits are positive, so the negative half of a patch shows its read noise
    alone, however many pixels are hit.
    """
    negative = background[background < 0]
    sigma = float(np.sqrt(np.mean(negative**2))) if negative.size else 0.0
    hits: Image = np.where(background > _NOISE_SIGMAS * sigma, background, 0).astype(np.float32)
    return hits


def measure_hit_share(background: NDArray[np.float32], *, most: int = 1000) -> float:
    """Return the share of pixels hit in the densest of background patches (the 99.5th percentile over patches).

    Parameters
    ----------
    background : ndarray, shape (n, patch, patch)
        NaN where not measured.
    most : int
        Patches that are looked at, evenly spread.
    """
    chosen = background[:: max(1, len(background) // most)]
    shares = [float(np.mean(find_hits(patch[np.isfinite(patch)]) > 0)) for patch in chosen if np.isfinite(patch).any()]
    return float(np.percentile(shares, 99.5)) if shares else 0.0
