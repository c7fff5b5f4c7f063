"""Generated core levels: repeatable, counted, and with a background that Shirley's equation has as its solution."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.shirley import separate_shirley
from napari_bgremove.synthetic.core_levels import BINDING_EV, LINES_EV, PHOTON_EV, make_core_level_image
from napari_bgremove.synthetic.samples import make_core_level_sample, make_spectrum_sample


def test_the_same_seed_gives_the_same_image_and_another_one_another() -> None:
    first, again, other = (make_core_level_image(seed, shape=(20, 200)) for seed in (3, 3, 4))
    assert_array_equal(first.measured, again.measured)
    assert not np.array_equal(first.measured, other.measured)
    assert_array_equal(first.signal, other.signal)


def test_the_background_is_the_one_solution_of_shirleys_equation() -> None:
    image = make_core_level_image(0, shape=(7, 401))
    whole = image.signal.astype(float) + image.background
    row = 3
    ends = tuple(Endpoint(image.energy[k], level=float(image.background[row, k])) for k in (0, -1))
    found = separate_shirley(image.energy, whole[row], ends=ends)
    assert found.status == "ok"
    assert_allclose(found.background, image.background[row], rtol=1e-5)  # it is kept as float32


def test_lines_stand_at_their_energies_and_the_background_falls_towards_higher_kinetic_energy() -> None:
    image = make_core_level_image(0, shape=(3, 1501))
    for at, _ in LINES_EV:
        near = np.abs(image.energy - (PHOTON_EV - at)) < 0.5
        assert image.energy[near][image.signal[1, near].argmax()] == pytest.approx(PHOTON_EV - at, abs=0.02)
    assert (np.diff(image.background[1]) <= 0).all()
    assert_allclose(PHOTON_EV - image.energy[[-1, 0]], BINDING_EV)


def test_counts_scatter_as_counts_do_and_dead_rows_are_nan() -> None:
    image = make_core_level_image(1)
    dead = np.isnan(image.measured).all(axis=1)
    assert dead.sum() == 2
    expected = (image.signal + image.background)[~dead].astype(float)
    pull = (image.measured[~dead] - expected) / np.sqrt(expected)
    assert pull.mean() == pytest.approx(0, abs=0.01)
    assert pull.std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("count", ["peak", "floor"])
def test_counts_that_make_no_sense_are_refused(count: str) -> None:
    with pytest.raises(ValueError, match=f"'{count}' must be above zero; found 0"):
        make_core_level_image(0, **{count: 0})


def test_the_samples_lie_at_their_energies() -> None:
    for make in (make_core_level_sample, make_spectrum_sample):
        ((values, attributes, kind),) = make()
        assert kind == "image"
        last = attributes["translate"][1] + attributes["scale"][1] * (values.shape[1] - 1)
        assert last == pytest.approx(PHOTON_EV - BINDING_EV[0])
