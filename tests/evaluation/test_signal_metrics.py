"""Errors of denoised signals: what they must be blind to, and values from closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from napari_bgremove.evaluation.signal_metrics import (
    measure_psnr,
    measure_psnr_as_published,
    measure_rmse,
    score_signals,
)

MEASURES = [measure_rmse, measure_psnr, measure_psnr_as_published]
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 10, (6, 40))


@pytest.fixture
def estimate(truth: np.ndarray) -> np.ndarray:
    return truth + np.random.default_rng(2).normal(0, [[0.5], [1], [2], [3], [4], [5]], truth.shape)


@every_measure
def test_each_signal_is_measured_by_itself(measure, estimate: np.ndarray, truth: np.ndarray) -> None:
    together = measure(estimate.reshape(2, 3, 40), truth.reshape(2, 3, 40))
    assert together.shape == (2, 3)
    np.testing.assert_allclose(
        together.ravel(), [measure(one, right) for one, right in zip(estimate, truth, strict=True)], rtol=1e-13
    )
    assert measure(estimate[0], truth[0]).shape == ()


@every_measure
def test_order_and_offset_of_samples_do_not_matter(measure, estimate: np.ndarray, truth: np.ndarray) -> None:
    expected = measure(estimate, truth)
    np.testing.assert_allclose(measure(estimate[:, ::-1] + 3, truth[:, ::-1] + 3), expected, rtol=1e-12)
    np.testing.assert_allclose(measure(truth, estimate), expected, rtol=1e-12)


@every_measure
def test_what_lies_in_a_gap_of_the_truth_does_not_matter(measure, estimate: np.ndarray, truth: np.ndarray) -> None:
    holed, wild = truth.copy(), estimate.copy()
    holed[:, 10:15] = np.nan
    expected = measure(np.delete(estimate, range(10, 15), 1), np.delete(truth, range(10, 15), 1))
    for filler in (np.nan, 1e9):
        wild[:, 10:15] = filler
        np.testing.assert_allclose(measure(wild, holed), expected, rtol=1e-12)


def test_rmse_is_in_the_unit_of_the_signals(estimate: np.ndarray, truth: np.ndarray) -> None:
    np.testing.assert_allclose(measure_rmse(1000 * estimate, 1000 * truth), 1000 * measure_rmse(estimate, truth))
    assert float(measure_rmse(truth + 0.25, truth).max()) == pytest.approx(0.25)
    assert float(measure_rmse([3.0, 4.0], [0.0, 0.0])) == pytest.approx(np.sqrt(12.5))


def test_true_psnr_is_that_of_scikit_image(estimate: np.ndarray, truth: np.ndarray) -> None:
    for peak in (10.0, 255.0):
        expected = [peak_signal_noise_ratio(r, e, data_range=peak) for e, r in zip(estimate, truth, strict=True)]
        np.testing.assert_allclose(measure_psnr(estimate, truth, peak=peak), expected)


def test_the_published_psnr_lacks_the_root() -> None:
    """The table itself: RMSE 2.40 stands beside 4.85 (Wiener), 1.81 beside 9.86, to the digits of the means."""
    zeros = np.zeros(100)
    for rmse, printed in ((2.40, 4.85), (2.44, 4.54), (1.84, 9.59)):
        assert float(measure_psnr_as_published(zeros + rmse, zeros)) == pytest.approx(printed, abs=0.2)
        assert float(measure_psnr(zeros + rmse, zeros)) > printed + 5
    assert float(measure_psnr_as_published(zeros + 10**0.5, zeros)) == pytest.approx(0, abs=1e-12)


def test_an_exact_estimate_is_infinitely_good(truth: np.ndarray) -> None:
    assert measure_rmse(truth, truth).max() == 0
    assert np.isposinf(measure_psnr(truth, truth)).all()
    assert np.isposinf(measure_psnr_as_published(truth, truth)).all()


def test_a_score_is_the_mean_over_signals(estimate: np.ndarray, truth: np.ndarray) -> None:
    score = score_signals(estimate, truth)
    means = [
        float(measure(estimate, truth).mean()) for measure in (measure_rmse, measure_psnr, measure_psnr_as_published)
    ]
    assert list(score.as_dict().values()) == means
    assert score.rmse < float(np.sqrt(np.square(estimate - truth).mean()))


@every_measure
def test_what_cannot_be_compared_is_named(measure, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"'estimate' must have the shape of 'truth' \(6 x 40\); found 6 x 39"):
        measure(truth[:, 1:], truth)
    holed = truth.copy()
    holed[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"'estimate' must be finite where the truth is known; 1 samples are not"):
        measure(holed, truth)
    holed[4] = np.nan
    with pytest.raises(ValueError, match=r"'truth' must have a usable sample in every signal; 1 have none"):
        measure(truth, holed)
    with pytest.raises(ValueError, match="'peak' must be above zero; found 0"):
        measure_psnr(truth, truth, peak=0)
