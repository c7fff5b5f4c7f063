"""Bring signals to the level and the noise that a denoiser knows, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_noise import estimate_sigma

__all__ = ["SignalScaling", "measure_noise", "measure_scaling", "standardize_rows"]

# Of the height of a signal; noise below is rounding, and single precision could not hold it.
_LEAST_NOISE = 1e-6
Array = NDArray[np.float64]


@dataclass(frozen=True)
class SignalScaling:
    """One level and one factor for each signal, (n, 1) each: what the network sees is (signal - level) * factor."""

    level: Array
    factor: Array

    def of(self, rows: NDArray[np.bool_]) -> SignalScaling:
        """Return those of some of the signals."""
        return SignalScaling(self.level[rows], self.factor[rows])

    def apply(self, signals: Array) -> Array:
        """Return signals (n, L) as the network knows them."""
        return (signals - self.level) * self.factor

    def undo(self, signals: Array) -> Array:
        """Return what `apply` was given."""
        return signals / self.factor + self.level


def measure_scaling(signals: Array, *, noise: float, centred: bool, scale: float | None = None) -> SignalScaling:
    """Find level and factor of each signal.

    Parameters
    ----------
    signals : ndarray, shape (n, L)
        NaN where a sample is not usable.
    noise : float
        Standard deviation that the noise is to have, as `estimate_sigma` finds it.
    centred : bool
        The level is the median of a signal's usable samples; otherwise 0.
    scale : float, optional
        The factor of all signals; None: `noise` over the noise of each.

    Returns
    -------
    SignalScaling
        NaN where the noise of a signal cannot be told, infinite where there is none.
    """
    known = np.isfinite(signals).any(axis=1)
    level, height = np.zeros((len(signals), 1)), np.zeros((len(signals), 1))
    if centred:
        level[known] = np.nanmedian(signals[known], axis=1, keepdims=True)
    if scale is not None:
        return SignalScaling(level, np.full(level.shape, scale))
    height[known] = np.nanmax(np.abs(signals[known]), axis=1, keepdims=True)
    sigma = estimate_sigma(signals)[:, None]
    with np.errstate(divide="ignore"):
        return SignalScaling(level, noise / np.where(sigma <= _LEAST_NOISE * height, 0, sigma))


def measure_noise(measured: NDArray[np.floating]) -> float:
    """Return the standard deviation of the noise of signals (n, L) alike: the median of what `estimate_sigma` finds."""
    return float(np.median(estimate_sigma(measured)))


def standardize_rows(rows: ArrayLike) -> Array:
    """Return rows (n, L) with a median of 0 and a noise of 1 each, to train on.

    Raises
    ------
    ComputeError
        When the noise of a row cannot be told, or there is none.
    """
    signals = np.atleast_2d(np.asarray(rows, np.float64))
    scaling = measure_scaling(signals, noise=1.0, centred=True)
    lost = np.flatnonzero(~np.isfinite(scaling.factor[:, 0]))
    if lost.size:
        msg = f"'rows' must have noise, in three usable samples side by side; row {lost[0]} has none. Leave it out."
        raise ComputeError(msg)
    return scaling.apply(signals)
