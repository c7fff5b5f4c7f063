"""Denoise signals that are sparse: few samples, or few frequencies, are not zero.

Penalised are the coefficients c of a signal A c: their magnitudes (L1), or
the generalised minimax-concave penalty (GMC), which spares large ones and
keeps the problem convex. gamma = 0 is L1. Where A is unitary both have closed
forms, a soft and a firm threshold; where A is a frame with more coefficients
than samples they are found by iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from napari_bgremove._validation import check_choice, check_positive
from napari_bgremove.filters.shrinkage import firm_threshold, positive_threshold, soft_threshold

__all__ = [
    "DOMAINS",
    "Domain",
    "Frame",
    "SparseSolution",
    "estimate_sparse",
    "make_fourier_frame",
    "solve_sparse",
]

Array = NDArray[np.float64]
Coefficients = NDArray[Any]
Domain = Literal["direct", "fourier"]
DOMAINS: tuple[Domain, ...] = ("direct", "fourier")


@dataclass(frozen=True)
class Frame:
    """A linear map from coefficients to signals, and its adjoint.

    Attributes
    ----------
    synthesize : callable
        A: coefficients (..., k) to signals (..., n).
    analyze : callable
        The adjoint of A: signals (..., n) to coefficients (..., k).
    norm : float
        Largest eigenvalue of (adjoint A) A; 1 where A (adjoint A) is the identity.
    """

    synthesize: Callable[[Coefficients], Coefficients]
    analyze: Callable[[Coefficients], Coefficients]
    norm: float = 1.0


@dataclass(frozen=True)
class SparseSolution:
    """What the iteration found.

    Attributes
    ----------
    signal : ndarray, shape (..., n)
        The real part of A c.
    coefficients : ndarray, shape (..., k)
    converged : ndarray of bool, shape (...,)
        Whether the last step of a signal changed its coefficients by less
        than the tolerance.
    iterations : int
        Steps taken, by the slowest signal.
    """

    signal: Array
    coefficients: Coefficients
    converged: NDArray[np.bool_]
    iterations: int


def make_fourier_frame(length: int, coefficients: int) -> Frame:
    """Return the inverse DFT of `coefficients` frequencies, truncated to `length` samples, with A (adjoint A) = 1.

    Raises
    ------
    ValueError
        When there are fewer coefficients than samples.
    """
    check_positive("length", length)
    if coefficients < length:
        msg = f"'coefficients' must be at least the {length} samples of a signal; found {coefficients}."
        raise ValueError(msg)
    return Frame(
        synthesize=lambda c: np.asarray(fft.ifft(c, axis=-1, norm="ortho")[..., :length]),
        analyze=lambda y: np.asarray(fft.fft(y, coefficients, axis=-1, norm="ortho")),
    )


def estimate_sparse(
    measured: ArrayLike, *, weight: ArrayLike, gamma: float = 0.0, domain: Domain = "direct", positive: bool = False
) -> Array:
    """Denoise by L1 (gamma = 0) or GMC for samples, or for frequencies of the unitary DFT, in closed form.

    Soft thresholds are the exact minimum of 1/2 ||y - A c||^2 + weight ||c||_1
    for unitary A; for GMC with B = sqrt(gamma / weight) A it is the firm
    threshold with knees weight and weight / gamma (Selesnick, section VI).

    Parameters
    ----------
    measured : array_like, shape (..., n)
        Finite; not modified.
    weight : array_like
        lambda, in the unit of the signal; broadcast against `measured` (for
        "fourier": against its frequencies), so (..., 1) is one for each signal.
    gamma : float
        0 to below 1: how far large coefficients are spared.
    domain : "direct" or "fourier"
        Where the signal is sparse.
    positive : bool
        Whether the signal is known to be nowhere negative ("direct" only).

    Returns
    -------
    ndarray, same shape, float64

    Raises
    ------
    ValueError
        When a weight is negative, gamma lies outside, there is no such domain,
        or frequencies should be positive.

    References
    ----------
    I. Selesnick, IEEE Trans. Signal Process. 65 (2017) 4481.
    https://doi.org/10.1109/TSP.2017.2711501
    """
    check_choice("domain", domain, DOMAINS)
    values = np.asarray(measured, np.float64)
    if domain == "direct":
        return _shrink_positive(values, weight, gamma) if positive else _shrink(values, weight, gamma)
    if positive:
        msg = "'positive' must be False in the domain fourier, where a threshold does not keep signs; found True."
        raise ValueError(msg)
    # The half of the frequencies that a real signal needs; the other half has the same magnitudes.
    frequencies = fft.rfft(values, axis=-1, norm="ortho")
    return np.asarray(fft.irfft(_shrink(frequencies, weight, gamma), values.shape[-1], axis=-1, norm="ortho"))


def solve_sparse(
    measured: ArrayLike,
    *,
    frame: Frame,
    weight: float,
    gamma: float = 0.0,
    tolerance: float = 1e-6,
    max_iterations: int = 10_000,
) -> SparseSolution:
    """Denoise by L1 (gamma = 0) or GMC for the coefficients of a frame, by forward-backward splitting.

    Minimises 1/2 ||y - A c||^2 + weight * penalty(c) as the saddle point in
    (c, v) of Selesnick's Proposition 15: a gradient step of length
    mu = 1.9 / (norm max(1, gamma / (1 - gamma))) in both, then the soft
    threshold mu * weight of both. A signal that has settled is left alone, so
    that many together give what each gives alone.

    Parameters
    ----------
    measured : array_like, shape (..., n)
        Finite, real; not modified.
    frame : Frame
    weight : float
        lambda, in the unit of the signal.
    gamma : float
        0 to below 1.
    tolerance : float
        Largest change of the coefficients in a step, relative to their norm.
    max_iterations : int
        A signal that has not settled then is returned as it is, and
        `converged` says so.

    Returns
    -------
    SparseSolution

    Raises
    ------
    ValueError
        When the weight is negative, gamma lies outside, or tolerance or number
        of steps are not above zero.

    References
    ----------
    I. Selesnick, IEEE Trans. Signal Process. 65 (2017) 4481.
    https://doi.org/10.1109/TSP.2017.2711501
    """
    check_positive("tolerance", tolerance)
    check_positive("max_iterations", max_iterations)
    values = np.asarray(measured, np.float64)
    rows = values.reshape(-1, values.shape[-1])
    _shrink(rows[:0], weight, gamma)  # what is wrong with weight or gamma is said before the work
    pair = np.zeros((2, *frame.analyze(rows).shape), np.complex128)  # c and v, from zero
    moving = np.arange(len(rows))
    steps = 0
    while moving.size and steps < max_iterations:
        new = _step(pair[:, moving], rows[moving], frame, weight, gamma)
        change = np.linalg.norm(new - pair[:, moving], axis=-1).max(axis=0)
        size = np.linalg.norm(new, axis=-1).max(axis=0)
        pair[:, moving] = new
        moving = moving[change > tolerance * size]
        steps += 1
    settled = np.isin(np.arange(len(rows)), moving, invert=True).reshape(values.shape[:-1])
    found = pair[0].reshape(*values.shape[:-1], -1)
    return SparseSolution(np.asarray(frame.synthesize(found).real), found, settled, steps)


def _step(pair: Coefficients, measured: Array, frame: Frame, weight: float, gamma: float) -> Coefficients:
    """Take one forward-backward step in c and v; for L1 v stays zero and is not worked out."""
    length = 1.9 / (frame.norm * max(1.0, gamma / (1 - gamma)))
    c, v = pair
    new = np.zeros_like(pair)
    misfit = frame.synthesize(c + gamma * (v - c)) - measured
    new[0] = soft_threshold(c - length * frame.analyze(misfit), length * weight)
    if gamma:
        apart = frame.analyze(frame.synthesize(v - c))
        new[1] = soft_threshold(v - length * gamma * apart, length * weight)
    return new


def _shrink_positive(samples: Array, weight: ArrayLike, gamma: float) -> Array:
    """Shrink samples that should not be negative: what is below zero ends at zero, whatever its magnitude."""
    return firm_threshold(np.maximum(samples, 0), weight, gamma) if gamma else positive_threshold(samples, weight)


def _shrink(coefficients: Coefficients, weight: ArrayLike, gamma: float) -> Coefficients:
    return firm_threshold(coefficients, weight, gamma) if gamma else soft_threshold(coefficients, weight)
