"""A plasma in equilibrium: atoms are kept, and its limits are the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from napari_bgremove.synthetic.libs_lines import load_atomic_data
from napari_bgremove.synthetic.plasma import Plasma, emit_continuum, emit_lines, populate
from napari_bgremove.synthetic.rocks import BHVO2, BHVO2_TRACES, count_moles

ATOMS = load_atomic_data()
MOLES = count_moles(BHVO2, BHVO2_TRACES)
THIN = Plasma(depth=0.0)


@settings(max_examples=20, deadline=None)
@given(temperature=st.floats(0.4, 1.6), density=st.floats(1e15, 1e18))
def test_ionisation_keeps_every_atom(temperature: float, density: float) -> None:
    hot, dense = np.array([temperature]), np.array([density])
    populations = populate(ATOMS, MOLES, hot, dense)[0]
    for element, amount in MOLES.items():
        of = [(place, one) for place, one in enumerate(ATOMS.species) if one.element == element]
        assert sum(populations[place] * one.sum_states(hot)[0] for place, one in of) == pytest.approx(amount)


def test_half_of_hydrogen_is_ionised_where_saha_says() -> None:
    # n_e at which n_II = n_I at 1 eV: 2 (2 pi m kT / h^2)^1.5 U_II / U_I exp(-13.598), with U_I = 2 up to 0.1 %.
    joule, kilogram, planck = 1.602176634e-19, 9.1093837e-31, 6.62607015e-34
    density = 1e-6 * (2 * np.pi * kilogram * joule / planck**2) ** 1.5 * np.exp(-13.598)
    populations = populate(ATOMS, {"H": 1.0}, np.array([1.0]), np.array([density]))[0]
    neutral, proton = (
        place for stage in (1, 2) for place, one in enumerate(ATOMS.species) if (one.element, one.stage) == ("H", stage)
    )
    assert populations[proton] == pytest.approx(2 * populations[neutral], rel=2e-3)  # populations are over U


def test_thin_lines_of_a_species_follow_boltzmann() -> None:
    emitted = emit_lines(ATOMS, MOLES, plasma=THIN)[0]
    iron = ATOMS.line_species == next(
        place for place, one in enumerate(ATOMS.species) if (one.element, one.stage) == ("Fe", 1)
    )
    plot = np.log(emitted[iron] / (ATOMS.rate * ATOMS.upper_g)[iron])
    slope, _ = np.polyfit(ATOMS.upper_ev[iron], plot, 1)
    assert -1 / slope == pytest.approx(THIN.temperature_ev, rel=1e-9)


def test_a_thick_line_grows_with_the_root_of_the_atoms_and_a_thin_one_with_their_number() -> None:
    resonance = ATOMS.select(np.isclose(ATOMS.wavelength, 393.477, atol=0.002) & (ATOMS.line_elements == "Ca"))
    assert len(resonance.wavelength) == 1

    def grow(depth: float) -> float:
        one, four = (emit_lines(resonance, {"Ca": share}, plasma=Plasma(depth=depth))[0, 0] for share in (0.1, 0.4))
        return float(four / one)

    assert grow(0.0) == pytest.approx(4)
    assert grow(1e9) == pytest.approx(2, rel=1e-3)


def test_what_is_absent_does_not_shine() -> None:
    emitted = emit_lines(ATOMS, {"Si": 1.0}, plasma=Plasma())[0]
    assert (emitted[ATOMS.line_elements != "Si"] == 0).all()
    assert (emitted[ATOMS.line_elements == "Si"] > 0).all()


def test_many_plasmas_are_each_as_one_alone() -> None:
    temperature, density = np.array([0.9, 1.0, 1.1]), np.array([1.0, 2.0, 0.5])
    together = emit_lines(ATOMS, MOLES, plasma=Plasma(), temperature=temperature, density=density)
    for row, (hot, dense) in enumerate(zip(temperature, density, strict=True)):
        assert_array_equal(together[row], emit_lines(ATOMS, MOLES, plasma=Plasma(), temperature=hot, density=dense)[0])


def test_the_continuum_is_smooth_with_mean_one_and_rises_at_an_edge() -> None:
    wavelength = np.linspace(240, 905, 3000)
    continuum = emit_continuum(wavelength, 1.0)
    assert continuum.mean() == pytest.approx(1)
    assert (continuum > 0).all()
    assert np.abs(np.diff(np.log(continuum))).max() < 0.03
    # The edge at 4.22 eV: 0.15 of the light without any.
    plain = wavelength**-2.0 * np.exp(-1239.84 / wavelength)
    before, behind = np.interp([299.0, 289.0], wavelength, continuum / plain)
    assert behind / before == pytest.approx((1 + 0.15 + 0.15) / (1 + 0.15), rel=0.05)


def test_a_plasma_without_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="'temperature_ev' must be above zero; found 0"):
        Plasma(temperature_ev=0.0)
