"""Tougaard's background: a convolution held against the plain double sum, its laws, and a CasaXPS export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_bgremove.errors import ComputeError
from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.spectra.tougaard import LOSS_FUNCTIONS, LossFunction, estimate_tougaard

AXIS = np.linspace(700, 760, 241)  # binding energy, eV
LEVELS = (20.0, 35.0)
LOSSES = [
    LOSS_FUNCTIONS["universal"],
    LOSS_FUNCTIONS["polymer"],
    LossFunction(230, -1, 4.5),
    LossFunction(551, -1, 436, 3),
]


def make_measured(axis: np.ndarray = AXIS) -> np.ndarray:
    """Two peaks on a rising ground, in terms of binding energy."""
    rise = 15 / (1 + np.exp(-(axis - 715) / 4))
    return 20 + rise + 100 * np.exp(-(((axis - 712) / 2) ** 2)) + 60 * np.exp(-(((axis - 725) / 2) ** 2))


def sum_losses(axis: np.ndarray, measured: np.ndarray, loss: LossFunction) -> np.ndarray:
    """The integral as it is written, sample by sample: electrons come from lower binding energies."""
    above = measured - LEVELS[0]
    return np.array(
        [
            0.0 if end == 0 else np.sum((f[1:] + f[:-1]) / 2 * np.diff(axis[: end + 1]))
            for end in range(len(axis))
            for f in [loss(axis[end] - axis[: end + 1]) * above[: end + 1]]
        ]
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_the_convolution_is_the_sum_over_all_losses(loss: LossFunction) -> None:
    measured = make_measured()
    background, strength = estimate_tougaard(AXIS, measured, loss=loss, levels=LEVELS, strength=700.0)
    assert strength == 700
    expected = LEVELS[0] + 700 * sum_losses(AXIS, measured, loss)
    assert_allclose(background, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_fitted_strength_makes_both_ends_meet(loss: LossFunction) -> None:
    background, strength = estimate_tougaard(AXIS, make_measured(), loss=loss, levels=LEVELS)
    assert_allclose(background[[0, -1]], LEVELS, rtol=1e-13)
    again, _ = estimate_tougaard(AXIS, make_measured(), loss=loss, levels=LEVELS, strength=float(strength))
    assert_allclose(again, background, rtol=1e-13)


def test_the_order_of_the_axis_does_not_matter() -> None:
    forward, one = estimate_tougaard(AXIS, make_measured(), levels=LEVELS)
    backward, other = estimate_tougaard(AXIS[::-1], make_measured()[::-1], levels=LEVELS[::-1])
    np.testing.assert_array_equal(backward[::-1], forward)
    assert one == other


def test_offset_and_scale_go_through() -> None:
    background, strength = estimate_tougaard(AXIS, make_measured(), levels=LEVELS)
    scaled, same = estimate_tougaard(AXIS, 3 * make_measured() + 50, levels=tuple(3 * x + 50 for x in LEVELS))
    assert_allclose(scaled, 3 * background + 50, rtol=1e-12)
    assert same == pytest.approx(float(strength), rel=1e-12)


def test_a_stack_is_the_loop_over_its_spectra_each_with_its_own_direction() -> None:
    measured = np.stack([make_measured(), make_measured()[::-1], 2 * make_measured()])
    first, last = np.array([20.0, 35, 40]), np.array([35.0, 20, 70])
    before = measured.copy()
    together, strengths = estimate_tougaard(AXIS, measured, levels=(first, last))
    np.testing.assert_array_equal(measured, before)
    for row in range(3):
        alone, strength = estimate_tougaard(AXIS, measured[row], levels=(first[row], last[row]))
        assert_allclose(together[row], alone, rtol=1e-12)
        assert strengths[row] == pytest.approx(float(strength), rel=1e-12)


# Closed form: K(T) = T / (C + T^2)^2 has its maximum at sqrt(C / 3), and the integral 1 / (2 C).
def test_the_universal_cross_section_has_its_known_maximum_and_integral() -> None:
    loss = np.linspace(0, 20_000, 2_000_001)
    values = LOSS_FUNCTIONS["universal"](loss)
    assert loss[np.argmax(values)] == pytest.approx(np.sqrt(1643 / 3), abs=0.02)
    assert np.sum(values) * 0.01 == pytest.approx(1 / (2 * 1643), rel=1e-4)


def test_the_loss_peak_of_aluminium_stands_at_its_plasmon() -> None:
    loss = np.linspace(0, 40, 4001)
    # Bulk plasmon of aluminium: 15 eV.
    assert loss[np.argmax(LOSS_FUNCTIONS["aluminium"](loss))] == pytest.approx(15.2, abs=0.3)


def test_the_background_of_casaxps_is_found_again(shared_data: Path) -> None:
    """The export of FeO, Fe 2p, whose region has the type U 3 Tougaard.

    The file does not state the parameters of the cross section. Published
    constants for polymers with a gap of 3 eV reproduce the column to 3e-4 of
    the step; without the gap it is 1e-2, with those of silicon dioxide 4e-2.
    The levels are those of the column: how CasaXPS averages is not stated
    either. So this holds the shape, not the way to B.
    """
    (counts, _) = read_spectra(shared_data / "xps" / "pynx_FeO_casa_U3Tougaard_cols.txt")
    column = counts.columns["Background"]
    # Outside its region CasaXPS repeats the counts.
    first, last = np.flatnonzero(column != counts.intensity)[[0, -1]]
    inside = slice(first, last + 1)
    levels = (column[first], column[last])
    step = np.ptp(levels)
    found = {}
    for name, loss in {"gap": LossFunction(551, -1, 436, 3), "none": LOSS_FUNCTIONS["polymer"]}.items():
        background, _ = estimate_tougaard(counts.axis[inside], counts.intensity[inside], loss=loss, levels=levels)
        found[name] = np.abs(background - column[inside]).max() / step
    assert found["gap"] <= 4e-4
    assert 0.005 < found["none"] < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"c": 0.0}, "'c' must be above zero; found 0.0 eV"),
        ({"c": 9.0, "c_sign": 2}, r"'c_sign' must be 1 \(two parameters\) or -1 \(three parameters\); found 2"),
        ({"c": 9.0, "d": -1.0}, "'d' must be zero or above, or the cross section has a pole; found -1.0"),
        ({"c": 9.0, "gap": -3.0}, "'gap' must be zero or above; found -3.0 eV"),
        ({"c": 9.0, "c_sign": -1}, "'d' must be above zero, or the cross section has a pole; found 0.0"),
    ],
)
def test_a_cross_section_that_cannot_be_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossFunction(**arguments)


def test_energies_rounded_by_a_text_file_are_equally_spaced() -> None:
    rounded, _ = estimate_tougaard(np.round(AXIS * 0.9 / 6, 3), make_measured(), levels=LEVELS)
    assert np.isfinite(rounded).all()


def test_an_axis_with_unequal_steps_is_refused_with_the_remedy() -> None:
    axis = AXIS + np.linspace(0, 1, len(AXIS)) ** 2
    with pytest.raises(ValueError, match=r"'axis' must have equal steps .* found 0.25\d* to 0.2583\d* eV. Interpolate"):
        estimate_tougaard(axis, make_measured(), levels=LEVELS)


def test_a_strength_must_be_positive_and_losses_must_exist() -> None:
    with pytest.raises(ValueError, match=r"'strength' must be above zero; found -2\.0 eV"):
        estimate_tougaard(AXIS, make_measured(), levels=LEVELS, strength=-2.0)
    with pytest.raises(ComputeError, match="'measured' must rise above its lower end level"):
        estimate_tougaard(AXIS, np.full(len(AXIS), 3.0), levels=LEVELS)
