"""The one unknown of Shirley's background: the first kappa that joins both end levels.

Run from the end of low intensity, the recursion of `one_pole` arrives at some
height at the other end; kappa is right when that height is the step between
the end levels. The smallest such kappa is wanted: with noise there can be
more, and those let the background run along the data.

A Newton climb from a guess can jump over that root, or have none to find.
So the height is first looked at over the whole range of kappa, at nodes so
close that it is smooth between them. One matrix product does that for a whole
map. Newton then only has to polish, within a bracket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.one_pole import Grid, end_weights

__all__ = ["Roots", "find_first_roots"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_NODES_PER_DECADE = 20
# Nearly every root lies within this factor of its lower bound; the rest is looked at only where needed.
_FIRST_REACH = 16.0
# A root at the very largest kappa is none: there the background is the data.
_TOP = 1 - 1e-9
_MOST_STEPS = 60
_EPS = float(np.finfo(float).eps)


@dataclass
class Roots:
    """What was found for each row.

    Attributes
    ----------
    kappa : ndarray, shape (rows,)
        The first root; NaN where there is none.
    slope : ndarray, shape (rows,)
        Growth of the height with kappa at the root.
    evaluations : ndarray of int, shape (rows,)
        Newton steps, each one pass over the spectrum.
    shortfall : ndarray, shape (rows,)
        By how much the greatest height misses the step; 0 at a root.
    """

    kappa: Array
    slope: Array
    evaluations: NDArray[np.int64]
    shortfall: Array


def find_first_roots(grid: Grid, middles: Array, step: Array) -> Roots:
    """Find for each row the smallest kappa at which the recursion climbs from 0 to `step`.

    Parameters
    ----------
    grid : Grid
    middles : ndarray, shape (rows, N)
        Means of neighbouring samples, above the lower end level.
    step : ndarray, shape (rows,)
        Above zero.

    Returns
    -------
    Roots
    """
    roots = Roots(np.full(len(step), np.nan), np.full(len(step), np.nan), np.zeros(len(step), np.int64), step.copy())
    top = grid.largest_kappa * _TOP
    least = _bound_below(grid, middles, step)
    pending = np.flatnonzero(least < top)
    reached = 0.0
    while pending.size and reached < top:
        start = reached or 0.999 * float(least[pending].min())
        stop = top if reached else min(top, _FIRST_REACH * float(np.median(least[pending])))
        pending = _search(grid, middles, step, pending, _space(start, stop), roots)
        reached = max(start, stop)
    return roots


def _bound_below(grid: Grid, middles: Array, step: Array) -> Array:
    """No root is smaller: a weight is never more than kappa times its interval."""
    area = (np.maximum(middles, 0) * grid.widths).sum(axis=1)
    return np.asarray(np.divide(step, area, out=np.full(len(step), np.inf), where=area > 0))


def _space(start: float, stop: float) -> Array:
    count = int(np.ceil(_NODES_PER_DECADE * np.log10(max(stop / start, 1.0)))) + 2
    return np.asarray(np.geomspace(start, max(start, stop), count))


def _search(grid: Grid, middles: Array, step: Array, rows: Index, nodes: Array, roots: Roots) -> Index:
    """Look for roots of `rows` between the nodes, note them, and return the rows without one."""
    weights, changes = end_weights(grid, nodes)
    chosen, wanted = (middles, step) if len(rows) == len(step) else (middles[rows], step[rows])
    gaps, slopes = chosen @ weights.T - wanted[:, None], chosen @ changes.T
    roots.shortfall[rows] = np.minimum(roots.shortfall[rows], -gaps.max(axis=1))
    low, high, start = _bracket(grid, chosen, wanted, nodes, gaps, slopes)
    found = np.isfinite(start)
    hits = rows[found]
    if hits.size:
        some = chosen if found.all() else chosen[found]
        polished = _polish(grid, some, wanted[found], low[found], high[found], start[found])
        roots.kappa[hits], roots.slope[hits], roots.evaluations[hits] = polished
        roots.shortfall[hits] = 0
    return rows[~found]


def _bracket(
    grid: Grid, middles: Array, step: Array, nodes: Array, gaps: Array, slopes: Array
) -> tuple[Array, Array, Array]:
    """Bracket the first root of each row and guess it; a NaN guess where no interval holds one."""
    below = gaps < 0
    crossing = below[:, :-1] & ~below[:, 1:]
    # Between two nodes the height may rise above the step and fall again; its tangent tells where it might.
    hump = below[:, :-1] & below[:, 1:] & (slopes[:, :-1] > 0) & (slopes[:, 1:] < 0)
    hump &= gaps[:, :-1] + slopes[:, :-1] * np.diff(nodes) > 0
    low, high, start = (np.full(len(gaps), np.nan) for _ in range(3))
    pending = np.flatnonzero((crossing | hump).any(axis=1))
    while pending.size:
        at = np.argmax(crossing[pending] | hump[pending], axis=1)
        low[pending], high[pending] = nodes[at], nodes[at + 1]
        crosses = crossing[pending, at]
        sure, at_sure = pending[crosses], at[crosses]
        start[sure] = _guess(nodes, gaps, slopes, sure, at_sure)
        unsure, at_unsure = pending[~crosses], at[~crosses]
        peaks, heights = _climb_hump(grid, middles[unsure], low[unsure], high[unsure])
        enough = heights >= step[unsure]
        high[unsure[enough]] = peaks[enough]
        start[unsure[enough]] = (low[unsure[enough]] + peaks[enough]) / 2
        hump[unsure[~enough], at_unsure[~enough]] = False
        pending = unsure[~enough]
        pending = pending[(crossing[pending] | hump[pending]).any(axis=1)]
    return low, high, start


def _guess(nodes: Array, gaps: Array, slopes: Array, rows: Index, at: Index) -> Array:
    """Solve the cubic through heights and slopes at both nodes."""
    width = nodes[at + 1] - nodes[at]
    y0, y1 = gaps[rows, at], gaps[rows, at + 1]
    s0, s1 = slopes[rows, at] * width, slopes[rows, at + 1] * width
    square, cube = 3 * (y1 - y0) - 2 * s0 - s1, 2 * (y0 - y1) + s0 + s1
    share = y0 / (y0 - y1)
    for _ in range(4):
        value = y0 + share * (s0 + share * (square + share * cube))
        slope = s0 + share * (2 * square + 3 * share * cube)
        move = np.divide(value, slope, out=np.zeros_like(value), where=slope > 0)
        share = np.clip(share - move, 0, 1)
    return np.asarray(nodes[at] + share * width)


def _climb_hump(grid: Grid, middles: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Greatest height between two kappas, where its slope changes from up to down."""
    low, high = low.copy(), high.copy()
    kappa = (low + high) / 2
    best, height = kappa, np.full(len(kappa), -np.inf)
    for _ in range(30 if len(kappa) else 0):
        value, slope = _evaluate(grid, middles, kappa)
        better = value > height
        best, height = np.where(better, kappa, best), np.where(better, value, height)
        low, high = np.where(slope > 0, kappa, low), np.where(slope > 0, high, kappa)
        kappa = (low + high) / 2
    return best, height


def _polish(
    grid: Grid, middles: Array, step: Array, low: Array, high: Array, kappa: Array
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Newton within the bracket; a step that would leave it is replaced by its middle."""
    slope = np.full(len(kappa), np.nan)
    evaluations = np.zeros(len(kappa), np.int64)
    rounding = 4 * _EPS * np.abs(middles).max(axis=1)
    active = np.arange(len(kappa))
    for _ in range(_MOST_STEPS):
        some = middles if len(active) == len(kappa) else middles[active]
        at = kappa[active]
        height, growth = _evaluate(grid, some, at)
        gap = height - step[active]
        low[active] = np.where(gap < 0, at, low[active])
        high[active] = np.where(gap < 0, high[active], at)
        moved = at - np.divide(gap, growth, out=np.full(len(at), np.nan), where=growth > 0)
        inside = (moved >= low[active]) & (moved <= high[active])
        moved = np.where(inside, moved, (low[active] + high[active]) / 2)
        kappa[active], slope[active] = moved, growth
        evaluations[active] += 1
        # What Newton leaves behind is the square of its step, the more so the flatter the crossing.
        left = ((moved - at) / at) ** 2 * step[active] / np.maximum(growth * at, 1e-300)
        settled = (inside & (left < _EPS)) | (np.abs(gap) <= rounding[active]) | (np.abs(moved - at) <= 2 * _EPS * at)
        active = active[~settled]
        if not active.size:
            break
    return kappa, slope, evaluations


def _evaluate(grid: Grid, middles: Array, kappa: Array) -> tuple[Array, Array]:
    """Height at the end of high intensity, and its growth with kappa."""
    weights, changes = end_weights(grid, kappa)
    return np.einsum("ij,ij->i", weights, middles), np.einsum("ij,ij->i", changes, middles)
