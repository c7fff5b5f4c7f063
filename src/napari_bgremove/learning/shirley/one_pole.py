"""The recursion of `spectra.one_pole` on tensors: many spectra at once, and no loop over samples.

Neighbouring intervals are joined to one, which again takes the curve from its
first to its last value by a share lost and an input; the values in between
follow from those at the joints. So N intervals take log2(N) rounds and O(N)
work in all, and every value is a sum of terms that only fade: nothing divides,
overflows or cancels, at any kappa.

It is written with what is lost from one sample to the next, l = 1 - r = 2 q / (1 + q),

    B[i+1] = B[i] + l[i] (M[i] - B[i]),   q = kappa h / 2,

as r is near one, where single precision has no digits left for kappa.

All tensors here have the samples first, (N, rows): a joint of all rows is then
one piece of memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Climb", "climb", "measure_end", "run_back", "run_one_pole"]


class Climb(NamedTuple):
    """A background above its lower end level, on its way from there.

    Attributes
    ----------
    loss : Tensor, shape (N, rows)
        l of each interval.
    curve : Tensor, shape (N, rows)
        Its height after each interval; it starts from 0.
    urge : Tensor, shape (N, rows)
        By how much more each interval lifts the curve as kappa grows.
    """

    loss: Tensor
    curve: Tensor
    urge: Tensor


def climb(widths: Tensor, middles: Tensor, kappa: Tensor) -> Climb:
    """Run the background from 0 at given kappa.

    Parameters
    ----------
    widths : Tensor, shape (N,)
        Steps between the samples, above zero.
    middles : Tensor, shape (N, rows)
        Means of neighbouring samples, above the lower end level.
    kappa : Tensor, shape (rows,)
        Not below zero, and below 2 / widths.
    """
    doubled = kappa * widths[:, None]
    inverse = 1 / (1 + doubled / 2)
    loss = doubled * inverse
    curve = run_one_pole(loss, loss * middles)
    above = middles.clone()
    above[1:] -= curve[:-1]
    return Climb(loss, curve, widths[:, None] * inverse * inverse * above)


def measure_end(widths: Tensor, middles: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last value of `climb` and its growth with kappa, both of shape (rows,)."""
    way = climb(widths, middles, kappa)
    return way.curve[-1], run_one_pole(way.loss, way.urge)[-1]


def run_one_pole(loss: Tensor, inputs: Tensor) -> Tensor:
    """Run y[i] = (1 - loss[i]) y[i-1] + inputs[i] from y[-1] = 0; shapes (N, rows)."""
    count = len(inputs)
    if count <= 1:
        return inputs
    earlier, later = slice(0, count - 1, 2), slice(1, None, 2)
    pairs = (_join(parts[later], parts[earlier], loss[later]) for parts in (loss, inputs))
    joints = run_one_pole(*pairs)
    out = torch.empty_like(inputs)
    out[0], out[later] = inputs[0], joints
    between = slice(2, None, 2)
    out[between] = _join(inputs[between], joints[: (count - 1) // 2], loss[between])
    return out


def run_back(loss: Tensor, inputs: Tensor) -> Tensor:
    """Run y[i] = (1 - loss[i+1]) y[i+1] + inputs[i] from the last: the transpose of `run_one_pole`."""
    return run_one_pole(loss.roll(-1, 0).flip(0), inputs.flip(0)).flip(0)


def _join(after: Tensor, before: Tensor, loss: Tensor) -> Tensor:
    """What was there before and has not been lost since, and what came after."""
    return torch.addcmul(after + before, loss, before, value=-1)
