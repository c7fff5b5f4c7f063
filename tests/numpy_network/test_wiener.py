"""The Wiener layer is scipy's filter wherever that is finite."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.signal import wiener

from napari_bgremove.numpy_network.wiener import backward_wiener, forward_wiener


@pytest.mark.parametrize("window", [3, 5, 7, 15])
@pytest.mark.parametrize("noise", [None, 4.0])
@pytest.mark.parametrize("length", [16, 101, 1000])
def test_it_is_scipys_to_the_last_bit(window: int, noise: float | None, length: int) -> None:
    signals = np.random.default_rng(length).normal(0, 3, (4, length))
    signals[:, 5:9] += 10
    ours = forward_wiener(signals, window=window, noise=noise)[0]
    theirs = np.stack([wiener(signal, window, noise) for signal in signals])
    if window < 15:
        np.testing.assert_array_equal(ours, theirs)
    # Longer windows may be summed in another order.
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_both_branches_are_taken() -> None:
    signal = np.random.default_rng(0).normal(0, 1, (1, 200))
    y, memory = forward_wiener(signal)
    assert 20 < memory.kept.sum() < 180
    np.testing.assert_array_equal(y[~memory.kept], memory.mean[~memory.kept])
    assert not np.any(y[memory.kept] == memory.mean[memory.kept])


@pytest.mark.parametrize("level", [0.0, 0.1, -7.3, 1e20])
@pytest.mark.parametrize("noise", [None, 0.0, 2.0])
def test_a_constant_signal_stays_finite_and_constant_inside(level: float, noise: float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, memory = forward_wiener(np.full((1, 40), level), noise=noise)
        slopes = backward_wiener(np.ones((1, 40)), memory)
    np.testing.assert_allclose(y[0, 2:-2], level)
    assert np.isfinite(slopes).all()


def test_without_noise_nothing_is_taken_away() -> None:
    signal = np.random.default_rng(0).normal(0, 1, (2, 50))
    np.testing.assert_allclose(forward_wiener(signal, noise=0.0)[0], signal, rtol=1e-13, atol=1e-15)


def test_each_signal_can_have_its_own_noise() -> None:
    signals, noise = np.random.default_rng(0).normal(0, 1, (2, 50)), np.array([[0.3], [2.0]])
    alone = [forward_wiener(signal, noise=float(level[0]))[0] for signal, level in zip(signals, noise, strict=True)]
    np.testing.assert_array_equal(forward_wiener(signals, noise=noise)[0], alone)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"window": 4}, "'window' must be odd, so that it has a middle; found 4 samples"),
        ({"window": -1}, "'window' must be odd"),
        ({"noise": -1.0}, "'noise' must be a variance, zero or above; found -1.0"),
        ({"noise": np.ones(3)}, r"'noise' must be one number or one per signal \(2 x 1\); found 3"),
    ],
)
def test_what_is_no_window_or_noise_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        forward_wiener(np.ones((2, 20)), **options)  # type: ignore[arg-type]
