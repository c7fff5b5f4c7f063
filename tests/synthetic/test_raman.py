"""Generated Raman spectra: what they are made of, and that they are what they claim to be hard for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.spectra.stationarity import measure_stationarity
from napari_bgremove.synthetic.raman import make_raman_set


def test_the_same_seed_gives_the_same_spectra_and_another_does_not() -> None:
    first, again, other = (make_raman_set(seed, targets=5, channels=400) for seed in (3, 3, 4))
    assert_array_equal(first.spectra.spectra, again.spectra.spectra)
    assert (np.asarray(first.spectra.spectra) != other.spectra.spectra).any()


def test_what_is_measured_is_the_truth_and_the_noise_of_counting_it() -> None:
    made = make_raman_set(0, targets=10, channels=600)
    truth = made.signal + made.background
    pull = (np.asarray(made.spectra.spectra) - truth) / np.sqrt(truth)
    assert abs(pull.mean()) < 0.02
    assert pull.std() == pytest.approx(1, abs=0.02)


def test_repeats_share_a_target_and_its_composition() -> None:
    made = make_raman_set(0, targets=6, repeats=3, channels=200)
    assert made.spectra.n_spectra == 18
    assert len(made.spectra.distinct_targets) == 6
    values = made.spectra.composition_of_rows()[:, 0]
    assert (values.reshape(6, 3) == values.reshape(6, 3)[:, :1]).all()
    assert len(np.unique(values)) == 6


def test_the_background_follows_the_target_as_it_should_here() -> None:
    made = make_raman_set(0, channels=1000)
    assert measure_stationarity(made.spectra).status == "not_stationary"
    assert made.background.std() > 5 * made.signal.std()


@pytest.mark.parametrize("name", ["targets", "repeats", "channels", "exposure"])
def test_numbers_are_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}'"):
        make_raman_set(0, **{name: 0})
