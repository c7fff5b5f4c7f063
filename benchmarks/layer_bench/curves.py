"""Error against the share of units that is kept, and what is chosen by it.

The rule, written down before any test figure was seen: of all strengths and
both ways to rank units, take what keeps the smallest share of them at which
the mean validation error over the seeds is still the same as that of the
dense network, the one trained without any term; of several, the one with the
smallest error there. What counts as the same is up to the task. A method that
never has the same error takes what comes closest with all units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from torch import nn

from layer_bench.tasks import Task, measure_error
from napari_bgremove.learning.datasets import Dataset
from napari_bgremove.learning.unit_removal import Rule, choose_units, remove_units

__all__ = ["RULES", "SHARES", "Choice", "choose_ranking", "measure_curve"]

#: Shares of all hidden units that are kept.
SHARES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.06, 0.03)
#: How units are ranked.
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True)
class Choice:
    """How units are ranked, and how few of them are enough.

    Attributes
    ----------
    rule : {"energy", "relative"}
    share : float
        Smallest of `SHARES` with the same error as the dense network.
    error : float
        Mean validation error there.
    within : bool
        Whether it is the same at all; if not, `share` is 1.
    """

    rule: Rule
    share: float
    error: float
    within: bool

    @property
    def order(self) -> tuple[bool, float, float]:
        """The less, the better."""
        return not self.within, self.share, self.error


def measure_curve(task: Task, network: nn.Module, dataset: Dataset, *, rule: Rule) -> list[float]:
    """Measure the error at each of `SHARES`, without any training in between."""
    return [
        measure_error(task, remove_units(network, choose_units(network, share, rule=rule)), dataset) for share in SHARES
    ]


def choose_ranking(curves: Mapping[Rule, Sequence[float]], limit: float) -> Choice:
    """Choose between ways to rank.

    Parameters
    ----------
    curves : mapping of rule to sequence of float
        Mean validation errors at `SHARES`.
    limit : float
        Largest error that is the same as that of the dense network.
    """
    return min((_find_least(rule, errors, limit) for rule, errors in curves.items()), key=lambda one: one.order)


def _find_least(rule: Rule, errors: Sequence[float], limit: float) -> Choice:
    within = np.flatnonzero(np.asarray(errors) <= limit)
    at = int(within[-1]) if len(within) else 0
    return Choice(rule, SHARES[at], float(errors[at]), bool(len(within)))
