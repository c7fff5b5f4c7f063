"""How far denoised 1-D signals are from the truth: one number per signal, then the mean over signals.

Two quantities go by the name PSNR, about 5 to 9 dB apart on the published
table: here each has a name of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_positive, check_same_shape

__all__ = ["SignalScore", "measure_psnr", "measure_psnr_as_published", "measure_rmse", "score_signals"]

Array = NDArray[np.float64]

#: The peak of both definitions: the highest spike of the published experiment.
PUBLISHED_PEAK = 10.0


@dataclass(frozen=True)
class SignalScore:
    """Means over signals.

    Attributes
    ----------
    rmse : float
        In the unit of the signals.
    psnr_db, psnr_as_published_db : float
        See `measure_psnr` and `measure_psnr_as_published`; infinite as soon
        as one signal is met exactly.
    """

    rmse: float
    psnr_db: float
    psnr_as_published_db: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def measure_rmse(estimate: ArrayLike, truth: ArrayLike) -> Array:
    """Root of the mean squared error of each signal.

    Parameters
    ----------
    estimate, truth : array_like, shape (..., n)
        NaN in `truth` is left out.

    Returns
    -------
    ndarray, shape (...,)
        In the unit of the signals.

    Raises
    ------
    ValueError
        For different shapes, a signal without a usable sample, or an estimate
        that is not finite where the truth is known.
    """
    return np.asarray(np.sqrt(_mean_square(estimate, truth)))


def measure_psnr(estimate: ArrayLike, truth: ArrayLike, *, peak: float = PUBLISHED_PEAK) -> Array:
    """Peak signal-to-noise ratio of each signal as it is defined: 20 log10(peak / RMSE), dB.

    Infinite where the estimate is exact; the rest as of `measure_rmse`.
    """
    check_positive("peak", peak)
    with np.errstate(divide="ignore"):
        return np.asarray(20 * np.log10(peak / measure_rmse(estimate, truth)))


def measure_psnr_as_published(estimate: ArrayLike, truth: ArrayLike) -> Array:
    """Return what Fang's table calls PSNR: 20 log10(10 / MSE) of each signal, without the root.

    It orders methods as `measure_psnr` does, but is no ratio of like
    quantities: with the unit of the signal it shifts twice as fast. For
    comparison with the table only.

    Infinite where the estimate is exact; the rest as of `measure_rmse`.

    References
    ----------
    H. Fang, Advanced Project Updating, NYU Tandon School of Engineering (2021),
    and the evaluation published with it.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(20 * np.log10(PUBLISHED_PEAK / _mean_square(estimate, truth)))


def score_signals(estimate: ArrayLike, truth: ArrayLike, *, peak: float = PUBLISHED_PEAK) -> SignalScore:
    """Take every number, averaged over signals as in the published table.

    The mean of roots is a little below the root of the mean, and the mean of
    decibels above the decibels of the mean. Parameters and errors are those
    of `measure_psnr`.
    """
    return SignalScore(
        rmse=float(measure_rmse(estimate, truth).mean()),
        psnr_db=float(measure_psnr(estimate, truth, peak=peak).mean()),
        psnr_as_published_db=float(measure_psnr_as_published(estimate, truth).mean()),
    )


def _mean_square(estimate: ArrayLike, truth: ArrayLike) -> Array:
    ours, right = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    check_same_shape("estimate", ours, "truth", right)
    known = np.isfinite(right)
    if not known.any(axis=-1).all():
        lost = np.count_nonzero(~known.any(axis=-1))
        msg = f"'truth' must have a usable sample in every signal; {lost} have none. Leave these out."
        raise ValueError(msg)
    missing = int(np.count_nonzero(known & ~np.isfinite(ours)))
    if missing:
        msg = f"'estimate' must be finite where the truth is known; {missing} samples are not. Mask them in the truth."
        raise ValueError(msg)
    return np.asarray(np.square(ours - right).mean(axis=-1, where=known))
