"""Laws of the toy: it adds up, a seed repeats it, and its background is the one it announces."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.synthetic.toy_spectra import NOISE, make_toy_spectra


def test_the_parts_and_the_noise_add_up() -> None:
    toy = make_toy_spectra(3)
    rest = toy.spectra.spectra - toy.signal - toy.background
    assert float(rest.std()) == pytest.approx(NOISE, rel=0.01)
    assert abs(float(rest.mean())) < 5 * NOISE / np.sqrt(rest.size)


def test_a_seed_repeats_it_and_another_does_not() -> None:
    first, again, other = (make_toy_spectra(seed, targets=4, shots=2) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.spectra.spectra, again.spectra.spectra)
    assert (first.spectra.spectra != other.spectra.spectra).any()


def test_the_background_has_the_rms_it_announces() -> None:
    toy = make_toy_spectra(0)
    assert toy.spectra.spectra.shape == (1200, 512)
    assert float(np.sqrt((toy.background**2).mean())) == pytest.approx(0.65, abs=0.01)


def test_always_present_lines_are_in_every_target_and_varying_ones_are_not() -> None:
    toy = make_toy_spectra(0)
    peaks = toy.signal.reshape(60, 20, -1).mean(axis=1)
    assert (peaks[:, toy.always_present] > 0.7).all()
    assert ((peaks[:, toy.varying] < 0.05).mean(axis=0) > 0.2).mean() > 0.7  # some sit on the flank of another


def test_the_background_does_not_know_the_target() -> None:
    """Its level varies between targets no more than 20 shots of 5 % each explain."""
    toy = make_toy_spectra(0)
    levels = toy.background.mean(axis=1).reshape(60, 20)
    assert levels.mean(axis=1).std() < 1.5 * levels.std(axis=1).mean() / np.sqrt(20)


def test_numbers_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="'shots' must be above zero; found 0"):
        make_toy_spectra(shots=0)
