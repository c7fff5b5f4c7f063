"""Spectra, their ends and their directions: what is asked of `direct`, and what is made of its answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_bgremove._validation import describe_shape
from napari_bgremove.learning.shirley.direct import solve_direct
from napari_bgremove.spectra.axes import check_axis
from napari_bgremove.spectra.ends import Anchor, End, Endpoint, PlacedEnd, place_ends
from napari_bgremove.spectra.one_pole import Grid, make_grid

__all__ = ["ShirleyTensors", "shirley_background"]


class ShirleyTensors(NamedTuple):
    """Shirley backgrounds of spectra of shape (..., n); signs and meaning as in `spectra.shirley`.

    Attributes
    ----------
    background : Tensor, shape (..., n)
        NaN beyond the ends, and where there is none.
    kappa : Tensor, shape (...)
        (I1 - I2) / net area, per unit of the axis; 0 where flat, NaN where
        there is no background.
    net_area : Tensor, shape (...)
        Area of the signal between the inner edges of the ends; NaN likewise.
    end_levels : Tensor, shape (..., 2)
        I1 at the lower and I2 at the higher axis value.
    status : Tensor of uint8, shape (...)
        Places in `spectra.shirley.STATUSES`: "ok", "flat", "no_solution",
        "negative_area" or "no_data".
    """

    background: Tensor
    kappa: Tensor
    net_area: Tensor
    end_levels: Tensor
    status: Tensor

    @property
    def solved(self) -> Tensor:
        """True where there is a background; pick these before computing a loss, as NaN spreads."""
        return ~self.kappa.isnan()


def shirley_background(
    axis: ArrayLike | Tensor,
    measured: Tensor,
    *,
    ends: tuple[End, End] | None = None,
    end_levels: Any = None,
) -> ShirleyTensors:
    """Estimate Shirley's background of spectra, differentiably.

    At energy E the background is I2 plus (I1 - I2) times the share of the net
    area that lies between E and E2 (Qajar, formula for the Shirley background
    calculation); I1 and I2 are its levels at E1 < E2. On the samples, joined by
    the trapezoid rule, it is solved exactly: kappa = (I1 - I2) / net area is the
    first root of a scalar function, found without tracking gradients.

    For n samples a spectrum takes O(n) work and memory: some 40 products with
    weights that all share, two or three Newton steps of two runs of the
    recursion each, and two runs for all gradients. A run is log2(n) rounds of
    elementwise operations, without a loop over samples.

    Parameters
    ----------
    axis : array_like or Tensor, shape (n,)
        Energy, wavelength or position; ascending or descending, of any
        spacing. It has no gradient.
    measured : Tensor, shape (..., n)
        float32 or float64, on any device; not modified.
    ends : pair of Anchor or Endpoint, optional
        In any order, as for `separate_shirley`; without it the first and the
        last sample.
    end_levels : Tensor or array_like, broadcast to (..., 2), optional
        The levels at the inner edges of `ends`, I1 at the lower axis value
        first, instead of those measured there. Differentiable.

    Returns
    -------
    ShirleyTensors
        In the dtype and on the device of `measured`. The gradients of
        background, kappa and net area with respect to `measured` and
        `end_levels` are exact; at equal end levels they are those of a
        vanishing step. A spectrum without a background has NaN, and
        contributes no gradient whatever comes in: it poisons no batch. Neither
        does one with a sample that is not finite ("no_data"): gaps have to be
        left out beforehand.

    Raises
    ------
    ValueError
        When `axis`, `ends` or the shape or dtype of a tensor cannot be used.

    Notes
    -----
    float64 agrees with `separate_shirley` to rounding. In float32 the error
    is that of the samples, divided by how clearly the root is crossed; mixed
    precision (autocast) is switched off inside.

    References
    ----------
    D. A. Shirley, Phys. Rev. B 5 (1972) 4709, doi:10.1103/PhysRevB.5.4709.

    Examples
    --------
    >>> axis = torch.linspace(-10, 10, 201)
    >>> spectrum = 100 * torch.exp(-(axis**2)) + 20 - 10 * torch.sigmoid(3 * axis)
    >>> spectrum.requires_grad_()
    >>> shirley_background(axis, spectrum).net_area.backward()
    """
    positions = check_axis(axis.detach().cpu().numpy() if isinstance(axis, Tensor) else axis)
    _check_measured(measured, len(positions))
    descending = positions[0] > positions[-1]
    ascending = positions[::-1] if descending else positions
    rows = measured.reshape(-1, len(positions))
    rows = rows.flip(-1) if descending else rows
    placed = place_ends(ascending, ends or (Endpoint(ascending[0]), Endpoint(ascending[-1])))
    levels = _measure_levels(rows, placed) if end_levels is None else _give_levels(end_levels, measured)
    first, last = (end.inner for end in placed)
    grid = make_grid(ascending[first : last + 1])
    # Per length of the range: no unit of the axis is too small or too large for single precision.
    unit = Grid(grid.widths / grid.length, grid.later)
    curve, kappa, area, status = _solve_both_ways(unit, rows[:, first : last + 1], levels)
    background = _draw(rows, curve, torch.where(kappa.isnan()[:, None], torch.nan, levels), placed)
    leading = measured.shape[:-1]
    return ShirleyTensors(
        (background.flip(-1) if descending else background).reshape(measured.shape),
        (kappa / grid.length).reshape(leading),
        (area * grid.length).reshape(leading),
        levels.reshape(*leading, 2),
        status.reshape(leading),
    )


def _check_measured(measured: Tensor, samples: int) -> None:
    if not isinstance(measured, Tensor) or measured.dtype not in (torch.float32, torch.float64):
        found = measured.dtype if isinstance(measured, Tensor) else type(measured).__name__
        msg = f"'measured' must be a tensor of float32 or float64; found {found}. Convert it with .float()."
        raise ValueError(msg)
    if measured.ndim == 0 or measured.shape[-1] != samples:
        msg = (
            f"'measured' must end in the {samples} samples of 'axis'; found {describe_shape(measured.shape)}. "
            "Move the spectral axis to the end."
        )
        raise ValueError(msg)


def _measure_levels(rows: Tensor, placed: tuple[PlacedEnd, PlacedEnd]) -> Tensor:
    """End levels as the ends say, shape (rows, 2)."""
    return torch.stack([_measure_level(rows, end) for end in placed], dim=1)


def _measure_level(rows: Tensor, placed: PlacedEnd) -> Tensor:
    if isinstance(placed.end, Anchor):
        return rows[:, placed.start : placed.stop].mean(dim=1) + placed.end.offset
    if placed.end.level is None:
        return rows[:, placed.inner]
    return rows.new_full((len(rows),), placed.end.level)


def _give_levels(end_levels: Any, measured: Tensor) -> Tensor:
    levels = torch.as_tensor(end_levels, dtype=measured.dtype, device=measured.device)
    shape = (*measured.shape[:-1], 2)
    try:
        return levels.broadcast_to(shape).reshape(-1, 2)
    except RuntimeError as error:
        msg = (
            f"'end_levels' must be two numbers for each spectrum, {describe_shape(shape)}; "
            f"found {describe_shape(levels.shape)}."
        )
        raise ValueError(msg) from error


def _solve_both_ways(grid: Grid, inside: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Solve each row from its end of low intensity, which is the first or the last."""
    rising = levels[:, 1] > levels[:, 0]
    up, down = torch.nonzero(rising)[:, 0], torch.nonzero(~rising)[:, 0]
    first, last = levels.unbind(1)
    climbing, kappa_up, *rest_up = solve_direct(grid, inside[up], first[up], last[up])
    falling, kappa_down, *rest_down = solve_direct(grid.reversed, inside[down].flip(-1), last[down], first[down])
    pairs = (climbing, falling.flip(-1)), (-kappa_up, kappa_down), *zip(rest_up, rest_down, strict=True)
    back = torch.cat([up, down]).argsort()
    curve, kappa, area, status = (torch.cat(pair)[back] for pair in pairs)
    return curve, kappa, area, status


def _draw(rows: Tensor, curve: Tensor, levels: Tensor, placed: tuple[PlacedEnd, PlacedEnd]) -> Tensor:
    """Put the curve in its range, hold the levels over the windows, and NaN beyond them."""
    first, last = placed
    before, after = first.start, rows.shape[1] - last.stop
    pieces = [
        rows.new_full((len(rows), before), torch.nan),
        levels[:, :1].expand(-1, first.inner - first.start),
        curve,
        levels[:, 1:].expand(-1, last.stop - 1 - last.inner),
        rows.new_full((len(rows), after), torch.nan),
    ]
    return torch.cat(pieces, dim=1)
