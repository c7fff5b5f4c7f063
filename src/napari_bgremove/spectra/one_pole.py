"""The Shirley equation as what it is: a one-pole filter with one unknown number.

Shirley's background B of a spectrum J obeys B' = kappa (B - J): at each energy
it grows with the intensity not yet explained. On samples joined by the
trapezoid rule this is exactly the recursion

    B[i+1] = r[i] B[i] + (1 - r[i]) M[i],   r = (1 - q) / (1 + q),   q = kappa h / 2,

where M[i] is the mean of J[i] and J[i+1], and h[i] the step between them. Here
it always runs from the end of low intensity, B[0] known, to the end of high
intensity; then kappa > 0, every r lies between 0 and 1, and B is a weighted
mean of the data: nothing can grow out of bounds.

Every fixed point of the iteration in Qajar, "Gaussian-Lorentzian Layer
Background Removal" (formula for Shirley background calculation), taken on
samples, obeys this recursion, and the other way round. That the background
has an exponential form is known since Vegh, J. Electron Spectrosc. Relat.
Phenom. 46 (1988) 411.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.axes import is_uniform

__all__ = [
    "Grid",
    "end_weights",
    "log_retention",
    "make_grid",
    "measure_end",
    "middles_of",
    "run_one_pole",
    "scan_end",
    "weigh_end",
]

Array = NDArray[np.float64]
# exp() of this is far from overflow, and loses no digits to it.
_SPAN = 200.0
# From so many rows on it pays to go through them sample by sample, all rows in each step.
_MANY_ROWS = 200


@dataclass(frozen=True)
class Grid:
    """The steps between the samples of a range, in the order of the recursion.

    Attributes
    ----------
    widths : ndarray, shape (N,) or (1,)
        Step of each interval, above zero; a single one where all are equal.
    later : ndarray, shape (N,)
        Number of intervals after each.
    """

    widths: Array
    later: Array

    @property
    def length(self) -> float:
        """Distance between the two ends."""
        return float(self.widths.sum()) if self.widths.size > 1 else float(self.widths[0] * len(self.later))

    @property
    def largest_kappa(self) -> float:
        """Beyond it the background decays within one interval (r <= 0), which means nothing."""
        return float(2 / self.widths.max())

    @property
    def reversed(self) -> Grid:
        """The same steps, seen from the other end."""
        return Grid(self.widths[::-1], self.later)

    def integrate(self, middles: Array) -> Array:
        """Area below the samples of each row, from (rows, N) `middles`, by the trapezoid rule."""
        if self.widths.size == 1:
            return np.asarray(middles.sum(axis=1) * self.widths)
        return np.asarray(middles @ self.widths)

    def sum_later(self, values: Array) -> Array:
        """Add up (rows, N or 1) `values` over the intervals after each one, shape (rows, N)."""
        if self.widths.size == 1:
            return values * self.later
        total = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(total - values)


def make_grid(axis: Array) -> Grid:
    """Build the grid of an ascending axis."""
    widths = np.array([(axis[-1] - axis[0]) / (len(axis) - 1)]) if is_uniform(axis) else np.diff(axis)
    return Grid(widths, np.arange(len(axis) - 2, -1, -1, dtype=float))


def middles_of(samples: Array) -> Array:
    """Mean of neighbouring samples: (rows, N + 1) to (rows, N)."""
    middles = samples[:, :-1] + samples[:, 1:]
    middles *= 0.5
    return np.asarray(middles)


def log_retention(grid: Grid, kappa: Array) -> Array:
    """Logarithm of r for each kappa and interval, shape (rows, N or 1)."""
    return np.asarray(-2 * np.arctanh(kappa[:, None] * (grid.widths / 2)))


def weigh_end(grid: Grid, kappa: Array) -> Array:
    """Weights of the middles in the last value of the recursion: those of `end_weights`, without derivatives."""
    retention = log_retention(grid, kappa)
    weights = grid.sum_later(retention)
    np.exp(weights, out=weights)
    weights *= -np.expm1(retention)
    return weights


def end_weights(grid: Grid, kappa: Array) -> tuple[Array, Array]:
    """Weights of the middles in the last value of the recursion, and their derivatives.

    The last value is sum(weights x middles) + (1 - sum(weights)) x first value.

    Parameters
    ----------
    grid : Grid
    kappa : ndarray, shape (rows,)
        Above zero and below `grid.largest_kappa`.

    Returns
    -------
    weights, slopes : ndarray, shape (rows, N)
        `slopes` are the derivatives of `weights` by kappa.
    """
    q = kappa[:, None] * (grid.widths / 2)
    weights = weigh_end(grid, kappa)
    slopes = grid.sum_later(-grid.widths / (1 - q * q))
    slopes += 1 / (kappa[:, None] * (1 + q))
    slopes *= weights
    return weights, slopes


def measure_end(grid: Grid, middles: Array, kappa: Array) -> tuple[Array, Array]:
    """Measure where the recursion arrives when it starts at zero, and how that grows with kappa.

    On equal steps the last value is (1 - r) times a polynomial in r. For a few
    rows its powers are added up as they are; for many it is folded in halves:
    value and derivative cost two multiplications and additions per sample,
    and no exponentials.

    Parameters
    ----------
    grid : Grid
    middles : ndarray, shape (rows, N)
    kappa : ndarray, shape (rows,)
        Above zero and below `grid.largest_kappa`.

    Returns
    -------
    height, growth : ndarray, shape (rows,)
    """
    if grid.widths.size > 1:
        weights, slopes = end_weights(grid, kappa)
        return np.einsum("ij,ij->i", weights, middles), np.einsum("ij,ij->i", slopes, middles)
    if len(kappa) >= _MANY_ROWS:
        return _finish(grid, kappa, *_fold_polynomial(middles, log_retention(grid, kappa)[:, 0]))
    powers = np.exp(log_retention(grid, kappa) * grid.later)
    value = np.einsum("ij,ij->i", powers, middles)
    powers *= grid.later
    return _finish(grid, kappa, value, np.einsum("ij,ij->i", powers, middles))


def scan_end(grid: Grid, middles: Array, kappas: Array) -> tuple[Array, Array]:
    """Measure the end as `measure_end` does, of every row at each of the same kappas.

    Parameters
    ----------
    grid : Grid
    middles : ndarray, shape (rows, N)
    kappas : ndarray, shape (kappas,)

    Returns
    -------
    height, growth : ndarray, shape (rows, kappas)
    """
    if grid.widths.size > 1:
        weights, slopes = end_weights(grid, kappas)
        return middles @ weights.T, middles @ slopes.T
    powers = np.exp(log_retention(grid, kappas) * grid.later)
    value = middles @ powers.T
    powers *= grid.later
    return _finish(grid, kappas, value, middles @ powers.T)


def _finish(grid: Grid, kappa: Array, value: Array, slope: Array) -> tuple[Array, Array]:
    """Make height and growth out of the polynomial in r, and its slope by the logarithm of r."""
    q = kappa * (grid.widths / 2)
    ahead, behind = 1 + q, 1 - q
    height = 2 * q / ahead * value
    # By kappa: r falls by h / (1 + q)^2.
    return height, (height / kappa - 2 * q * grid.widths / behind * slope / ahead) / ahead


def _fold_polynomial(coefficients: Array, log_base: Array) -> tuple[Array, Array]:
    """Evaluate the polynomial in exp(`log_base`) whose last coefficient is the constant, and its slope by `log_base`.

    The front half, times the power that it stands ahead by, is added to the
    back half until one coefficient is left.
    """
    value, slope = coefficients, None
    while (count := value.shape[1]) > 1:
        front = count // 2
        ahead = count - front
        power = np.exp(ahead * log_base)[:, None]
        moved = value[:, :front] * power
        folded = np.zeros((len(value), ahead)) if slope is None else slope[:, front:].copy()
        if slope is not None:
            folded[:, ahead - front :] += slope[:, :front] * power
        value = value[:, front:].copy()
        value[:, ahead - front :] += moved
        moved *= ahead
        folded[:, ahead - front :] += moved
        slope = folded
    return value[:, 0], np.zeros(len(value)) if slope is None else slope[:, 0]


def run_one_pole(log_retention: Array, inputs: Array, start: Array) -> Array:
    """Run y[i+1] = r[i] y[i] + inputs[i] over all rows at once.

    Many rows go step by step, a few as a running sum of
    inputs[i] / (r[0] ... r[i]), in spans short enough that nothing overflows.
    As older terms only fade, no digits cancel.

    Parameters
    ----------
    log_retention : ndarray, shape (rows, N) or (rows, 1)
        Logarithm of r, not above zero.
    inputs : ndarray, shape (rows, N)
    start : ndarray, shape (rows,)
        y[0].

    Returns
    -------
    ndarray, shape (rows, N + 1)
    """
    rows, count = inputs.shape
    if rows >= _MANY_ROWS:
        return _run_in_step(np.exp(log_retention), inputs, start)
    out = np.empty((rows, count + 1))
    out[:, 0] = start
    for first, last in _spans(log_retention, count):
        decay = np.exp(_running_sum(log_retention, first, last))
        total = inputs[:, first:last] / decay
        np.cumsum(total, axis=1, out=total)
        total += out[:, first, None]
        np.multiply(total, decay, out=out[:, first + 1 : last + 1])
    return out


def _run_in_step(retention: Array, inputs: Array, start: Array) -> Array:
    """Take the same step in every row; the rows lie side by side in memory, so each is one pass over neighbours."""
    rows, count = inputs.shape
    out = np.empty((count + 1, rows))
    out[0], out[1:] = start, inputs.T
    kept, faded = np.broadcast_to(np.ascontiguousarray(retention.T), (count, rows)), np.empty(rows)
    for before, after, keep in zip(out[:-1], out[1:], kept, strict=True):
        np.multiply(before, keep, out=faded)
        np.add(after, faded, out=after)
    return np.ascontiguousarray(out.T)


def _spans(log_retention: Array, count: int) -> list[tuple[int, int]]:
    """Cut the intervals so that no row decays by more than exp(-_SPAN) within one."""
    strongest = -log_retention.min(axis=0)
    if strongest.size == 1 and strongest[0] * count < _SPAN:
        return [(0, count)]
    strongest = np.broadcast_to(strongest, (count,))
    number = np.floor(np.cumsum(strongest) / _SPAN)
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), count]
    return list(pairwise(cuts))


def _running_sum(log_retention: Array, first: int, last: int) -> Array:
    if log_retention.shape[1] == 1:
        return log_retention * np.arange(1.0, last - first + 1)
    return np.asarray(np.cumsum(log_retention[:, first:last], axis=1))
