"""The one unknown of Shirley's background, of many spectra on any device: the twin of `spectra.first_root`.

The same way to the same root: the height at which the recursion arrives is
looked at over the whole range of kappa, at nodes that all spectra share, by
matrix products; Newton then polishes within a bracket. Nothing here is
tracked for gradients: at the root they follow from the equation itself.
"""

from __future__ import annotations

from math import ceil, log10

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_bgremove.learning.shirley.one_pole import measure_end
from napari_bgremove.spectra.one_pole import Grid, end_weights

__all__ = ["find_first_roots"]

_NODES_PER_DECADE = 24
# The range of kappa is gone through in parts: nearly every root lies within the first.
_REACH = 30.0
# A root at the very largest kappa is none: there the background is the data.
_TOP = 1 - 1e-9
# The height must pass the step by more than this share of it, and by more than its rounding.
_MARGIN = 1e-10
_MOST_STEPS = 60
_HALVINGS = 30


def find_first_roots(grid: Grid, widths: Tensor, middles: Tensor, step: Tensor) -> Tensor:
    """Find for each row the smallest kappa at which the recursion climbs from 0 to `step`.

    Parameters
    ----------
    grid : Grid
        From the end of low intensity to that of high intensity.
    widths : Tensor, shape (N,)
        The steps of `grid`, all of them.
    middles : Tensor, shape (N, rows)
        Means of neighbouring samples, above the lower end level; finite.
    step : Tensor, shape (rows,)

    Returns
    -------
    Tensor, shape (rows,)
        NaN where there is no root, or no step.
    """
    kappa = torch.full_like(step, torch.nan)
    top = grid.largest_kappa * _TOP
    area = (middles.clamp_min(0) * widths[:, None]).sum(0)
    least = step / area  # no root is smaller: a weight is never more than kappa times its interval
    pending = torch.nonzero((step > 0) & (area > 0) & (least < top))[:, 0]
    start = 0.999 * float(least[pending].min()) if len(pending) else top
    while len(pending) and start < top:
        stop = min(top, _REACH * start)
        nodes = np.geomspace(start, stop, ceil(_NODES_PER_DECADE * log10(stop / start)) + 2)
        found = _search(grid, widths, *_pick(pending, middles, step), nodes=nodes)
        kappa[pending] = found
        pending, start = pending[found.isnan()], stop
    return kappa


def _search(grid: Grid, widths: Tensor, middles: Tensor, step: Tensor, *, nodes: NDArray[np.float64]) -> Tensor:
    """First root of each row between the first and the last node, NaN where there is none."""
    weights, changes = (torch.as_tensor(w, dtype=step.dtype, device=step.device) for w in end_weights(grid, nodes))
    heights, slopes = weights @ middles, changes @ middles
    places = torch.as_tensor(nodes, dtype=step.dtype, device=step.device)
    low, high, start = _bracket(widths, middles, step, places, heights - step, slopes)
    found = torch.nonzero(~start.isnan())[:, 0]
    start[found] = _polish(widths, *_pick(found, middles, step, low, high, start))
    return start


def _bracket(
    widths: Tensor, middles: Tensor, step: Tensor, nodes: Tensor, gaps: Tensor, slopes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Bracket the first root of each row and guess it; a NaN guess where no interval holds one."""
    margin = _MARGIN * step + 16 * _rounding(middles)
    below = (gaps < 0) | (gaps.amax(0) <= margin)
    crossing = below[:-1] & ~below[1:]
    # Between two nodes the height may rise above the step and fall again; its tangent tells where it might.
    hump = below[:-1] & below[1:] & (slopes[:-1] > 0) & (slopes[1:] < 0)
    hump &= gaps[:-1] + slopes[:-1] * nodes.diff()[:, None] > 0
    at, rows = torch.nonzero(hump, as_tuple=True)
    peaks, heights = _climb_hump(widths, middles[:, rows], nodes[at], nodes[at + 1])
    hump[at, rows] = heights - step[rows] > margin[rows]
    ends = nodes[1:, None].repeat(1, len(step))
    ends[at, rows] = peaks
    event = crossing | hump
    first = event.to(torch.uint8).argmax(0)
    column = torch.arange(len(step), device=step.device)
    low, high = nodes[first], ends[first, column]
    start = torch.where(crossing[first, column], _guess(nodes, gaps, slopes, first, column), (low + high) / 2)
    return low, high, torch.where(event.any(0), start, torch.nan)


def _guess(nodes: Tensor, gaps: Tensor, slopes: Tensor, at: Tensor, rows: Tensor) -> Tensor:
    """Kappa as the cubic in the height that has the right slopes at both nodes."""
    k0, k1 = nodes[at], nodes[at + 1]
    y0, y1 = gaps[at, rows], gaps[at + 1, rows]
    rise = y1 - y0
    # A slope that is not positive says nothing about the inverse: the cubic is level there.
    d0, d1 = (torch.where(slope > 0, rise / slope, 0) for slope in (slopes[at, rows], slopes[at + 1, rows]))
    t = torch.where(rise > 0, -y0 / rise, 0)
    guess = k0 + t * (d0 + t * (3 * (k1 - k0) - 2 * d0 - d1 + t * (d0 + d1 - 2 * (k1 - k0))))
    return torch.minimum(torch.maximum(guess, k0), k1)


def _climb_hump(widths: Tensor, middles: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Greatest height between two kappas, where its slope changes from up to down."""
    best, height = low, torch.full_like(low, -torch.inf)
    for _ in range(_HALVINGS if len(low) else 0):
        kappa = (low + high) / 2
        value, slope = measure_end(widths, middles, kappa)
        best, height = torch.where(value > height, kappa, best), torch.maximum(value, height)
        low, high = torch.where(slope > 0, kappa, low), torch.where(slope > 0, high, kappa)
    return best, height


def _polish(widths: Tensor, middles: Tensor, step: Tensor, low: Tensor, high: Tensor, kappa: Tensor) -> Tensor:
    """Newton within the bracket, each row until it settles."""
    polished = kappa.clone()
    rows = torch.arange(len(kappa), device=kappa.device)
    for _ in range(_MOST_STEPS):
        kappa, low, high, settled = _newton(widths, middles, step, low, high, kappa)
        polished[rows] = kappa
        left = torch.nonzero(~settled)[:, 0]
        if len(left) == 0:
            break
        rows, middles, step, low, high, kappa = _pick(left, rows, middles, step, low, high, kappa)
    return polished


def _newton(
    widths: Tensor, middles: Tensor, step: Tensor, low: Tensor, high: Tensor, kappa: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of Newton; where it would leave the bracket, to its middle. Also the new bracket, and who settled."""
    eps = torch.finfo(kappa.dtype).eps
    height, growth = measure_end(widths, middles, kappa)
    gap = height - step
    low, high = torch.where(gap < 0, kappa, low), torch.where(gap < 0, high, kappa)
    moved = kappa - gap / torch.where(growth > 0, growth, torch.nan)
    inside = (moved >= low) & (moved <= high)
    there = gap.abs() <= 4 * _rounding(middles)
    moved = torch.where(inside, moved, torch.where(there, kappa, (low + high) / 2))
    change = (moved - kappa).abs() / kappa
    # What Newton leaves behind is the square of its step, the more so the flatter the crossing.
    settled = inside & (change * change * step < eps * growth * kappa)
    return moved, low, high, settled | there | (change <= 2 * eps)


def _pick(rows: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
    """Some rows of each part; no copies where that is all of them."""
    return parts if len(rows) == parts[0].shape[-1] else tuple(part[..., rows] for part in parts)


def _rounding(middles: Tensor) -> Tensor:
    return torch.finfo(middles.dtype).eps * middles.abs().amax(0)
