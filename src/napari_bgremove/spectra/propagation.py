"""How the noise of the samples gets into kappa, the net area and the background.

Shirley's equation ties kappa to the samples, so its derivatives follow from
those of the recursion (implicit differentiation); nothing is iterated or drawn
at random. A sample counts in two ways: in the range itself, and through the
end level if it lies in an anchor window. The end levels weigh most: counting
statistics of the peak alone are too small by a factor of 3 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.one_pole import Grid, log_retention, middles_of, run_one_pole, weigh_end

__all__ = ["LevelNoise", "RangeNoise", "Sigmas", "propagate", "propagate_flat"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class LevelNoise:
    """The noise of one end level.

    Attributes
    ----------
    variance : ndarray, shape (rows,)
        Of the level.
    share : float
        Weight of the sample at the inner edge in the level: 1 / points of the
        window, 0 for a level that is not read off the data.
    """

    variance: Array
    share: float


@dataclass(frozen=True)
class RangeNoise:
    """The noise of everything a background depends on, in the order of the recursion.

    Attributes
    ----------
    samples : ndarray, shape (rows, N + 1)
        Variance of each sample of the range.
    low, high : LevelNoise
        Of the lower and of the higher end level.
    """

    samples: Array
    low: LevelNoise
    high: LevelNoise

    def pick(self, rows: Index) -> RangeNoise:
        """Return the noise of some rows."""
        low, high = (LevelNoise(level.variance[rows], level.share) for level in (self.low, self.high))
        return RangeNoise(self.samples[rows], low, high)


@dataclass
class Sigmas:
    """Standard errors: of kappa and net area, shape (rows,), and of the background, shape (rows, N + 1)."""

    kappa: Array
    area: Array
    background: Array

    @classmethod
    def blank(cls, rows: int, samples: int) -> Sigmas:
        """NaN everywhere."""
        return cls(np.full(rows, np.nan), np.full(rows, np.nan), np.full((rows, samples), np.nan))


@dataclass(frozen=True)
class _Gradient:
    """Derivatives of one number by the samples of the range and by both end levels."""

    samples: Array
    low: Array
    high: Array

    def covary(self, noise: RangeNoise, samples: Array) -> tuple[Array, Array]:
        """Covariance of the number with each sample of the range, and with the lower end level.

        `samples`, its derivatives by the samples times their variances, becomes the first of them.
        """
        at_low = noise.low.share * samples[:, 0] + self.low * noise.low.variance
        samples[:, 0] += noise.low.share * self.low * noise.samples[:, 0]
        samples[:, -1] += noise.high.share * self.high * noise.samples[:, -1]
        return samples, at_low

    def sum_squares(self, noise: RangeNoise) -> Array:
        """Variance by the samples of the range alone."""
        return np.asarray(np.einsum("ij,ij->i", self.samples * noise.samples, self.samples))

    def variance(self, noise: RangeNoise, squares: Array) -> Array:
        """Variance, from `sum_squares`; a sample at an inner edge counts in the range and in its level."""
        total = squares.copy()
        for level, slope, edge in ((noise.low, self.low, 0), (noise.high, self.high, -1)):
            shared = level.share * self.samples[:, edge] * noise.samples[:, edge]
            total += slope * (2 * shared + slope * level.variance)
        return total


def propagate(grid: Grid, above: Array, step: Array, kappa: Array, background: Array, *, noise: RangeNoise) -> Sigmas:
    """Propagate independent noise of the samples through Shirley's equation.

    With W the weights of `one_pole.end_weights`, P = 1 - sum(W), and S the
    growth of the last value of the recursion with kappa,
    d kappa = (d high - P d low - sum(W dM)) / S, and the net area is step / kappa.

    Parameters
    ----------
    grid, above, step
        As for `direct.solve_direct`.
    kappa : ndarray, shape (rows,)
        The solution, above zero.
    background : ndarray, shape (rows, N + 1)
        The solution, above the lower end level.
    noise : RangeNoise

    Returns
    -------
    Sigmas
    """
    middles = middles_of(above)
    by_kappa = _follow_kappa(grid, middles, kappa, background)
    slope = by_kappa[:, -1].copy()  # S
    weights = weigh_end(grid, kappa)
    to_kappa = _Gradient(_on_samples(weights, -1 / slope), (weights.sum(axis=1) - 1) / slope, 1 / slope)
    with_kappa = to_kappa.samples * noise.samples
    squares = np.einsum("ij,ij->i", with_kappa, to_kappa.samples)
    # The net area is step / kappa. Its derivatives are added up before they are squared: for small steps they cancel.
    stretch = -step / kappa**2
    edges = to_kappa.samples[:, [0, -1]] * stretch[:, None]
    to_area = _Gradient(edges, stretch * to_kappa.low - 1 / kappa, stretch * to_kappa.high + 1 / kappa)
    of_kappa, of_area = to_kappa.variance(noise, squares), to_area.variance(noise, stretch**2 * squares)
    covariance = to_kappa.covary(noise, with_kappa)
    of_background = _background_variance(grid, kappa, by_kappa, noise, of_kappa, covariance)
    return Sigmas(_root(of_kappa), _root(of_area), _root(of_background))


def propagate_flat(grid: Grid, above: Array, *, noise: RangeNoise) -> Sigmas:
    """Propagate where both end levels are equal: the limit of `propagate` for a vanishing step.

    The net area is then the area above the line, F0, less the step times
    F1 / F0, where F1 weighs each sample with its distance from the higher end.
    """
    pieces = np.broadcast_to(grid.widths, (len(above), above.shape[1] - 1))
    growth = np.zeros_like(above)
    np.cumsum(middles_of(above) * pieces, axis=1, out=growth[:, 1:])
    area = growth[:, -1]
    first = (middles_of(growth) * pieces).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing above the line: no kappa, and no error of it
        to_kappa = _Gradient(np.zeros_like(above), -1 / area, 1 / area)
        to_area = _Gradient(_on_samples(pieces, 1.0), first / area - grid.length, -first / area)
        share = growth / area[:, None]
        variance = (1 - share) ** 2 * noise.low.variance[:, None] + share**2 * noise.high.variance[:, None]
        of_kappa, of_area = (one.variance(noise, one.sum_squares(noise)) for one in (to_kappa, to_area))
        return Sigmas(_root(of_kappa), _root(of_area), _root(variance))


def _follow_kappa(grid: Grid, middles: Array, kappa: Array, background: Array) -> Array:
    """How the curve grows with kappa: a recursion of its own, fed with how far the curve lies from the middles."""
    # d r / d kappa: how much less of the curve is kept as kappa grows.
    fading = -4 * grid.widths / (2 + kappa[:, None] * grid.widths) ** 2
    inputs = background[:, :-1] - middles
    inputs *= fading
    return run_one_pole(log_retention(grid, kappa), inputs, np.zeros(len(kappa)))


def _background_variance(
    grid: Grid,
    kappa: Array,
    by_kappa: Array,
    noise: RangeNoise,
    of_kappa: Array,
    with_kappa: tuple[Array, Array],
) -> Array:
    """Variance along the curve: at fixed kappa, of kappa, and of both together, the first and last by recursions."""
    retention = log_retention(grid, kappa)
    keep, half = np.exp(retention), -np.expm1(retention) / 2
    samples, start = with_kappa
    shared = samples[:, :-1] + samples[:, 1:]
    shared *= half
    together = run_one_pole(retention, shared, start)
    together *= 2
    together += by_kappa * of_kappa[:, None]
    together *= by_kappa
    together += run_one_pole(2 * retention, _fresh_variance(keep, half, noise), noise.low.variance)
    return together


def _fresh_variance(keep: Array, half: Array, noise: RangeNoise) -> Array:
    """What each interval adds to the variance: both its samples, the first of which the curve has met before."""
    earlier, later = noise.samples[:, :-1], noise.samples[:, 1:]
    before = half if half.shape[1] == 1 else np.hstack([half[:, :1], half[:, :-1]])
    fresh = half * (2 * keep * before + half) * earlier
    fresh += half**2 * later
    # The curve has met the first sample in the lower end level alone.
    fresh[:, 0] += 2 * half[:, 0] * keep[:, 0] * (noise.low.share - before[:, 0]) * earlier[:, 0]
    return np.asarray(fresh)


def _on_samples(weights: Array, scale: Array | float) -> Array:
    """Turn weights of middles into weights of samples, times `scale`: (rows, N) to (rows, N + 1)."""
    on_samples = np.empty((weights.shape[0], weights.shape[1] + 1))
    np.add(weights[:, :-1], weights[:, 1:], out=on_samples[:, 1:-1])
    on_samples[:, 0], on_samples[:, -1] = weights[:, 0], weights[:, -1]
    on_samples *= 0.5 * np.reshape(scale, (-1, 1))
    return on_samples


def _root(variance: Array) -> Array:
    # Where all errors cancel, as at a given level, rounding may leave less than zero.
    np.maximum(variance, 0, out=variance)
    return np.sqrt(variance, out=variance)
