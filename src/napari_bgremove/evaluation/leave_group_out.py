"""Ridge regression with every group left out in turn, in closed form.

One eigendecomposition of the kernel serves all penalties, all outputs and all
folds; nothing is fitted again. With G the inverse of the penalised kernel on
the rows' differences from their mean, and a = G y, the error of a prediction
made without the rows S is exactly

    y_S - prediction_S = (G_SS)^-1 a_S.

Two groups left out at once are the same formula for a larger S. This makes
the inner folds of a nested selection as cheap: G is reduced by the outer
group, and the formula is applied to what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from napari_bgremove._validation import check_positive, check_same_shape
from napari_bgremove.errors import ComputeError

__all__ = ["FoldErrors", "RidgeFolds"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FoldErrors:
    """Reference value minus prediction, of rows whose group was left out, under one penalty.

    Attributes
    ----------
    inverse : ndarray, shape (rows, rows)
        G.
    dual : ndarray, shape (rows, outputs)
        a.
    groups : tuple of ndarray
        The rows of each group.
    """

    inverse: Array
    dual: Array
    groups: tuple[NDArray[np.intp], ...]

    def outer(self) -> Array:
        """Return the error of each row, shape (rows, outputs), predicted from all other groups."""
        errors = np.empty_like(self.dual)
        for rows, _, blocks in self._sizes:
            errors[rows] = np.linalg.solve(blocks, self.dual[rows])
        return errors

    def inner(self, group: int) -> Array:
        """Return the error of each row, predicted from all groups but its own and `group`; zero in `group` itself."""
        away = self.groups[group]
        across = self.inverse[:, away]
        weights = np.linalg.solve(self.inverse[np.ix_(away, away)], across.T)
        dual = self.dual - weights.T @ self.dual[away]
        errors = np.zeros_like(dual)
        for rows, numbers, blocks in self._sizes:
            others = rows[numbers != group]
            # Of G without `group` only what stands within each group is needed.
            lost = across[others] @ weights[:, others].transpose(1, 0, 2)
            errors[others] = np.linalg.solve(blocks[numbers != group] - lost, dual[others])
        return errors

    @cached_property
    def _sizes(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Array]]:
        """For each size of a group: the rows of its groups, their numbers, and G_SS of each."""
        found = []
        for size in sorted({len(group) for group in self.groups}):
            numbers = np.array([number for number, group in enumerate(self.groups) if len(group) == size])
            rows = np.stack([self.groups[number] for number in numbers])
            found.append((rows, numbers, self.inverse[rows[:, :, None], rows[:, None, :]]))
        return found


class RidgeFolds:
    """Leave-group-out ridge regression of all outputs on one set of rows.

    For each fold it is the minimum of ||y - X w - b||^2 + penalty ||w||^2 over
    the rows of the other groups, the intercept b unpenalised. The penalty is
    an absolute number, the same in every fold; `penalty` gives it on the scale
    of the kernel of *all* rows. That scale is one number, and knows of the
    rows left out their spread but no reference value; with the scale of each
    fold's own rows the penalties would differ by about one in so many groups.

    Parameters
    ----------
    rows : ndarray, shape (rows, channels)
    values : ndarray, shape (rows, outputs)
    groups : ndarray, shape (rows,)
        Label of each row; rows with the same label are left out together.

    Raises
    ------
    ValueError
        When shapes do not fit, a number is not finite, or there are less than
        three groups.
    ComputeError
        When all rows are equal.
    """

    def __init__(self, rows: NDArray[np.floating], values: Array, groups: NDArray[np.generic]) -> None:
        check_same_shape("groups", groups, "a column of values", values[:, 0])
        check_same_shape("a column of rows", rows[:, 0], "groups", groups)
        for name, array in (("rows", rows), ("values", values)):
            if not np.isfinite(array).all():
                count = int(np.count_nonzero(~np.isfinite(array).all(axis=1)))
                msg = f"'{name}' must be finite; found {count} of {len(array)} rows with NaN or Inf. Leave them out."
                raise ValueError(msg)
        self.labels, numbers = np.unique(groups, return_inverse=True)
        if len(self.labels) < 3:
            msg = f"'groups' must be at least 3 to choose a penalty without the one left out; found {len(self.labels)}."
            raise ValueError(msg)
        self.groups = tuple(np.flatnonzero(numbers == number) for number in range(len(self.labels)))
        self._values = values - values.mean(axis=0)
        centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        self._kernel = centred @ centred.T
        if not self._kernel.trace() > 0:
            msg = f"'rows' must differ from each other to calibrate with them; found {len(rows)} equal spectra."
            raise ComputeError(msg)

    def penalty(self, alpha: float) -> float:
        """Return alpha times the mean diagonal element of the kernel of all rows, centred on their mean."""
        check_positive("alpha", alpha)
        return float(alpha * self._kernel.trace() / len(self._kernel))

    def at(self, penalty: float) -> FoldErrors:
        """Return the errors of all folds under a penalty above zero."""
        check_positive("penalty", penalty)
        strengths, modes = self._modes
        inverse = (modes / (strengths + penalty)) @ modes.T
        return FoldErrors(inverse, inverse @ self._values, self.groups)

    @cached_property
    def _modes(self) -> tuple[Array, Array]:
        # The intercept is free: G knows only differences of rows. Taking their mean out of G
        # afterwards instead would leave the rounding of a number as large as 1 / penalty.
        differences = helmert(len(self._kernel))
        strengths, modes = np.linalg.eigh(differences @ self._kernel @ differences.T)
        return np.maximum(strengths, 0), differences.T @ modes
