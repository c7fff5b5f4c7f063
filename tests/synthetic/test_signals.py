"""Generated signals: the distributions they announce, and the bound that follows from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bgremove.synthetic.signals import (
    PEAK_PRESENT,
    PEAKS,
    estimate_spikes,
    make_spectra,
    make_spikes,
    make_two_sinusoids,
)

every_kind = pytest.mark.parametrize(
    ("make", "length", "sigma"), [(make_spikes, 100, 3), (make_spectra, 128, 1), (make_two_sinusoids, 100, 1)]
)


@every_kind
def test_a_seed_repeats_signals_and_a_generator_goes_on(make, length: int, sigma: float) -> None:
    first, again, other = make(1, 5), make(1, 5), make(2, 5)
    np.testing.assert_array_equal(first, again)
    assert (first.measured != other.measured).all()
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(make(rng, 5).measured, first.measured)
    assert (make(rng, 5).measured != first.measured).all()


@every_kind
def test_what_is_measured_is_the_signal_in_white_normal_noise(make, length: int, sigma: float) -> None:
    pairs = make(4, 1000)
    assert pairs.signal.shape == pairs.measured.shape == (1000, length)
    assert pairs.signal.dtype == pairs.measured.dtype == np.float64
    noise = (pairs.measured - pairs.signal) / sigma
    assert float(noise.std()) == pytest.approx(1, abs=0.02 / 3)
    assert float(noise.mean()) == pytest.approx(0, abs=0.015)
    assert float((noise[:, 1:] * noise[:, :-1]).mean()) == pytest.approx(0, abs=0.015)
    assert float((noise**4).mean()) == pytest.approx(3, abs=0.1)


@every_kind
def test_the_noise_can_be_chosen_and_the_signal_stays(make, length: int, sigma: float) -> None:
    loud, quiet = make(3, 4, sigma=2), make(3, 4, sigma=1e-9)
    np.testing.assert_array_equal(loud.signal, quiet.signal)
    np.testing.assert_allclose(quiet.measured, quiet.signal, atol=1e-7)
    assert make(3, 4, length=37).signal.shape == (4, 37)


@every_kind
@pytest.mark.parametrize("name", ["count", "length", "sigma"])
def test_numbers_must_be_above_zero(make, length: int, sigma: float, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' must be above zero; found 0"):
        make(**({"seed": 0, "count": 2} | {name: 0}))


def test_spikes_have_the_published_distribution() -> None:
    """Of the 1000 published pairs: heights 0 and 2 to 10, 18.2 % of the samples, 13 to 20 in each signal."""
    signal = make_spikes(7, 1000).signal
    assert set(np.unique(signal)) == {0.0, *map(float, range(2, 11))}
    assert float((signal != 0).mean()) == pytest.approx(0.182, abs=0.003)
    counts = (signal != 0).sum(axis=1)
    assert 12 <= counts.min() <= 14
    assert counts.max() == 20
    shares = np.bincount(signal[signal != 0].astype(int), minlength=11)[2:] / counts.sum()
    np.testing.assert_allclose(shares, 1 / 9, atol=0.01)


def test_spikes_fall_on_every_place_alike() -> None:
    np.testing.assert_allclose((make_spikes(8, 20_000).signal != 0).mean(axis=0), 1 - 0.99**20, atol=0.012)


def test_spectra_hold_peaks_of_the_height_and_width_they_announce() -> None:
    signal = make_spectra(5, 4000).signal
    assert (signal >= 0).all()
    assert float((signal.max(axis=1) == 0).mean()) == pytest.approx((1 - PEAK_PRESENT) ** PEAKS, abs=0.003)
    # Area of a peak of height 6 and half width 2.5 with half of each shape; a fifth of the tails lies outside.
    area = 3.6 * 6 * 2.5 * (np.pi + np.sqrt(np.pi / np.log(2))) / 2
    assert 0.8 * area < float(signal.sum(axis=1).mean()) < area


def test_two_sinusoids_are_those_of_the_paper() -> None:
    m = np.arange(100)
    expected = 2 * np.cos(2 * np.pi * 0.1 * m) + np.sin(2 * np.pi * 0.22 * m)
    np.testing.assert_allclose(make_two_sinusoids(0, 3).signal, np.tile(expected, (3, 1)), atol=1e-12)


def test_the_bound_is_the_published_one() -> None:
    """Posterior mean on 1000 signals: RMSE 1.620."""
    pairs = make_spikes(7, 1000)
    error = np.sqrt(((estimate_spikes(pairs.measured) - pairs.signal) ** 2).mean(axis=1))
    assert float(error.mean()) == pytest.approx(1.620, abs=0.02)


def test_the_bound_is_the_mean_of_what_gave_the_same_reading() -> None:
    """The definition of a posterior mean, by counting: no prior is put in."""
    pairs = make_spikes(9, 20_000)
    for reading in (-2.0, 1.0, 4.0, 8.0):
        near = np.abs(pairs.measured - reading) < 0.1
        found = float(estimate_spikes(pairs.measured)[near].mean())
        assert found == pytest.approx(float(pairs.signal[near].mean()), abs=0.1)


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(-1e6, 1e6), st.floats(0.01, 100))
def test_the_bound_stays_between_the_levels_and_rises(reading: float, sigma: float) -> None:
    readings = np.full(100, reading)
    readings[1:] += np.arange(99)
    found = estimate_spikes(readings, sigma=sigma)
    assert (found >= 0).all()
    assert (found <= 10 + 1e-12).all()
    assert (np.diff(found) >= -1e-9).all()


def test_the_bound_takes_signals_one_by_one() -> None:
    measured = make_spikes(2, 6).measured
    whole = estimate_spikes(measured.reshape(2, 3, 100)).reshape(6, 100)
    np.testing.assert_allclose(whole, [estimate_spikes(row) for row in measured], rtol=1e-13)
    with pytest.raises(ValueError, match="'sigma' must be above zero; found -1"):
        estimate_spikes(measured, sigma=-1)
