"""Rocks: their ranges, and the atoms that come of them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.synthetic.rocks import (
    ATMOSPHERE_ATOMS,
    BHVO2,
    BHVO2_TRACES,
    END_MEMBERS,
    HYDROGEN_ATOMS,
    OXIDES,
    count_moles,
    draw_rock,
    draw_traces,
)


def test_mole_fractions_add_up_to_one() -> None:
    assert sum(count_moles(BHVO2, BHVO2_TRACES).values()) == pytest.approx(1)


def test_quartz_is_one_silicon_to_two_oxygens_under_carbon_dioxide() -> None:
    moles = count_moles({"SiO2": 100.0}, {})
    solid = 1 / (1 + ATMOSPHERE_ATOMS + HYDROGEN_ATOMS)
    assert moles["Si"] == pytest.approx(solid / 3)
    assert moles["C"] == pytest.approx(solid * ATMOSPHERE_ATOMS / 3)
    assert moles["O"] == pytest.approx(solid * (1 + ATMOSPHERE_ATOMS) * 2 / 3)


def test_lime_that_is_short_of_a_hundred_is_limestone() -> None:
    # CaCO3 is 56.03 wt% CaO (molar masses 56.077 and 44.009).
    moles = count_moles({"CaO": 100 * 56.077 / (56.077 + 44.009)}, {})
    from_air = moles["Ca"] * 5 * ATMOSPHERE_ATOMS / 3
    assert moles["C"] - from_air == pytest.approx(moles["Ca"], rel=1e-3)


def test_a_part_per_million_is_a_ten_thousandth_of_a_percent() -> None:
    moles = count_moles({"SiO2": 99.0}, {"Cr": 1e4})
    assert moles["Cr"] / moles["Si"] == pytest.approx((1.0 / 51.996) / (99.0 / 60.083), rel=1e-4)


def test_drawn_rocks_are_rocks_and_span_what_standards_span() -> None:
    rng = np.random.default_rng(0)
    rocks = [draw_rock(rng) for _ in range(400)]
    table = np.array([[rock[name] for name in OXIDES] for rock in rocks])
    assert (table >= 0).all()
    assert (table.sum(1) <= 100).all()
    # Ranges of the recipe; 400 rocks come near the end members.
    limits = np.array([98.0, 75.0, 39.0, 60.0, 48.0, 50.0, 11.0, 12.0])
    assert (table.max(0) <= limits).all()
    assert (table.max(0) >= 0.75 * limits).all()
    assert (table.min(0) <= 0.1 * limits).all()
    assert np.linalg.matrix_rank(table - table.mean(0)) == len(OXIDES)


def test_the_same_stream_gives_the_same_rock() -> None:
    first, again = (np.random.default_rng(3) for _ in range(2))
    assert (draw_rock(first), draw_traces(first)) == (draw_rock(again), draw_traces(again))


def test_end_members_leave_no_negative_volatiles() -> None:
    assert all(sum(member.values()) <= 100 for member in END_MEMBERS)


@pytest.mark.parametrize(
    ("rock", "message"),
    [
        ({"SiO2": 70.0, "MgO": 40.0}, r"'rock' must lie between 0.0 and 100.0 wt%; found 110.0 wt%"),
        ({"SiO2": 70.0, "MgO": -1.0}, r"'MgO' must lie between 0.0 and 100.0 wt%; found -1.0 wt%"),
        ({"Fe2O3": 12.3}, r"'rock' must name oxides among SiO2, .*; found 'Fe2O3'"),
    ],
)
def test_what_is_no_rock_is_refused(rock: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_moles(rock, {})
