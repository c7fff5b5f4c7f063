"""Shirley's background by the recursion as it is printed, sweep after sweep.

Kept to teach, and to check the direct solution. It can fail on clean data
that has a background: it converges only while kappa is smaller than the
nearest complex zero of the Laplace transform of the net spectrum, which two
peaks far apart violate. It then swings for ever, which is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.curve import CODES, Curve
from napari_bgremove.spectra.one_pole import Grid, middles_of

__all__ = ["solve_by_iteration", "sweep_backgrounds"]

Array = NDArray[np.float64]


def sweep_backgrounds(grid: Grid, above: Array, step: Array) -> Iterator[Array]:
    """Yield the background after each sweep, without end.

    Each is, at each sample, the step times the share of the net area between
    the end of low intensity and that sample: the formula for the Shirley
    background calculation in Qajar, "Gaussian-Lorentzian Layer Background
    Removal", above the lower end level. The paper does not say where to
    begin; here it is a flat line at the lower end level.

    Parameters
    ----------
    grid : Grid
        From the end of low intensity to that of high intensity.
    above : ndarray, shape (rows, N + 1)
        Samples above the lower end level.
    step : ndarray, shape (rows,)
        Higher minus lower end level.

    Yields
    ------
    ndarray, shape (rows, N + 1)
        0 at one end and exactly `step` at the other, in every sweep; not
        finite where the net area has become zero.
    """
    background = np.zeros_like(above)
    while True:
        background = _sweep(grid, above, step, background)
        yield background


def solve_by_iteration(
    grid: Grid, above: Array, step: Array, *, tolerance: float = 1e-12, max_sweeps: int = 500
) -> Curve:
    """Sweep until no sample changes by more than `tolerance` x step, or `max_sweeps` are done.

    Parameters
    ----------
    grid, above, step
        As for `sweep_backgrounds`; `step` above zero.
    tolerance : float
        Largest change of any sample, as a share of the step: the unit of the
        intensity does not matter. Never less than rounding allows.
    max_sweeps : int

    Returns
    -------
    Curve
        Rows still moving are "not_converged", and `shortfall` is their last
        change; rows that settled on a net area below zero "negative_area".
    """
    rows = len(step)
    background, change = np.zeros_like(above), np.full(rows, np.inf)
    sweeps = np.zeros(rows, np.int64)
    rounding = 8 * np.finfo(float).eps * np.abs(above).max(axis=1) / step
    limit = np.maximum(tolerance, rounding)
    active = np.arange(rows)
    for _ in range(max_sweeps):
        moved = _sweep(grid, above[active], step[active], background[active])
        change[active] = np.abs(moved - background[active]).max(axis=1) / step[active]
        background[active] = moved
        sweeps[active] += 1
        active = active[~(change[active] <= limit[active])]
        if not active.size:
            break
    area = (middles_of(above - background) * grid.widths).sum(axis=1)
    return _report(background, step, area, sweeps, change, settled=change <= limit)


def _sweep(grid: Grid, above: Array, step: Array, background: Array) -> Array:
    share = np.zeros_like(above)
    np.cumsum(middles_of(above - background) * grid.widths, axis=1, out=share[:, 1:])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a net area of zero: reported, not hidden
        share /= share[:, -1:].copy()
        share *= step[:, None]
    return share


def _report(
    background: Array, step: Array, area: Array, sweeps: NDArray[np.int64], change: Array, *, settled: NDArray[np.bool_]
) -> Curve:
    status = np.where(settled, np.uint8(CODES["ok"]), np.uint8(CODES["not_converged"]))
    status[settled & (area <= 0)] = CODES["negative_area"]
    good = status == CODES["ok"]
    kappa = np.divide(step, area, out=np.full(len(step), np.nan), where=good)
    background[~good] = np.nan
    return Curve(background, kappa, status, sweeps, np.where(good, 0.0, change * step))
