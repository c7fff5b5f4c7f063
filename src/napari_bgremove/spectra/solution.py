"""Shirley backgrounds of many rows that share their usable samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.curve import CODES, Curve, put_rows
from napari_bgremove.spectra.ends import PlacedEnd, measure_level
from napari_bgremove.spectra.one_pole import Grid, make_grid, middles_of
from napari_bgremove.spectra.propagation import RangeNoise, Sigmas, propagate, propagate_flat
from napari_bgremove.spectra.sample_noise import level_noise, level_sigmas

__all__ = ["Solution", "Solver", "solve_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Ends = tuple[PlacedEnd, PlacedEnd]
Solver = Callable[[Grid, Array, Array], Curve]

# A net area whose standard error is larger than this share of it is not worth having.
_WORTHLESS = 0.5
# Two end levels are equal when they differ by no more than rounding.
_ROUNDING = 4 * np.finfo(float).eps


@dataclass
class Solution:
    """What is known about each row; shapes (rows,), (rows, 2) for both ends, (rows, n) along the axis.

    `sigma_background` is (rows, 0) where no standard errors were asked for.
    """

    status: NDArray[np.uint8]
    kappa: Array
    net_area: Array
    min_net: Array
    shortfall: Array
    evaluations: NDArray[np.int64]
    sigma_kappa: Array
    sigma_area: Array
    levels: Array
    level_sigmas: Array
    mismatch: Array
    background: Array
    sigma_background: Array

    @classmethod
    def blank(cls, rows: int, samples: int, *, uncertain: bool) -> Solution:
        """Nothing known yet: no data, and NaN everywhere."""
        status, evaluations = np.full(rows, CODES["no_data"], np.uint8), np.zeros(rows, np.int64)
        kappa, net_area, min_net, shortfall, sigma_kappa, sigma_area = np.full((6, rows), np.nan)
        levels, level_sigmas, mismatch = np.full((3, rows, 2), np.nan)
        background = np.full((rows, samples), np.nan)
        sigma_background = np.full((rows, samples if uncertain else 0), np.nan)
        return cls(
            status, kappa, net_area, min_net, shortfall, evaluations, sigma_kappa, sigma_area,
            levels, level_sigmas, mismatch, background, sigma_background,
        )  # fmt: skip


@dataclass(frozen=True)
class _Task:
    """Rows whose background goes the same way, in the order of the recursion: from low to high intensity."""

    grid: Grid
    above: Array
    low: Array
    step: Array
    noise: RangeNoise | None


def solve_rows(axis: Array, values: Array, ends: Ends, solver: Solver, variances: Array | None) -> Solution:
    """Find the background of every row.

    Parameters
    ----------
    axis : ndarray, shape (n,)
        Ascending.
    values : ndarray, shape (rows, n)
        Finite.
    ends : pair of PlacedEnd
        On `axis`.
    solver : callable
        Direct, or by iteration.
    variances : ndarray, shape (rows, n), or None
        Of each sample; without it no standard errors are computed.
    """
    solution = Solution.blank(*values.shape, uncertain=variances is not None)
    _note_ends(solution, values, ends, variances)
    grid = make_grid(axis[ends[0].inner : ends[1].inner + 1])
    rising = solution.levels[:, 1] > solution.levels[:, 0]
    for upward in (False, True):
        rows = np.flatnonzero(rising == upward)
        if rows.size:
            task = _make_task(grid, values, solution.levels, ends, variances, rows, upward)
            _note(solution, rows, ends, task, _solve(task, solver), upward)
    return solution


def _note_ends(solution: Solution, values: Array, ends: Ends, variances: Array | None) -> None:
    for column, end in enumerate(ends):
        solution.levels[:, column] = measure_level(end, values)
        solution.mismatch[:, column] = values[:, end.inner] - solution.levels[:, column]
        solution.level_sigmas[:, column] = (
            level_sigmas(end, values) if variances is None else np.sqrt(level_noise(end, variances).variance)
        )


def _make_task(
    grid: Grid, values: Array, levels: Array, ends: Ends, variances: Array | None, rows: Index, upward: bool
) -> _Task:
    low, high = levels[rows].T[:: 1 if upward else -1]
    above = _range_of(_pick(values, rows), ends, upward) - low[:, None]
    noise = None if variances is None else _range_noise(_pick(variances, rows), ends, upward)
    return _Task(grid if upward else grid.reversed, above, low, high - low, noise)


def _solve(task: _Task, solver: Solver) -> Curve:
    flat = task.step <= _ROUNDING * (np.abs(task.low) + task.step)
    if not flat.any():
        return solver(task.grid, task.above, task.step)
    curve = Curve.flat(*task.above.shape)
    if not flat.all():
        put_rows(curve, ~flat, solver(task.grid, task.above[~flat], task.step[~flat]))
    return curve


def _note(solution: Solution, rows: Index, ends: Ends, task: _Task, curve: Curve, upward: bool) -> None:
    """Write down what the curves mean physically, along the ascending axis again."""
    solution.status[rows], solution.evaluations[rows] = curve.status, curve.evaluations
    solution.kappa[rows] = -curve.kappa if upward else curve.kappa
    solution.shortfall[rows] = curve.shortfall
    solution.net_area[rows] = _measure_area(task, curve)
    solution.min_net[rows] = (task.above - curve.background).min(axis=1)
    _draw(solution.background, solution.levels, rows, ends, curve.background + task.low[:, None], upward)
    if task.noise is not None:
        sigmas = _propagate(task, curve, task.noise)
        solution.sigma_kappa[rows], solution.sigma_area[rows] = sigmas.kappa, sigmas.area
        _draw(solution.sigma_background, solution.level_sigmas, rows, ends, sigmas.background, upward)
        weak = (curve.status == CODES["ok"]) & ~(sigmas.area <= _WORTHLESS * solution.net_area[rows])
        solution.status[rows[weak]] = CODES["ill_conditioned"]


def _measure_area(task: _Task, curve: Curve) -> Array:
    """Net area: step / kappa, and where both are zero the area above the line."""
    area: Array = np.divide(task.step, curve.kappa, out=np.full(len(task.step), np.nan), where=curve.kappa > 0)
    flat = curve.kappa == 0
    area[flat] = (middles_of(task.above[flat]) * task.grid.widths).sum(axis=1)
    return area


def _draw(target: Array, levels: Array, rows: Index, ends: Ends, curve: Array, upward: bool) -> None:
    """Write a curve to its range, and hold its end levels over the samples they were taken from."""
    first, last = ends
    target[rows, first.inner : last.inner + 1] = curve if upward else curve[:, ::-1]
    drawn = rows[np.isfinite(curve[:, 0])]
    target[drawn, first.start : first.inner] = levels[drawn, :1]
    target[drawn, last.inner + 1 : last.stop] = levels[drawn, 1:]


def _propagate(task: _Task, curve: Curve, noise: RangeNoise) -> Sigmas:
    flat, steep = np.flatnonzero(curve.kappa == 0), np.flatnonzero(curve.kappa > 0)
    if len(steep) == len(task.step):
        return propagate(task.grid, task.above, task.step, curve.kappa, curve.background, noise=noise)
    sigmas = Sigmas.blank(*task.above.shape)
    if flat.size:
        put_rows(sigmas, flat, propagate_flat(task.grid, task.above[flat], noise=noise.pick(flat)))
    if steep.size:
        above, step, background = task.above[steep], task.step[steep], curve.background[steep]
        part = propagate(task.grid, above, step, curve.kappa[steep], background, noise=noise.pick(steep))
        put_rows(sigmas, steep, part)
    return sigmas


def _range_noise(variances: Array, ends: Ends, upward: bool) -> RangeNoise:
    low, high = ends if upward else ends[::-1]
    return RangeNoise(_range_of(variances, ends, upward), level_noise(low, variances), level_noise(high, variances))


def _range_of(values: Array, ends: Ends, upward: bool) -> Array:
    inside = values[:, ends[0].inner : ends[1].inner + 1]
    return inside if upward else inside[:, ::-1]


def _pick(values: Array, rows: Index) -> Array:
    """Some rows of `values`; no copy where that is all of them."""
    return values if len(rows) == len(values) else values[rows]
