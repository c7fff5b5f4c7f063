"""What a way to find Shirley's background hands back, before anything physical is made of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CODES", "STATUSES", "Curve", "put_rows"]

Array = NDArray[np.float64]

# In this order: the place in it is the number that a status layer shows.
STATUSES = ("ok", "flat", "ill_conditioned", "no_solution", "negative_area", "not_converged", "no_data")
CODES = {name: code for code, name in enumerate(STATUSES)}


@dataclass
class Curve:
    """Backgrounds of some rows, in the order of the recursion, above their lower end level.

    Attributes
    ----------
    background : ndarray, shape (rows, N + 1)
        From 0 to the step between the end levels; NaN where there is none.
    kappa : ndarray, shape (rows,)
        Not below zero; NaN where there is no background.
    status : ndarray of uint8, shape (rows,)
        Places in `STATUSES`.
    evaluations : ndarray of int, shape (rows,)
        How often a whole spectrum was gone through.
    shortfall : ndarray, shape (rows,)
        By how much the best curve misses what is asked of it; 0 where solved.
    """

    background: Array
    kappa: Array
    status: NDArray[np.uint8]
    evaluations: NDArray[np.int64]
    shortfall: Array

    @classmethod
    def flat(cls, rows: int, samples: int) -> Curve:
        """Backgrounds between equal end levels."""
        status = np.full(rows, CODES["flat"], np.uint8)
        return cls(np.zeros((rows, samples)), np.zeros(rows), status, np.zeros(rows, np.int64), np.zeros(rows))


def put_rows(whole: Any, rows: NDArray[np.intp] | NDArray[np.bool_] | slice, part: Any) -> None:
    """Write every field of `part`, a dataclass of arrays, to some rows of `whole`, one of the same kind."""
    for each in fields(whole):
        getattr(whole, each.name)[rows] = getattr(part, each.name)
