"""The linear head of Castorena & Oyen, trained by stochastic gradient descent, with every group left out in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive, check_same_shape
from napari_bgremove.errors import ComputeError

__all__ = ["SgdSchedule", "predict_by_sgd"]

Array = NDArray[np.float64]

# z / (z + c) and 1 - exp(-z) are closest, over all z, for this c.
_CLOSEST = 0.53


@dataclass(frozen=True)
class SgdSchedule:
    """How the head is trained; the defaults are the paper's, section 3.

    Attributes
    ----------
    learning_rate : float
        Of the mean squared error.
    epochs : int
    constant_epochs : int
        The rate is constant for so many epochs, then falls to zero as half a
        cosine until the last ("decayed after 75 epochs with cosine
        annealing", read in this way).
    batch : int
        Rows per step, drawn without replacement within an epoch.
    """

    learning_rate: float = 1.0
    epochs: int = 200
    constant_epochs: int = 75
    batch: int = 64

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epochs", "batch"):
            check_positive(name, getattr(self, name))

    def rate(self, epoch: int) -> float:
        """Return the learning rate in one epoch, counted from 0."""
        if epoch < self.constant_epochs:
            return self.learning_rate
        progress = (epoch - self.constant_epochs) / (self.epochs - self.constant_epochs)
        return self.learning_rate * (1 + float(np.cos(np.pi * progress))) / 2

    def matching_alpha(self, rows: NDArray[np.floating]) -> float:
        """Return the alpha of the ridge regression that shrinks about as much as stopping here does.

        After the sum t of all rates, a direction of variance m (of the
        centred rows) is fitted up to the share 1 - exp(-2 t m); a ridge of
        penalty p over n rows fits it up to m / (m + p / n). For
        p = 0.53 n / (2 t) the two shares differ by 0.103 at most, whatever m
        is, and no p brings them closer. The result is in the unit of
        `RidgeFolds.penalty`.
        """
        steps = -(-len(rows) // self.batch)
        time = steps * sum(self.rate(epoch) for epoch in range(self.epochs))
        variance = float(np.var(rows, axis=0, dtype=np.float64).sum())
        return _CLOSEST * len(rows) / (2 * time * variance)


def predict_by_sgd(
    rows: NDArray[np.floating],
    values: Array,
    groups: NDArray[np.generic],
    *,
    schedule: SgdSchedule | None = None,
    seed: int = 0,
) -> Array:
    """Predict each row by a linear head trained from zero on all groups but its own.

    The rows of each fold are centred on their mean, and the intercept is the
    mean of the values; a trained intercept beside rows of unit norm would
    double the steepest curvature and make a rate of 1 diverge. All folds run
    at once and see the rows in the same order, each without its own group, so
    a batch may be short by the rows left out. Weights stay in the span of the
    rows; it is their coefficients that are trained, which is the same
    arithmetic on the kernel and needs no array of folds x channels.

    Parameters
    ----------
    rows : ndarray, shape (rows, channels)
        For the paper's rate of 1.0 of unit l2 norm: gradient descent on the
        mean squared error is stable only as long as the rate times the
        largest variance along any direction stays below 1. Detector counts
        diverge in the first steps.
    values : ndarray, shape (rows, outputs)
    groups : ndarray, shape (rows,)
    schedule : SgdSchedule, optional
    seed : int
        Of the order of the rows.

    Returns
    -------
    ndarray, shape (rows, outputs)

    Raises
    ------
    ValueError
        When shapes do not fit, or there are less than two groups.
    ComputeError
        When the training diverges.

    References
    ----------
    J. Castorena and D. Oyen, SpectroscopyNet, arXiv:2110.13748, section 3.
    """
    check_same_shape("groups", groups, "a column of values", values[:, 0])
    labels, numbers = np.unique(groups, return_inverse=True)
    if len(labels) < 2:
        msg = f"'groups' must be at least 2, to leave one out; found {len(labels)}."
        raise ValueError(msg)
    plan = schedule or SgdSchedule()
    folds = _Folds(rows, values, np.arange(len(labels)) != numbers[:, None])
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(plan.epochs):
            order = rng.permutation(len(rows))
            for start in range(0, len(rows), plan.batch):
                folds.step(order[start : start + plan.batch], plan.rate(epoch))
            if not np.isfinite(folds.coefficients).all():
                msg = (
                    f"'learning_rate' must be small enough for these rows; at {plan.learning_rate:g} the head diverged "
                    f"in epoch {epoch + 1}. Scale the rows to unit l2 norm, or lower the rate."
                )
                raise ComputeError(msg)
    predictions: Array = folds.predict()[np.arange(len(rows)), numbers]
    return predictions


class _Folds:
    """The coefficients of all folds, and what centring each fold's rows does to their kernel.

    With x centred on the fold's mean m = sum of t_j x_j (t: equal weights of
    the training rows), the prediction of row b is sum_j a_j (x_b - m)(x_j - m).
    """

    def __init__(self, rows: NDArray[np.floating], values: Array, trains: NDArray[np.bool_]) -> None:
        centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        self.kernel = centred @ centred.T
        self.trains = trains
        shares = trains / trains.sum(axis=0)
        self.offsets = shares.T @ values  # folds x outputs
        self.towards_mean = self.kernel @ shares  # rows x folds: x_b . m
        self.mean_square = np.einsum("bf,bf->f", shares, self.towards_mean)  # folds: m . m
        self.targets = values[:, None, :] - self.offsets
        self.coefficients = np.zeros(self.targets.shape)  # rows x folds x outputs
        self._sums = np.zeros(self.offsets.shape)
        self._along_mean = np.zeros(self.offsets.shape)

    def respond(self, batch: NDArray[np.intp]) -> Array:
        """Return the heads' answer to some rows above the intercept, shape (batch, folds, outputs)."""
        shape = (len(batch), *self.offsets.shape)
        plain = (self.kernel[batch] @ self.coefficients.reshape(len(self.kernel), -1)).reshape(shape)
        shift = self.mean_square[:, None] * self._sums - self._along_mean
        answer: Array = plain - self.towards_mean[batch][..., None] * self._sums + shift
        return answer

    def step(self, batch: NDArray[np.intp], rate: float) -> None:
        """Go down the gradient of the mean squared error over the rows of `batch` that each fold trains on."""
        trains = self.trains[batch]
        shares = trains / np.maximum(trains.sum(axis=0), 1)
        change = 2 * rate * shares[..., None] * (self.targets[batch] - self.respond(batch))
        self.coefficients[batch] += change
        self._sums += change.sum(axis=0)
        self._along_mean += np.einsum("bf,bfc->fc", self.towards_mean[batch], change)

    def predict(self) -> Array:
        """Return what every fold says of every row, shape (rows, folds, outputs)."""
        predictions: Array = self.respond(np.arange(len(self.kernel))) + self.offsets
        return predictions
