"""Lines and levels: what is shipped, and how it is read."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_bgremove.synthetic.libs_lines import LEVELS, LINES, SPECIES, air_to_vacuum, load_atomic_data
from napari_bgremove.synthetic.rocks import BHVO2, BHVO2_TRACES, count_moles


def test_every_element_of_a_rock_and_of_its_air_is_there_in_two_stages() -> None:
    atoms = load_atomic_data()
    stages = {(species.element, species.stage) for species in atoms.species}
    for element in count_moles(BHVO2, BHVO2_TRACES):
        assert {(element, 1), (element, 2)} <= stages
        assert element in atoms.line_elements


@pytest.mark.parametrize(
    ("element", "air_nm", "rate"),
    # NIST ASD: the lines everybody knows, with their transition probabilities.
    [
        ("Ca", 393.366, 1.47e8), ("Na", 588.995, 6.16e7), ("O", 777.194, 3.69e7), ("H", 656.279, 4.410e7),
        ("Mg", 285.213, 4.91e8), ("Li", 670.776, 3.69e7), ("K", 766.490, 3.78e7), ("C", 247.856, 2.8e7),
    ],
)  # fmt: skip
def test_well_known_lines_have_their_published_rates(element: str, air_nm: float, rate: float) -> None:
    atoms = load_atomic_data()
    near = (atoms.line_elements == element) & (np.abs(atoms.wavelength - air_to_vacuum(air_nm)) < 0.006)
    assert np.isclose(atoms.rate[near], rate, rtol=0.02).any()


def test_air_to_vacuum_agrees_with_published_pairs() -> None:
    # Lines of the Sloan Digital Sky Survey, air and vacuum: Ca K, O III, Na D2, H alpha.
    air, vacuum = np.array([(393.366, 393.477), (500.6843, 500.8240), (588.995, 589.158), (656.280, 656.461)]).T
    assert_allclose(air_to_vacuum(air), vacuum, atol=1e-3)
    assert air_to_vacuum(500.0).shape == ()


def test_a_cold_gas_counts_its_ground_state_only_and_a_hot_one_more() -> None:
    ground = {("H", 1): 2, ("Ca", 1): 1, ("Na", 1): 2, ("Fe", 1): 9, ("O", 1): 5, ("C", 1): 1, ("K", 2): 1, ("H", 2): 1}
    for species in load_atomic_data().species:
        cold, warm, hot = species.sum_states([2e-4, 0.5, 1.0])
        assert cold <= warm <= hot
        if (species.element, species.stage) in ground:
            assert cold == pytest.approx(ground[species.element, species.stage], rel=1e-3)


def test_a_line_ends_where_its_photon_says() -> None:
    atoms = load_atomic_data()
    assert_allclose(1239.842 / atoms.wavelength, atoms.upper_ev - atoms.lower_ev, atol=0.003)


def test_a_selection_keeps_species_and_takes_lines() -> None:
    atoms = load_atomic_data()
    some = atoms.select(atoms.line_elements == "Na")
    assert set(some.line_elements) == {"Na"}
    assert some.species is atoms.species


def test_the_tables_are_small_and_name_their_source() -> None:
    folder = files("napari_bgremove.synthetic").joinpath("data")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in (LINES, LEVELS, SPECIES)]
    assert sum(map(len, texts)) < 400_000
    assert all("10.18434/T4W30F" in text for text in (*texts, folder.joinpath("README.md").read_text(encoding="utf-8")))
