"""The direct solution and its gradient, of rows that all go from low to high intensity.

The backward pass differentiates the equation, not the way to its solution
(implicit differentiation): kappa moves such that the last value of the
recursion stays the step between the end levels. That costs two runs back over
the samples, whatever the search for kappa took.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_bgremove.learning.shirley.first_root import find_first_roots
from napari_bgremove.learning.shirley.one_pole import climb, run_back
from napari_bgremove.spectra.curve import CODES
from napari_bgremove.spectra.one_pole import Grid

__all__ = ["solve_direct"]

# Two end levels are equal when they differ by no more than rounding.
_ROUNDINGS = 4
# A CPU works on rows in blocks of about this many samples, which stay in its cache.
_BLOCK = 2**18


def solve_direct(grid: Grid, samples: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Solve Shirley's equation for rows, with gradients for `samples`, `low` and `high`.

    Parameters
    ----------
    grid : Grid
        From the end of low intensity to that of high intensity.
    samples : Tensor, shape (rows, N + 1)
    low, high : Tensor, shape (rows,)
        The end levels, low <= high.

    Returns
    -------
    background : Tensor, shape (rows, N + 1)
    kappa, net_area : Tensor, shape (rows,)
        All NaN where there is no background.
    status : Tensor of uint8, shape (rows,)
    """
    size = max(1, _BLOCK // samples.shape[1]) if samples.device.type == "cpu" else max(1, len(samples))
    blocks = zip(*(torch.split(part, size) for part in (samples, low, high)), strict=True)
    solved = (_Solution.apply(grid, *block) for block in blocks)  # type: ignore[no-untyped-call]
    background, kappa, net_area, status = (torch.cat(part) for part in zip(*solved, strict=True))
    return background, kappa, net_area, status


class _Solution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: Grid, samples: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, ...]:
        usable = samples.isfinite().all(1) & low.isfinite() & high.isfinite()
        above = (samples.T - low).contiguous()
        middles = (above[:-1] + above[1:]) / 2
        pieces = np.broadcast_to(grid.widths, len(middles)).copy()
        widths = torch.as_tensor(pieces, dtype=samples.dtype, device=samples.device)
        with torch.autocast(samples.device.type, enabled=False):
            kappa, status = _find(grid, widths, middles, low, high, usable)
        drawn = ~kappa.isnan()
        way = climb(widths, middles, torch.where(drawn, kappa, 0))
        ctx.save_for_backward(widths, way.loss, way.urge, drawn)
        ctx.mark_non_differentiable(status)
        curve = torch.cat([torch.zeros_like(above[:1]), way.curve])
        net = above - curve
        area = ((net[:-1] + net[1:]) / 2 * widths[:, None]).sum(0)
        background = torch.where(drawn, curve + low, torch.nan).T.contiguous()
        return background, kappa, torch.where(drawn, area, torch.nan), status

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, to_background: Tensor, to_kappa: Tensor, to_area: Tensor, _: Any
    ) -> tuple[None, Tensor, Tensor, Tensor]:
        """Pull gradients back through d kappa = (d step - sum(l reach dM)) / growth.

        As in `one_pole`; "reach" is the share of each value of the curve that is
        left at its end, "growth" that of the last value with kappa, and "seen"
        what each value of the curve gets from all that follows from it.
        """
        widths, loss, urge, drawn = ctx.saved_tensors
        # Where there is no background the incoming gradient may be NaN; nothing of it may pass.
        along, to_kappa, to_area = (torch.where(drawn, to, 0) for to in (to_background.T, to_kappa, to_area))
        half = widths[:, None] * to_area / 2
        on_curve = along.clone()
        on_curve[:-1] -= half
        on_curve[1:] -= half
        seen = run_back(loss, on_curve[1:])
        end = torch.zeros_like(loss)
        end[-1] = 1
        reach = run_back(loss, end)
        growth = (reach * urge).sum(0)
        # No growth has only a flat line with nothing above it: no step can change its kappa.
        on_step = torch.where(growth > 0, (to_kappa + (seen * urge).sum(0)) / growth, 0)
        on_middles = loss * (seen - on_step * reach) + 2 * half
        on_samples = torch.zeros_like(on_curve)
        on_samples[:-1] += on_middles / 2
        on_samples[1:] += on_middles / 2
        on_low = along.sum(0) - on_middles.sum(0) - on_step
        return None, on_samples.T, on_low, on_step


def _find(
    grid: Grid, widths: Tensor, middles: Tensor, low: Tensor, high: Tensor, usable: Tensor
) -> tuple[Tensor, Tensor]:
    """Kappa and status of each row."""
    step = high - low
    flat = usable & (step <= _ROUNDINGS * torch.finfo(step.dtype).eps * (low.abs() + step))
    kappa = find_first_roots(grid, widths, middles, torch.where(flat | ~usable, 0, step))
    kappa = torch.where(flat, 0, kappa)
    lies_below = (middles * widths[:, None]).sum(0) <= 0
    missing = torch.where(lies_below, CODES["negative_area"], CODES["no_solution"])
    status = torch.where(kappa.isnan(), missing, CODES["ok"])
    status = torch.where(flat, CODES["flat"], status)
    return kappa, torch.where(usable, status, CODES["no_data"]).to(torch.uint8)
