"""Metrics: what they must be zero, symmetric or blind to, and values from closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_bgremove.evaluation.metrics import (
    PSNR_CEILING_DB,
    measure_block_error,
    measure_flux_bias,
    measure_hits,
    measure_mae,
    measure_psnr,
    measure_radial_error,
    measure_ssim,
    score_patch,
)


@pytest.fixture
def truth() -> np.ndarray:
    rows, columns = np.indices((128, 128))
    return (50 * np.exp(-np.hypot(rows - 64, columns - 64) / 25) + 1).astype(np.float32)


@pytest.fixture
def measured(truth: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(5)
    hits = np.where(rng.random(truth.shape) < 0.1, rng.gamma(2, 20, truth.shape), 0)
    return (truth + hits).astype(np.float32)


def _normalise(image: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Independent of the package: the paper's bounds, by numpy alone."""
    low, high = np.percentile(measured, (1, 99.95))
    return np.clip((image.astype(np.float64) - low) / (high - low), 0, 1)


def test_a_perfect_estimate_is_perfect_by_every_number(truth: np.ndarray, measured: np.ndarray) -> None:
    score = score_patch(truth, truth, measured, centre=(64, 64))
    assert (score.mae, score.psnr_db, score.flux_bias, score.block_error) == (0, PSNR_CEILING_DB, 0, 0)
    assert (score.radial_error, score.hit_recall, score.false_removal) == (0, 1, 0)
    assert score.ssim == pytest.approx(1)
    assert score.usable_radius_px > 88


def test_psnr_and_mae_are_those_of_the_clipped_normalised_images(truth: np.ndarray, measured: np.ndarray) -> None:
    estimate = truth + np.random.default_rng(6).normal(0, 3, truth.shape).astype(np.float32)
    ours, right = _normalise(estimate, measured), _normalise(truth, measured)
    expected = peak_signal_noise_ratio(right, ours, data_range=1)
    assert measure_psnr(estimate, truth, measured) == pytest.approx(expected, abs=1e-3)
    assert measure_mae(estimate, truth, measured) == pytest.approx(np.abs(ours - right).mean(), rel=1e-4)


def test_ssim_without_gaps_is_that_of_scikit_image(truth: np.ndarray, measured: np.ndarray) -> None:
    ours, right = _normalise(measured, measured), _normalise(truth, measured)
    assert measure_ssim(measured, truth, measured) == pytest.approx(
        structural_similarity(right, ours, data_range=1), abs=1e-4
    )


def test_picture_errors_do_not_depend_on_the_unit(truth: np.ndarray, measured: np.ndarray) -> None:
    one = score_patch(measured, truth, measured)
    other = score_patch(measured * 4, truth * 4, measured * 4)
    assert (one.mae, one.psnr_db, one.ssim) == pytest.approx((other.mae, other.psnr_db, other.ssim), rel=1e-5)


def test_what_lies_in_a_gap_does_not_matter(truth: np.ndarray, measured: np.ndarray) -> None:
    gap = np.zeros(truth.shape, bool)
    gap[40:60, 10:30] = True
    holed_truth, holed_measured = (np.where(gap, np.nan, image).astype(np.float32) for image in (truth, measured))
    estimate = truth * np.float32(1.1)
    wild = np.where(gap, 1e9, estimate).astype(np.float32)
    absent = np.where(gap, np.nan, estimate).astype(np.float32)
    scores = [score_patch(made, holed_truth, holed_measured, centre=(0, 0)) for made in (estimate, wild, absent)]
    assert scores[0] == scores[1] == scores[2]


def test_ssim_leaves_out_windows_that_touch_a_gap(truth: np.ndarray) -> None:
    holed = truth.copy()
    holed[64, 64] = np.nan
    assert measure_ssim(holed, holed, holed) == pytest.approx(1)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25])
def test_flux_bias_is_the_signed_relative_error_of_the_sum(truth: np.ndarray, factor: float) -> None:
    assert measure_flux_bias(truth * factor, truth) == pytest.approx(factor - 1, abs=1e-6)


def test_flux_bias_cannot_see_what_block_error_sees(truth: np.ndarray) -> None:
    shifted = truth[::-1] + np.linspace(-1, 1, 128, dtype=np.float32)[:, None]
    assert abs(measure_flux_bias(shifted, truth)) < 1e-5
    assert measure_block_error(shifted, truth) > 0.01


def test_block_error_of_a_scaled_image_is_the_scale(truth: np.ndarray) -> None:
    assert measure_block_error(truth * 1.2, truth) == pytest.approx(0.2, rel=1e-4)


def test_block_error_averages_noise_within_a_block() -> None:
    flat = np.ones((128, 128), np.float32)
    noisy = flat + np.random.default_rng(7).normal(0, 0.8, flat.shape).astype(np.float32)
    # mean |N(0, 0.8 / sqrt(64))| = 0.1 sqrt(2 / pi)
    assert measure_block_error(noisy, flat) == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.15)


def test_usable_radius_ends_at_the_first_bad_ring(truth: np.ndarray) -> None:
    rows, columns = np.indices(truth.shape)
    radius = np.hypot(rows - 64, columns - 64)
    bad_ring = (radius >= 40) & (radius < 44)
    estimate = np.where(bad_ring, truth * 1.5, truth)
    score = measure_radial_error(estimate, truth, centre=(64, 64), width=2)
    assert score.usable_radius_px == pytest.approx(40)
    assert 0 < score.error < 0.5


def test_usable_radius_is_nan_when_no_ring_is_good(truth: np.ndarray) -> None:
    assert np.isnan(measure_radial_error(truth * 2, truth, centre=(64, 64)).usable_radius_px)


def test_hits_are_counted_at_the_threshold() -> None:
    truth = np.zeros((10, 10), np.float32)
    measured = truth.copy()
    measured[0, :4] = (1.5, 3, 5, 100)
    estimate = measured.copy()
    estimate[0, 2:4] = 0
    measured[5, :] += 1
    score = measure_hits(estimate, truth, measured)
    assert score.recall == pytest.approx(2 / 3)
    assert score.false_removal == 0
    estimate[9, 9] = -3
    assert measure_hits(estimate, truth, measured).false_removal == pytest.approx(1 / 97)


def test_numbers_without_meaning_are_nan(truth: np.ndarray) -> None:
    score = score_patch(truth, truth, truth)
    assert np.isnan([score.hit_recall, score.radial_error, score.usable_radius_px]).all()
    assert np.isnan(measure_flux_bias(truth, np.zeros_like(truth)))
    assert np.isnan(measure_ssim(truth[:4, :4], truth[:4, :4], truth[:4, :4]))
    assert np.isnan(measure_block_error(truth[:4, :4], truth[:4, :4]))


def test_a_gap_in_the_estimate_is_not_forgiven(truth: np.ndarray, measured: np.ndarray) -> None:
    estimate = truth.copy()
    estimate[0, :3] = np.nan
    with pytest.raises(ValueError, match="'estimate' must be finite where the truth is known; 3 pixels are not"):
        measure_psnr(estimate, truth, measured)


def test_shapes_must_agree(truth: np.ndarray, measured: np.ndarray) -> None:
    with pytest.raises(ValueError, match="'estimate' must have the shape of 'truth'"):
        measure_psnr(truth[1:], truth, measured)
    with pytest.raises(ValueError, match="'measured' must have the shape of 'truth'"):
        measure_psnr(truth, truth, measured[1:])


def test_a_truth_without_usable_pixels_is_refused() -> None:
    empty = np.full((8, 8), np.nan, np.float32)
    with pytest.raises(ValueError, match="'truth' must have usable pixels; all 64 are NaN"):
        measure_flux_bias(empty, empty)
