"""Shirley's background without iteration: find kappa, then run the recursion once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.curve import CODES, Curve
from napari_bgremove.spectra.first_root import Roots, find_first_roots
from napari_bgremove.spectra.one_pole import Grid, log_retention, middles_of, run_one_pole

__all__ = ["solve_direct"]

Array = NDArray[np.float64]


def solve_direct(grid: Grid, above: Array, step: Array) -> Curve:
    """Solve Shirley's equation for rows that have a step.

    Parameters
    ----------
    grid : Grid
        From the end of low intensity to that of high intensity.
    above : ndarray, shape (rows, N + 1)
        Samples above the lower end level.
    step : ndarray, shape (rows,)
        Higher minus lower end level, above zero.

    Returns
    -------
    Curve
        Rows without a solution are "no_solution", or "negative_area" where
        the spectrum lies, on the whole, below its lower end level.
    """
    middles = middles_of(above)
    roots = find_first_roots(grid, middles, step)
    found = np.isfinite(roots.kappa)
    background = _run(grid, middles, roots.kappa) if found.all() else np.full(above.shape, np.nan)
    if not found.all() and found.any():
        background[found] = _run(grid, middles[found], roots.kappa[found])
    return Curve(background, roots.kappa, _judge(grid, middles, roots), roots.evaluations, roots.shortfall)


def _run(grid: Grid, middles: Array, kappa: Array) -> Array:
    retention = log_retention(grid, kappa)
    return run_one_pole(retention, -np.expm1(retention) * middles, np.zeros(len(kappa)))


def _judge(grid: Grid, middles: Array, roots: Roots) -> NDArray[np.uint8]:
    status = np.full(len(middles), CODES["ok"], np.uint8)
    missing = np.isnan(roots.kappa)
    if not missing.any():
        return status
    status[missing] = CODES["no_solution"]
    status[missing & (grid.integrate(middles) <= 0)] = CODES["negative_area"]
    return status
