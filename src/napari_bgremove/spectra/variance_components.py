"""How much of a variance lies between groups, and how much within them: one-way analysis of variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["VarianceComponents", "estimate_variance_components"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class VarianceComponents:
    """Between and within variance of values that come in groups.

    Attributes
    ----------
    between, within : ndarray, of the shape of one row of values
        Variance of the true group means, and of the values about them.
    ratio : ndarray
        F, the mean square between groups over that within them: 1 where the
        group means differ by chance alone.
    rows_per_group : float
        The typical number n0 of rows of a group.
    degrees : (int, int)
        Degrees of freedom of F: groups - 1, rows - groups.
    """

    between: Array
    within: Array
    ratio: Array
    rows_per_group: float
    degrees: tuple[int, int]

    def p_value(self, ratio: float) -> float:
        """Return the probability of at least this F between groups that do not differ."""
        return float(stats.f.sf(ratio, *self.degrees))

    def bound_between(self, *, confidence: float = 0.95) -> Array:
        """Return what the variance between groups stays below, with this confidence.

        within / n0 * (ratio / F_low - 1), where F_low is the quantile
        1 - confidence of F (exact for normal values and equal groups).
        """
        low = float(stats.f.ppf(1 - confidence, *self.degrees))
        excess = np.where(self.within > 0, self.ratio, 0) / low - 1
        return np.where(self.within > 0, self.within * np.maximum(0, excess) / self.rows_per_group, self.between)


def estimate_variance_components(values: ArrayLike, groups: ArrayLike) -> VarianceComponents:
    """Estimate the variance between and within groups of rows, for each column by itself.

    With mean squares MS, within = MS_within and
    between = max(0, (MS_between - MS_within) / n0), where n0 is the number of
    rows of a group, (n - sum n_i^2 / n) / (groups - 1) where these differ
    (the analysis-of-variance estimator, unbiased but for the cut at 0).

    Parameters
    ----------
    values : array_like, shape (rows, ...)
        Finite.
    groups : array_like, shape (rows,)
        The label of each row's group: numbers or texts.

    Returns
    -------
    VarianceComponents

    Raises
    ------
    ValueError
        When there are fewer than two groups, or no group has two rows.

    References
    ----------
    S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, Wiley
    (1992), section 3.6, DOI 10.1002/9780470316856.
    """
    rows = np.asarray(values, float)
    labels, members, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    degrees = (len(labels) - 1, len(rows) - len(labels))
    if min(degrees) < 1:
        msg = (
            f"'groups' must be at least two, one of them with at least two rows; found {len(labels)} for {len(rows)} "
            "rows. Repeat a measurement, or measure another target."
        )
        raise ValueError(msg)
    order = np.argsort(members, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    weights = counts.reshape(-1, *[1] * (rows.ndim - 1))
    means = np.add.reduceat(rows[order], starts, axis=0) / weights
    within = np.sum((rows - means[members]) ** 2, axis=0) / degrees[1]
    spread = np.sum(weights * (means - rows.mean(axis=0)) ** 2, axis=0) / degrees[0]
    typical = (len(rows) - np.sum(counts**2) / len(rows)) / degrees[0]
    # A constant column varies neither between nor within: its ratio is that of chance.
    ratio = np.divide(spread, within, out=np.where(spread > 0, np.inf, 1.0), where=within > 0)
    return VarianceComponents(
        np.maximum(0, (spread - within) / typical), np.asarray(within), ratio, float(typical), degrees
    )
