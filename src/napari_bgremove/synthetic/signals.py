"""Short noisy 1-D signals with their truth: what denoisers are trained on and judged by.

Three kinds, because a filter that is best on one is worst on another: spikes
that know nothing of their neighbours (Fang), peaks of a spectrum, whose
neighbours say almost everything, and two sinusoids (Selesnick), sparse in
the Fourier domain alone. The noise is white and normal in all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_positive

__all__ = ["SignalPairs", "estimate_spikes", "make_spectra", "make_spikes", "make_two_sinusoids"]

Array = NDArray[np.float64]
Seed = int | np.random.Generator

SPIKE_SHARE, SPIKE_HEIGHTS = 0.2, (2, 10)  # draws as a share of the length; lowest and highest height
PEAKS, PEAK_PRESENT = 6, 0.6
PEAK_HEIGHT, PEAK_HALF_WIDTH = (2.0, 10.0), (1.0, 4.0)  # half width at half maximum, samples
SINUSOIDS = ((2.0, 0.1, 0.0), (1.0, 0.22, -np.pi / 2))  # amplitude, cycles per sample, phase of a cosine


class SignalPairs(NamedTuple):
    """Signals and what is measured of them: measured = signal + noise, both shape (count, length), float64."""

    signal: Array
    measured: Array


def make_spikes(seed: Seed, count: int, *, length: int = 100, sigma: float = 3.0) -> SignalPairs:
    """Make sparse spikes in strong noise, the generator of Fang's table.

    In each signal length/5 places are drawn *with* replacement, and take a
    whole number from 2 to 10, all equally likely; a place drawn again takes
    the later one. About 18 % of the samples are not zero, and they tell
    nothing of their neighbours.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        The same seed gives the same arrays; a generator goes on.
    count, length : int
    sigma : float
        Standard deviation of the noise.

    Returns
    -------
    SignalPairs

    Raises
    ------
    ValueError
        When a number is not above zero.

    References
    ----------
    H. Fang, Advanced Project Updating, NYU Tandon School of Engineering (2021),
    and the generator published with it.
    """
    rng = _start(seed, count, length, sigma)
    draws = _count_draws(length)
    places = rng.integers(0, length, (count, draws))
    heights = rng.integers(SPIKE_HEIGHTS[0], SPIKE_HEIGHTS[1] + 1, (count, draws))
    signal = np.zeros((count, length))
    rows = np.arange(count)
    for draw in range(draws):  # one after the other, so that the later one stays
        signal[rows, places[:, draw]] = heights[:, draw]
    return _measure(rng, signal, sigma)


def make_spectra(seed: Seed, count: int, *, length: int = 128, sigma: float = 1.0) -> SignalPairs:
    """Make spectra of up to six peaks in noise, where neighbours know most of each other.

    Each of six pseudo-Voigt peaks is there with a probability of 0.6, at any
    place, 2 to 10 high, with a half width of 1 to 4 samples at half maximum
    and any mixing of heights; all uniform.

    Parameters, result and errors are those of `make_spikes`.
    """
    rng = _start(seed, count, length, sigma)
    shape = (count, PEAKS, 1)
    height = rng.uniform(*PEAK_HEIGHT, shape) * (rng.random(shape) < PEAK_PRESENT)
    mixing, place = rng.random(shape), rng.uniform(0, length - 1, shape)
    distance = np.square((np.arange(length) - place) / rng.uniform(*PEAK_HALF_WIDTH, shape))
    line = mixing / (1 + distance) + (1 - mixing) * np.exp(-np.log(2) * distance)
    signal = np.sum(height * line, axis=1)
    return _measure(rng, signal, sigma)


def make_two_sinusoids(seed: Seed, count: int, *, length: int = 100, sigma: float = 1.0) -> SignalPairs:
    """Make 2 cos(2 pi 0.1 m) + sin(2 pi 0.22 m) in noise: the problem on which GMC was published.

    The signal is the same in all rows; parameters, result and errors are
    those of `make_spikes`.

    References
    ----------
    I. Selesnick, IEEE Trans. Signal Process. 65 (2017) 4481.
    https://doi.org/10.1109/TSP.2017.2711501
    """
    rng = _start(seed, count, length, sigma)
    turns = 2 * np.pi * np.arange(length)
    signal = sum(high * np.cos(turns * frequency + phase) for high, frequency, phase in SINUSOIDS)
    return _measure(rng, np.tile(signal, (count, 1)), sigma)


def estimate_spikes(measured: ArrayLike, *, sigma: float = 3.0) -> Array:
    """Estimate spikes as no method can do much better: the posterior mean of each sample under their generator.

    From the prior of `make_spikes`, zero with probability (1 - 1/length)^draws
    and otherwise uniform over the heights, and the normal noise, sample by
    sample. It is the least mean square error of everything that looks at one
    sample at a time; neighbours add only that the number of draws is fixed.

    Parameters
    ----------
    measured : array_like, shape (..., length)
        Whole signals, since their length is part of the prior.
    sigma : float
        Of the noise, the one the signals were made with.

    Returns
    -------
    ndarray, same shape, float64

    Raises
    ------
    ValueError
        When sigma is not above zero.
    """
    check_positive("sigma", sigma)
    values = np.asarray(measured, np.float64)
    empty = (1 - 1 / values.shape[-1]) ** _count_draws(values.shape[-1])
    heights = np.arange(SPIKE_HEIGHTS[0], SPIKE_HEIGHTS[1] + 1)
    levels = np.append(heights, 0)
    prior = np.append(np.full(len(heights), (1 - empty) / len(heights)), empty)
    # Written without the common factor exp(-x^2 / 2 sigma^2), and scaled to the likeliest level: no underflow.
    exponents = np.log(prior) + (values[..., np.newaxis] - levels / 2) * levels / sigma**2
    weights = np.exp(exponents - exponents.max(axis=-1, keepdims=True))
    return np.asarray((weights @ levels) / weights.sum(axis=-1))


def _start(seed: Seed, count: int, length: int, sigma: float) -> np.random.Generator:
    for name, value in {"count": count, "length": length, "sigma": sigma}.items():
        check_positive(name, value)
    return np.random.default_rng(seed)


def _count_draws(length: int) -> int:
    return int(SPIKE_SHARE * length)


def _measure(rng: np.random.Generator, signal: Array, sigma: float) -> SignalPairs:
    return SignalPairs(signal, signal + sigma * rng.standard_normal(signal.shape))
