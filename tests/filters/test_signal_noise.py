"""The noise of a signal, found from itself: what must not change it, and how far off it is on known signals."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.synthetic.signals import make_spectra, make_spikes


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(12).normal(0, 2.5, (3, 20_000))


def test_of_white_noise_it_is_the_standard_deviation(noise: np.ndarray) -> None:
    np.testing.assert_allclose(estimate_sigma(noise), 2.5, rtol=0.02)


def test_a_level_a_slope_and_the_unit_do_not_matter(noise: np.ndarray) -> None:
    expected = estimate_sigma(noise)
    np.testing.assert_allclose(estimate_sigma(noise + 100 - 0.3 * np.arange(20_000)), expected, rtol=1e-9)
    np.testing.assert_allclose(estimate_sigma(-1e6 * noise), 1e6 * expected, rtol=1e-12)
    np.testing.assert_allclose(estimate_sigma(noise[:, ::-1]), expected, rtol=1e-12)


def test_signals_are_looked_at_one_by_one(noise: np.ndarray) -> None:
    rows = noise.reshape(3, 4, -1) * np.arange(1, 5)[:, None]
    found = estimate_sigma(rows)
    assert found.shape == (3, 4)
    np.testing.assert_array_equal(found[1], [estimate_sigma(row) for row in rows[1]])


@pytest.mark.parametrize(("make", "sigma", "excess"), [(make_spectra, 1, 1.03), (make_spikes, 3, 1.27)])
def test_peaks_and_spikes_raise_it_by_what_the_text_says(make, sigma: float, excess: float) -> None:
    found = estimate_sigma(make(100, 400).measured) / sigma
    assert float(found.mean()) == pytest.approx(excess, abs=0.02)
    assert float(found.std()) < 0.19


def test_gaps_are_left_out(noise: np.ndarray) -> None:
    holed = noise.copy()
    holed[0, ::7] = np.nan
    np.testing.assert_allclose(estimate_sigma(holed), 2.5, rtol=0.03)
    np.testing.assert_array_equal(estimate_sigma(holed)[1:], estimate_sigma(noise)[1:])
    assert np.isnan(estimate_sigma([1.0, np.nan, 2.0, 1.0, np.nan]))
    assert np.isnan(estimate_sigma([1.0, 2.0]))


def test_sparse_counts_have_noise_and_straight_lines_have_none() -> None:
    counts = np.random.default_rng(4).poisson(0.05, 5000)
    assert float(estimate_sigma(counts)) == pytest.approx(counts.std(), rel=0.05)
    assert float(estimate_sigma(np.arange(50) * 2.0)) == 0
