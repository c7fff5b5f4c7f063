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
from math import log10

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.one_pole import Grid, measure_end, scan_end

__all__ = ["Roots", "find_first_roots"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_NODES_PER_DECADE = 24
# Most roots lie within this factor of their lower bound; the range goes on from there only for the others.
_FIRST_REACH, _FURTHER_REACH = 3.0, 16.0
# A root at the very largest kappa is none: there the background is the data.
_TOP = 1 - 1e-9
# The height must pass the step by more than this share of it. A spectrum that only runs up to its higher end
# level, a step without a peak, reaches it at very large kappa, by rounding alone.
_MARGIN = 1e-10
_MOST_STEPS = 60
# Nodes that the polynomial behind the first guess goes through, with the slopes there.
_STENCIL = 4
# For fewer rows a pass over their spectra costs less than a better guess.
_WORTH_REFINING = 8
_HALVINGS = 30
_EPS = float(np.finfo(float).eps)


@dataclass
class Roots:
    """What was found for each row.

    Attributes
    ----------
    kappa : ndarray, shape (rows,)
        The first root; NaN where there is none.
    evaluations : ndarray of int, shape (rows,)
        Newton steps, each one pass over the spectrum.
    shortfall : ndarray, shape (rows,)
        By how much the greatest height misses the step; 0 at a root.
    """

    kappa: Array
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
    roots = Roots(np.full(len(step), np.nan), np.zeros(len(step), np.int64), step.copy())
    top = grid.largest_kappa * _TOP
    least = _bound_below(grid, middles, step)
    pending = np.flatnonzero(least < top)
    reached = 0.0
    while pending.size and reached < top:
        start = reached or 0.999 * float(least[pending].min())
        stop = min(top, _FURTHER_REACH * start if reached else _FIRST_REACH * _middle(least[pending]))
        pending = _search(grid, middles, step, pending, _space(start, stop), roots)
        reached = max(start, stop)
    return roots


def _bound_below(grid: Grid, middles: Array, step: Array) -> Array:
    """No root is smaller: a weight is never more than kappa times its interval."""
    area = grid.integrate(np.maximum(middles, 0))
    return np.asarray(np.divide(step, area, out=np.full(len(step), np.inf), where=area > 0))


def _middle(values: Array) -> float:
    """Their median, or the value above it; numpy's own takes a tenth of the time of a single spectrum."""
    return float(np.sort(values)[len(values) // 2])


def _space(start: float, stop: float) -> Array:
    reach = max(stop / start, 1.0)
    count = max(int(_NODES_PER_DECADE * log10(reach)) + 2, _STENCIL)
    return np.asarray(start * reach ** (np.arange(count) / (count - 1)))


def _search(grid: Grid, middles: Array, step: Array, rows: Index, nodes: Array, roots: Roots) -> Index:
    """Look for roots of `rows` between the nodes, note them, and return the rows without one."""
    chosen, wanted = (middles, step) if len(rows) == len(step) else (middles[rows], step[rows])
    gaps, slopes = scan_end(grid, chosen, nodes)
    gaps -= wanted[:, None]
    highest = gaps.max(axis=1)
    rounding = 4 * _EPS * np.maximum(chosen.max(axis=1), -chosen.min(axis=1))
    low, high, start = _bracket(grid, chosen, wanted, nodes, gaps, slopes, _MARGIN * wanted + 4 * rounding, highest)
    found = np.isfinite(start)
    if not found.all():
        roots.shortfall[rows] = np.minimum(np.maximum(-highest, 0), roots.shortfall[rows])
        chosen, wanted, low, high, start, rounding = (x[found] for x in (chosen, wanted, low, high, start, rounding))
    hits, missed = rows[found], rows[~found]
    if hits.size:
        roots.kappa[hits], roots.evaluations[hits] = _polish(grid, chosen, wanted, low, high, start, rounding)
        roots.shortfall[hits] = 0
    return missed


def _bracket(
    grid: Grid,
    middles: Array,
    step: Array,
    nodes: Array,
    gaps: Array,
    slopes: Array,
    margin: Array,
    highest: Array,
) -> tuple[Array, Array, Array]:
    """Find the first interval with a root in each row and guess it; a NaN guess where no interval holds one."""
    below = gaps < 0
    below[highest <= margin] = True
    crossing = below[:, :-1] > below[:, 1:]
    # Between two nodes the height may rise above the step and fall again; its tangent tells where it might.
    rising = slopes > 0
    hump = rising[:, :-1] > rising[:, 1:]
    if hump.any():
        hump &= below[:, :-1] & below[:, 1:] & (gaps[:, :-1] + slopes[:, :-1] * np.diff(nodes) > 0)
    low, high, start = np.full((3, len(gaps)), np.nan)
    pending = np.flatnonzero((crossing | hump).any(axis=1))
    while pending.size:
        at = (crossing[pending] | hump[pending]).argmax(axis=1)
        low[pending], high[pending] = nodes[at], nodes[at + 1]
        start[pending] = _guess(nodes, gaps, slopes, pending, at)
        unsure = ~crossing[pending, at]
        if not unsure.any():
            break
        pending, at = pending[unsure], at[unsure]
        peaks, heights = _climb_hump(grid, middles[pending], low[pending], high[pending])
        high[pending] = peaks
        lost = heights - step[pending] <= margin[pending]
        start[pending] = np.where(lost, np.nan, (low[pending] + peaks) / 2)
        hump[pending[lost], at[lost]] = False
        pending = pending[lost]
        pending = pending[(crossing[pending] | hump[pending]).any(axis=1)]
    return low, high, start


def _guess(nodes: Array, gaps: Array, slopes: Array, rows: Index, at: Index) -> Array:
    """Kappa as the cubic in the height that has the right slopes at both nodes."""
    k0, k1 = nodes[at], nodes[at + 1]
    y0, rise = gaps[rows, at], gaps[rows, at + 1] - gaps[rows, at]
    # A slope that is not positive says nothing about the inverse: the cubic is level there.
    both = slopes[rows, [at, at + 1]]
    d0, d1 = rise / np.where(both > 0, both, np.inf)
    t = -y0 / np.where(rise > 0, rise, np.inf)
    bend = d0 + d1 - 2 * (k1 - k0)
    guess = k0 + t * (d0 + t * (k1 - k0 - d0 - bend + t * bend))
    guess = np.minimum(np.maximum(guess, k0), k1)
    return guess if len(rows) < _WORTH_REFINING else _refine(nodes, gaps, slopes, rows, at, guess)


def _refine(nodes: Array, gaps: Array, slopes: Array, rows: Index, at: Index, guess: Array) -> Array:
    """Take one step of Newton on the polynomial through four nodes and their slopes: a pass over the spectrum less.

    Its variable is the logarithm of kappa, in which the nodes are evenly
    spaced, counted from the first of the four.
    """
    apart = np.log(nodes[1] / nodes[0])
    first = np.clip(at - 1, 0, len(nodes) - _STENCIL)
    taken = first[:, None] + np.arange(_STENCIL)
    here = rows[:, None], taken
    known = np.hstack([gaps[here], slopes[here] * nodes[taken] * apart])
    place = np.log(guess / nodes[first]) / apart
    powers = place[:, None] ** np.arange(2 * _STENCIL)
    coefficients = known @ _THROUGH_NODES
    height = np.einsum("ij,ij->i", coefficients, powers)
    growth = np.einsum("ij,ij->i", coefficients[:, 1:] * np.arange(1, 2 * _STENCIL), powers[:, :-1])
    moved = guess * np.exp(-apart * height / np.where(growth > 0, growth, np.inf))
    return np.asarray(np.clip(moved, nodes[at], nodes[at + 1]))


def _through_nodes() -> Array:
    """Coefficients of the polynomial that has given values, then given slopes, at 0, 1, 2 ...: one row for each."""
    places, power = np.arange(_STENCIL)[:, None], np.arange(2 * _STENCIL)
    values = places.astype(float) ** power
    slopes = power * places.astype(float) ** np.maximum(power - 1, 0)
    return np.asarray(np.linalg.inv(np.vstack([values, slopes])).T)


_THROUGH_NODES = _through_nodes()


def _climb_hump(grid: Grid, middles: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Greatest height between two kappas, where its slope changes from up to down."""
    low, high = low.copy(), high.copy()
    kappa = (low + high) / 2
    best, height = kappa, np.full(len(kappa), -np.inf)
    for _ in range(_HALVINGS):
        value, slope = measure_end(grid, middles, kappa)
        better = value > height
        best, height = np.where(better, kappa, best), np.where(better, value, height)
        low, high = np.where(slope > 0, kappa, low), np.where(slope > 0, high, kappa)
        kappa = (low + high) / 2
    return best, height


def _polish(
    grid: Grid, middles: Array, step: Array, low: Array, high: Array, kappa: Array, rounding: Array
) -> tuple[Array, NDArray[np.int64]]:
    """Newton within the bracket, each row until it settles: its kappa, and how many steps that took."""
    polished, evaluations = np.empty_like(kappa), np.zeros(len(kappa), np.int64)
    rows = np.arange(len(kappa))
    for _ in range(_MOST_STEPS):
        kappa, low, high, settled = _step(grid, middles, step, low, high, kappa, rounding)
        polished[rows] = kappa
        evaluations[rows] += 1
        if settled.all():
            break
        if settled.any():
            left = ~settled
            rows, middles, step, rounding = rows[left], middles[left], step[left], rounding[left]
            low, high, kappa = low[left], high[left], kappa[left]
    return polished, evaluations


def _step(
    grid: Grid, middles: Array, step: Array, low: Array, high: Array, kappa: Array, rounding: Array
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """One step of Newton; where it would leave the bracket, to its middle. Also the new bracket, and who settled."""
    height, growth = measure_end(grid, middles, kappa)
    gap = height - step
    short = gap < 0
    low, high = np.where(short, kappa, low), np.where(short, high, kappa)
    moved = kappa - gap / np.where(growth > 0, growth, np.nan)
    inside = (moved >= low) & (moved <= high)
    if not inside.all():
        moved = np.where(inside, moved, (low + high) / 2)
    change = np.abs(moved - kappa) / kappa
    # What Newton leaves behind is the square of its step, the more so the flatter the crossing.
    settled = inside & (change * change * step < _EPS * growth * kappa)
    settled |= (np.abs(gap) <= rounding) | (change <= 2 * _EPS)
    return moved, low, high, settled
