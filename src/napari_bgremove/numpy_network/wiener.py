"""The local Wiener filter as a layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_bgremove._validation import describe_shape
from napari_bgremove.numpy_network.arrays import Array

__all__ = ["WienerMemory", "backward_local", "backward_wiener", "forward_wiener", "measure_local"]


class WienerMemory(NamedTuple):
    """What the backward pass needs; `kept` is True where the variance reaches the noise."""

    x: Array
    mean: Array
    variance: Array
    noise: Array
    kept: Array
    ratio: Array
    window: int
    noise_given: bool


def measure_local(x: Array, *, window: int) -> tuple[Array, Array]:
    """Return mean and variance, mean(x^2) - mean(x)^2, over the `window` samples around each; zeros beyond the ends.

    Raises
    ------
    ValueError
        When the window is not odd and positive.
    """
    if window < 1 or window % 2 == 0:
        msg = f"'window' must be odd, so that it has a middle; found {window} samples."
        raise ValueError(msg)
    mean = _sum_box(x, window) / window
    return mean, _sum_box(x**2, window) / window - mean**2


def backward_local(by_mean: Array, by_variance: Array, x: Array, mean: Array, *, window: int) -> Array:
    """Return the gradient with respect to x, for those with respect to local mean and variance.

    The sum over an odd window is its own transpose.
    """
    by_box = by_mean - 2 * mean * by_variance
    return np.asarray(_sum_box(by_box, window) / window + 2 * x * (_sum_box(by_variance, window) / window))


def forward_wiener(x: Array, *, window: int = 3, noise: float | Array | None = None) -> tuple[Array, WienerMemory]:
    """Estimate a signal from local mean m and variance v: y = m + (1 - nu / v)(x - m) where v >= nu, and m elsewhere.

    Both branches of the paper's formula (slide "Implemented components"). The
    result is that of scipy.signal.wiener for each signal alone, in float64 to the
    last bit (windows above 11 samples may be summed in another order), and finite
    where the signal is constant.

    Parameters
    ----------
    x : ndarray
        (..., L), zero beyond its ends. Not modified.
    window : int
        Samples of local mean and variance, odd.
    noise : float or ndarray, optional
        Variance nu of the noise, in the unit of x squared, one for all or
        (..., 1). By default the mean of v over each signal, which the gradient
        then flows through.

    Returns
    -------
    y : ndarray
        Shape of x.
    memory : WienerMemory

    Raises
    ------
    ValueError
        When the window is not odd, or the noise is negative.

    References
    ----------
    J. S. Lim, Two-Dimensional Signal and Image Processing, Prentice Hall (1990), p. 548.
    """
    mean, variance = measure_local(x, window=window)
    level = variance.mean(axis=-1, keepdims=True) if noise is None else _check_noise(noise, x)
    kept = variance >= level
    # A variance of zero is kept only where there is no noise: nothing is to be taken away there.
    ratio = np.divide(level, variance, out=np.zeros_like(variance), where=kept & (variance > 0))
    y = mean + np.where(kept, 1 - ratio, 0) * (x - mean)
    return y, WienerMemory(x, mean, variance, level, kept, ratio, window, noise is not None)


def backward_wiener(g: Array, memory: WienerMemory) -> Array:
    """Return the gradient with respect to x; a noise that was given is a constant."""
    x, mean, variance, _, kept, ratio, window, noise_given = memory
    gain = np.where(kept, 1 - ratio, 0)
    by_gain = np.where(kept, g * (x - mean), 0)
    share = np.divide(by_gain, variance, out=np.zeros_like(by_gain), where=kept & (variance > 0))
    by_variance = share * ratio
    if not noise_given:
        by_variance = by_variance - share.mean(axis=-1, keepdims=True)
    by_x: Array = g * gain + backward_local(g * (1 - gain), by_variance, x, mean, window=window)
    return by_x


def _check_noise(noise: float | Array, x: Array) -> Array:
    level = np.asarray(noise, x.dtype)
    if not np.all(level >= 0):
        msg = f"'noise' must be a variance, zero or above; found {np.min(level)}."
        raise ValueError(msg)
    if level.ndim and level.shape != (*x.shape[:-1], 1):
        msg = (
            f"'noise' must be one number or one per signal ({describe_shape((*x.shape[:-1], 1))}); "
            f"found {describe_shape(level.shape)}."
        )
        raise ValueError(msg)
    return level


def _sum_box(x: Array, window: int) -> Array:
    """Sum over the window around each sample, zeros beyond the ends."""
    length, reach = x.shape[-1], window // 2
    padded = np.zeros((*x.shape[:-1], length + 2 * reach), x.dtype)
    padded[..., reach : reach + length] = x
    total = padded[..., :length].copy()
    for shift in range(1, window):
        total += padded[..., shift : shift + length]
    return total
