"""What a calibration found, and how two of them compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice, check_positive

__all__ = ["SCORES", "Calibration", "RmseRatio", "Setting", "compare_rmse", "pool_squares"]

Array = NDArray[np.float64]

#: What an RMSE is taken over.
SCORES = ("rows", "standards")
_CHOICES = ("nested", "best")


@dataclass(frozen=True)
class Setting:
    """How rows are scaled and weights are held small."""

    scaling: str
    alpha: float

    def __str__(self) -> str:
        return f"{self.scaling}, alpha {self.alpha:.1e}"


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predictions of standards that were left out.

    Attributes
    ----------
    names : tuple of str
        The outputs, such as 'SiO2'.
    unit : str
        Of values and predictions.
    targets : ndarray of str, shape (rows,)
        The standard of each row.
    values : ndarray, shape (rows, outputs)
        Reference values; NaN where unknown, and then in the predictions too.
    predictions, best_predictions : ndarray, shape (rows, outputs)
        With settings chosen inside the training standards of each fold, and
        with the one setting per output that is best in hindsight.
    settings : tuple of Setting
        The candidates.
    chosen : ndarray of int, shape (standards, outputs)
        Number of the setting of each fold, standards in sorted order; -1
        where the value is unknown.
    best : ndarray of int, shape (outputs,)
        Number of the setting that is best in hindsight.
    score : {"rows", "standards"}
        What the RMSE is taken over.
    """

    names: tuple[str, ...]
    unit: str
    targets: NDArray[np.str_]
    values: Array
    predictions: Array
    best_predictions: Array
    settings: tuple[Setting, ...]
    chosen: NDArray[np.intp]
    best: NDArray[np.intp]
    score: str

    @property
    def rmse(self) -> Array:
        """Root of the mean squared error per output, nested choice; shape (outputs,)."""
        return _root_mean(*self.squares("nested"))

    @property
    def best_rmse(self) -> Array:
        """The same with the setting that is best in hindsight, which is optimistic."""
        return _root_mean(*self.squares("best"))

    def squares(self, choice: str) -> tuple[Array, Array]:
        """Return sums of squared errors and how many went in, each of shape (standards, outputs).

        Parameters
        ----------
        choice : {"nested", "best"}
        """
        check_choice("choice", choice, _CHOICES)
        predictions = self.predictions if choice == "nested" else self.best_predictions
        return pool_squares(self.values - predictions, self._numbers, self.score)

    def points(self, output: int) -> tuple[Array, Array]:
        """Return reference values and nested predictions of one output, as they enter the RMSE."""
        known = np.isfinite(self.predictions[:, output])
        pair = np.stack([self.values[known, output], self.predictions[known, output]])
        if self.score == "rows":
            return pair[0], pair[1]
        _, numbers = np.unique(self.targets[known], return_inverse=True)
        values, predictions = (np.bincount(numbers, line) / np.bincount(numbers) for line in pair)
        return values, predictions

    @property
    def _numbers(self) -> NDArray[np.intp]:
        return np.unique(self.targets, return_inverse=True)[1]


@dataclass(frozen=True, eq=False)
class RmseRatio:
    """RMSE of one representation over that of another, with an interval; each of shape (outputs,)."""

    names: tuple[str, ...]
    ratio: Array
    low: Array
    high: Array


def compare_rmse(
    first: Calibration,
    second: Calibration,
    *,
    choice: str = "nested",
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> RmseRatio:
    """Compare two representations of the same rows by a paired bootstrap over standards.

    Standards are drawn with replacement, the same ones for both, and the
    ratio RMSE(first) / RMSE(second) is taken of each draw. An interval that
    stays below 1 says that the first is better on standards like these, not
    only on the sum of them. The heads are not trained again.

    Parameters
    ----------
    first, second : Calibration
    choice : {"nested", "best"}
    draws : int
    confidence : float
        Share of the draws inside the interval; its ends are quantiles.
    seed : int

    Returns
    -------
    RmseRatio

    Raises
    ------
    ValueError
        When the two are not of the same standards, values and score.
    """
    check_choice("choice", choice, _CHOICES)
    check_positive("draws", draws)
    if not 0 < confidence < 1:
        msg = f"'confidence' must lie between 0 and 1; found {confidence}."
        raise ValueError(msg)
    if not _are_paired(first, second):
        msg = "'second' must be of the same standards, values and score as 'first'. Measure both on the same spectra."
        raise ValueError(msg)
    pairs = [calibration.squares(choice) for calibration in (first, second)]
    count = len(pairs[0][0])
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=int(draws)).astype(float)
    ratios = np.sqrt((drawn @ pairs[0][0]) / (drawn @ pairs[1][0]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail], axis=0)
    whole = np.sqrt(pairs[0][0].sum(axis=0) / pairs[1][0].sum(axis=0))
    return RmseRatio(first.names, whole, low, high)


def pool_squares(errors: Array, numbers: NDArray[np.intp], score: str) -> tuple[Array, Array]:
    """Add up squared errors per group, shape (groups, outputs), and count what went in; NaN does not count.

    Parameters
    ----------
    errors : ndarray, shape (rows, outputs)
    numbers : ndarray of int, shape (rows,)
        The group of each row, from 0.
    score : {"rows", "standards"}
        standards: the errors of a group are averaged before they are squared.
    """
    known = np.isfinite(errors)
    filled = np.where(known, errors, 0)
    count = _add_up(known, numbers)
    if score == "rows":
        return _add_up(filled**2, numbers), count
    return (_add_up(filled, numbers) / np.maximum(count, 1)) ** 2, (count > 0).astype(np.float64)


def _add_up(rows: NDArray[np.generic], numbers: NDArray[np.intp]) -> Array:
    """Return the sum of the rows of each group, shape (groups, outputs)."""
    outputs = rows.shape[1]
    places = numbers[:, None] * outputs + np.arange(outputs)
    sums = np.bincount(places.ravel(), weights=rows.ravel(), minlength=(int(numbers.max()) + 1) * outputs)
    return sums.reshape(-1, outputs).astype(np.float64)


def _root_mean(squares: Array, count: Array) -> Array:
    root: Array = np.sqrt(squares.sum(axis=0) / count.sum(axis=0))
    return root


def _are_paired(first: Calibration, second: Calibration) -> bool:
    same = first.names == second.names and first.score == second.score
    return bool(
        same
        and np.array_equal(first.targets, second.targets)
        and np.array_equal(first.values, second.values, equal_nan=True)
    )
