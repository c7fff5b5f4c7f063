"""The variance of each sample, and of the end levels taken from them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.spectra.ends import Anchor, PlacedEnd
from napari_bgremove.spectra.propagation import LevelNoise

__all__ = ["SIGMA_RULES", "NoiseRule", "check_sigma", "level_noise", "level_sigmas", "sample_variances"]

Array = NDArray[np.float64]
NoiseRule = Literal["poisson", "scatter"]
SIGMA_RULES = ("poisson", "scatter")


def check_sigma(sigma: ArrayLike | NoiseRule, values: Array, ends: tuple[PlacedEnd, PlacedEnd]) -> Array | str:
    """Return the name of a rule, or given standard errors as variances in the shape of `values`.

    Raises
    ------
    ValueError
        When the rule has no such name, cannot be applied to these spectra and
        ends, or when given standard errors have another shape or are negative.
    """
    if isinstance(sigma, str):
        check_choice("sigma", sigma, SIGMA_RULES)
        if sigma == "poisson" and np.nanmin(values, initial=0) < 0:
            msg = (
                f"'sigma' can be 'poisson' only for counts; found {np.nanmin(values):g} among the samples. "
                "Give the standard error of each sample, or take 'scatter'."
            )
            raise ValueError(msg)
        if sigma == "scatter" and not all(isinstance(p.end, Anchor) and p.count > 1 for p in ends):
            msg = (
                "'sigma' can be 'scatter' only between two anchors of 2 points or more; found an end with one point. "
                "Give the standard error of each sample, or average windows."
            )
            raise ValueError(msg)
        return sigma
    given = np.asarray(sigma, np.float64)
    if given.shape not in ((), values.shape[-1:], values.shape):
        msg = (
            f"'sigma' must be one number or have the shape of the samples ({describe_shape(values.shape)}); "
            f"found {describe_shape(given.shape)}."
        )
        raise ValueError(msg)
    good = np.isfinite(given) & (given >= 0)
    if not good.all():
        wrong = np.isfinite(values) & ~good
        if wrong.any():
            found = np.broadcast_to(given, values.shape)[wrong][0]
            msg = f"'sigma' must be finite and zero or above at every usable sample; found {found}."
            raise ValueError(msg)
    return np.broadcast_to(np.square(given), values.shape)


def sample_variances(sigma: Array | str, values: Array, ends: tuple[PlacedEnd, PlacedEnd]) -> Array:
    """Variance of each sample of some rows, shape (rows, n).

    "poisson": the count itself, and 1 where nothing was counted. "scatter":
    the variance of the samples about their mean within both windows, for the
    whole row.
    """
    if isinstance(sigma, str) and sigma == "poisson":
        return np.maximum(values, 1.0)
    if isinstance(sigma, str):
        squares = sum(p.count * values[:, p.start : p.stop].var(axis=1) for p in ends)
        freedom = sum(p.count - 1 for p in ends) or np.nan  # gaps may leave one sample in each window
        return np.broadcast_to((squares / freedom)[:, None], values.shape)
    return sigma


def level_noise(placed: PlacedEnd, variances: Array) -> LevelNoise:
    """Noise of an end level: of the mean over its samples, or of a given level."""
    if not placed.is_measured:
        return LevelNoise(np.full(len(variances), float(placed.end.sigma) ** 2), 0.0)  # type: ignore[union-attr]
    mean = variances[:, placed.start : placed.stop].sum(axis=1) / placed.count**2
    return LevelNoise(mean, 1 / placed.count)


def level_sigmas(placed: PlacedEnd, values: Array) -> Array:
    """Standard error of an end level by the scatter within its window; NaN for a single sample."""
    if not placed.is_measured:
        return level_noise(placed, values).variance ** 0.5
    if placed.count < 2:
        return np.full(len(values), np.nan)
    return np.asarray(values[:, placed.start : placed.stop].std(axis=1, ddof=1) / np.sqrt(placed.count))
