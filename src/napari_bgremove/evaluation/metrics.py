"""Numbers that say how good a separation is, each on usable pixels only.

Picture errors (MAE, PSNR, SSIM) are taken on the normalisation of Starke &
Smid: the 1 and 99.95 percentiles of the *noisy* patch map to 0 and 1, and both
images are clipped to that range. Physical errors (flux, blocks, radial
profile, hits) are taken in the unit of the image, unclipped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

from napari_bgremove._validation import check_image, check_positive, check_same_shape
from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.images.profiles import radial_profile

__all__ = [
    "PSNR_CEILING_DB",
    "HitScore",
    "PatchScore",
    "RadialScore",
    "measure_block_error",
    "measure_flux_bias",
    "measure_hits",
    "measure_mae",
    "measure_psnr",
    "measure_radial_error",
    "measure_ssim",
    "score_patch",
]

# Above this two float32 pictures are equal; a finite ceiling keeps means finite.
PSNR_CEILING_DB = 100.0
_SSIM_WINDOW = 7
Image = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HitScore:
    """How hits were found: share of hit pixels removed, share of others touched."""

    recall: float
    false_removal: float


@dataclass(frozen=True)
class RadialScore:
    """Relative error of I(q), and the last radius (pixels) one may use."""

    error: float
    usable_radius_px: float


@dataclass(frozen=True)
class PatchScore:
    """Every number of the report card for one patch; NaN where it has no meaning.

    Attributes
    ----------
    mae, ssim : float
        On the paper's normalisation.
    psnr_db : float
        On the paper's normalisation, at most `PSNR_CEILING_DB`.
    flux_bias : float
        sum(estimate) / sum(truth) - 1.
    block_error : float
        Mean absolute error of 8x8 block means over the mean block.
    radial_error, usable_radius_px : float
        See `measure_radial_error`.
    hit_recall, false_removal : float
        See `measure_hits`.
    """

    mae: float
    psnr_db: float
    ssim: float
    flux_bias: float
    block_error: float
    radial_error: float
    usable_radius_px: float
    hit_recall: float
    false_removal: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def measure_mae(estimate: Image, truth: Image, measured: Image) -> float:
    """Mean absolute error on the paper's normalisation, 0 to 1."""
    ours, right, valid = _normalise(estimate, truth, measured)
    return float(np.abs(ours - right)[valid].mean())


def measure_psnr(estimate: Image, truth: Image, measured: Image) -> float:
    """Peak signal-to-noise ratio on the paper's normalisation, in dB.

    Parameters
    ----------
    estimate, truth : ndarray, shape (rows, columns)
        Same unit as `measured`; NaN in `truth` is left out.
    measured : ndarray, same shape
        Gives the bounds: its 1 and 99.95 percentiles.

    Returns
    -------
    float
        -10 log10(mean squared error), at most `PSNR_CEILING_DB`.

    Raises
    ------
    ValueError
        For different shapes, no valid pixel, or an estimate that is not
        finite where the truth is known.
    """
    ours, right, valid = _normalise(estimate, truth, measured)
    error = float(np.square(ours - right, dtype=np.float64)[valid].mean())
    return PSNR_CEILING_DB if error <= 10 ** (-PSNR_CEILING_DB / 10) else float(-10 * np.log10(error))


def measure_ssim(estimate: Image, truth: Image, measured: Image) -> float:
    """Structural similarity (7x7) on the paper's normalisation.

    Windows that touch an unusable pixel or the edge are left out; NaN when
    none is left.
    """
    ours, right, valid = _normalise(estimate, truth, measured)
    if min(ours.shape) < _SSIM_WINDOW:
        return float("nan")
    _, per_pixel = structural_similarity(
        np.where(valid, ours, 0), np.where(valid, right, 0), win_size=_SSIM_WINDOW, data_range=1.0, full=True
    )
    whole = ndimage.binary_erosion(valid, np.ones((_SSIM_WINDOW, _SSIM_WINDOW)), border_value=0)
    return float(per_pixel[whole].mean(dtype=np.float64)) if whole.any() else float("nan")


def measure_flux_bias(estimate: Image, truth: Image) -> float:
    """Signed relative error of the total: sum(estimate) / sum(truth) - 1."""
    valid = _check_pair(estimate, truth)
    total = truth[valid].sum(dtype=np.float64)
    return float(estimate[valid].sum(dtype=np.float64) / total - 1) if total else float("nan")


def measure_block_error(estimate: Image, truth: Image, *, block: int = 8) -> float:
    """Mean absolute error of block means, relative to the mean block of the truth.

    Only blocks of which at least half the pixels are usable count; rows and
    columns that do not fill a block are left out.
    """
    check_positive("block", block)
    valid = _check_pair(estimate, truth)
    counts = _block_sums(valid.astype(np.float64), block)
    kept = counts >= block * block / 2
    if not kept.any():
        return float("nan")
    ours = _block_sums(np.where(valid, estimate, 0), block)[kept] / counts[kept]
    right = _block_sums(np.where(valid, truth, 0), block)[kept] / counts[kept]
    level = np.abs(right.mean())
    return float(np.abs(ours - right).mean() / level) if level else float("nan")


def measure_radial_error(
    estimate: Image, truth: Image, *, centre: tuple[float, float], width: float = 2.0, tolerance: float = 0.2
) -> RadialScore:
    """Compare the radial profiles I(q) about the beam centre.

    Parameters
    ----------
    estimate, truth : ndarray, shape (rows, columns)
    centre : (row, column)
        May lie outside the image.
    width : float
        Width of a radial bin, pixels.
    tolerance : float
        Largest relative error of a bin that may still be used.

    Returns
    -------
    RadialScore
        `error`: sum over bins of |I_est - I_true| over that of I_true; a mean of
        ratios would be ruled by empty rings. `usable_radius_px`:
        outer end of the first unbroken run of good bins, so that one bin that
        agrees by chance far outside does not count; NaN when no bin is good.
    """
    valid = _check_pair(estimate, truth)
    profiles = [
        radial_profile(np.where(valid, image, np.nan), centre=centre, width=width) for image in (truth, estimate)
    ]
    (radius, right, count), (_, ours, _) = profiles
    used = (count >= 4) & (right > 0)
    if not used.any():
        return RadialScore(float("nan"), float("nan"))
    wrong = np.abs(ours[used] - right[used])
    good = wrong < tolerance * right[used]
    return RadialScore(float(wrong.sum() / right[used].sum()), _end_of_first_run(radius[used] + width / 2, good))


def measure_hits(estimate: Image, truth: Image, measured: Image, *, threshold: float = 2.0) -> HitScore:
    """Count which pixels were cleaned, against which had to be.

    A pixel is hit when measured - truth exceeds `threshold` (2 keV), and
    removed when measured - estimate does. `recall` is the share of hit pixels
    that were removed, `false_removal` the share of the others that were.
    """
    valid = _check_pair(estimate, truth)
    hit = (measured - truth)[valid] > threshold
    removed = (measured - estimate)[valid] > threshold
    recall = float(removed[hit].mean()) if hit.any() else float("nan")
    return HitScore(recall, float(removed[~hit].mean()) if not hit.all() else float("nan"))


def score_patch(
    estimate: Image, truth: Image, measured: Image, *, centre: tuple[float, float] | None = None
) -> PatchScore:
    """Take every number of the report card; radial ones are NaN without a centre."""
    radial = RadialScore(float("nan"), float("nan"))
    if centre is not None:
        radial = measure_radial_error(estimate, truth, centre=centre)
    hits = measure_hits(estimate, truth, measured)
    return PatchScore(
        mae=measure_mae(estimate, truth, measured),
        psnr_db=measure_psnr(estimate, truth, measured),
        ssim=measure_ssim(estimate, truth, measured),
        flux_bias=measure_flux_bias(estimate, truth),
        block_error=measure_block_error(estimate, truth),
        radial_error=radial.error,
        usable_radius_px=radial.usable_radius_px,
        hit_recall=hits.recall,
        false_removal=hits.false_removal,
    )


def _check_pair(estimate: Image, truth: Image) -> NDArray[np.bool_]:
    """Return where the truth is known, after checking that the estimate answers there."""
    check_image("truth", truth)
    check_same_shape("estimate", estimate, "truth", truth)
    valid = np.isfinite(truth)
    if not valid.any():
        msg = f"'truth' must have usable pixels; all {truth.size} are NaN. Check the valid mask."
        raise ValueError(msg)
    missing = int(np.count_nonzero(~np.isfinite(estimate) & valid))
    if missing:
        msg = f"'estimate' must be finite where the truth is known; {missing} pixels are not. Mask them in the truth."
        raise ValueError(msg)
    return valid


def _normalise(estimate: Image, truth: Image, measured: Image) -> tuple[Image, Image, NDArray[np.bool_]]:
    valid = _check_pair(estimate, truth)
    check_same_shape("measured", measured, "truth", truth)
    bounds = measure_percentile_range(np.asarray(measured, np.float32))
    ours, right = (bounds.apply(np.asarray(image, np.float32)) for image in (estimate, truth))
    return ours, right, valid


def _block_sums(values: Image, block: int) -> NDArray[np.float64]:
    rows, columns = (size // block for size in values.shape)
    cut = values[: rows * block, : columns * block].reshape(rows, block, columns, block)
    return np.asarray(cut.sum(axis=(1, 3), dtype=np.float64))


def _end_of_first_run(ends: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    if not good.any():
        return float("nan")
    first = int(np.argmax(good))
    failures = np.flatnonzero(~good[first:])
    last = first + int(failures[0]) - 1 if failures.size else len(good) - 1
    return float(ends[last])
