"""Bring signals to the level and the noise that a denoiser knows, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_noise import estimate_sigma

__all__ = ["SignalScaling", "measure_level", "measure_noise", "measure_scaling", "measure_sigma", "standardize_rows"]

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


def measure_scaling(
    signals: Array, *, noise: float, level: float = 0.0, centred: bool = False, scale: float | None = None
) -> SignalScaling:
    """Find level and factor of each signal.

    With a factor of its own a signal gets the median and the noise that the
    network knows, whatever pedestal it stands on and whatever its unit is.

    Parameters
    ----------
    signals : ndarray, shape (n, L)
        NaN where a sample is not usable.
    noise : float
        Standard deviation that the noise is to have, as `estimate_sigma` finds it.
    level : float
        What the median of a signal's usable samples becomes, in the scale of the network.
    centred : bool
        A signal whose factor is given is brought to this level, too; otherwise it stays where it is.
    scale : float, optional
        The factor of all signals; None: `noise` over the noise of each.

    Returns
    -------
    SignalScaling
        NaN where the noise of a signal cannot be told, infinite where there is none.
    """
    shape = (len(signals), 1)
    if scale is None:
        with np.errstate(divide="ignore"):
            factor = noise / measure_sigma(signals)[:, None]
    else:
        factor = np.full(shape, scale)
        if not centred:
            return SignalScaling(np.zeros(shape), factor)
    known, median = np.isfinite(signals).any(axis=1), np.zeros(shape)
    median[known] = np.nanmedian(signals[known], axis=1, keepdims=True)
    return SignalScaling(median - level / factor, factor)


def measure_sigma(signals: NDArray[np.floating]) -> Array:
    """Return the noise of each signal (n, L), by which it can be scaled.

    As `estimate_sigma`, but 0 up to 1e-6 of the signal's largest magnitude:
    that is rounding in single precision. NaN where it cannot be told.
    """
    height, known = np.zeros(len(signals)), np.isfinite(signals).any(axis=1)
    height[known] = np.nanmax(np.abs(signals[known]), axis=1)
    sigma = estimate_sigma(signals)
    return np.where(sigma <= _LEAST_NOISE * height, 0, sigma)


def measure_level(measured: NDArray[np.floating]) -> float:
    """Return the level of signals (n, L) alike: the median of their medians."""
    return float(np.median(np.median(measured, axis=1)))


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
    scaling = measure_scaling(signals, noise=1.0)
    lost = np.flatnonzero(~np.isfinite(scaling.factor[:, 0]))
    if lost.size:
        msg = f"'rows' must have noise, in three usable samples side by side; row {lost[0]} has none. Leave it out."
        raise ComputeError(msg)
    return scaling.apply(signals)
