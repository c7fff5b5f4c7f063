"""Steps in closed form: the fixed point of Shirley's equation, the paper's formula, and the laws of both."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import cumulative_trapezoid, quad

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.line_shapes import Line
from napari_bgremove.spectra.shirley import separate_shirley
from napari_bgremove.spectra.steps import estimate_step

LINES = {
    "Lorentzian": Line(0.7, 1.3),
    "Gaussian": Line(0.7, 1.3, 0.0),
    "pseudo-Voigt": Line(0.7, 1.3, 0.4),
}
ENDS = (-9.0, 14.0)
LEVELS = (40.0, 12.0)


def make_measured(axis: np.ndarray, line: Line, area: float = 90.0) -> tuple[np.ndarray, np.ndarray]:
    """Return line + step, and the step."""
    step = estimate_step(axis, line, positions=ENDS, levels=LEVELS)
    return step + area * line.density(axis, interval=ENDS), step


def sweep_shirley(axis: np.ndarray, measured: np.ndarray, background: np.ndarray) -> np.ndarray:
    """One step of Shirley's recursion as the paper writes it, by the trapezoid rule; independent of the package."""
    beyond = cumulative_trapezoid((measured - background)[::-1], -axis[::-1], initial=0)[::-1]
    return LEVELS[1] + (LEVELS[0] - LEVELS[1]) * beyond / beyond[0]


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_finite_step_is_the_fixed_point_of_shirleys_equation(line: Line) -> None:
    axis = np.linspace(*ENDS, 23_001)
    measured, step = make_measured(axis, line)
    # The trapezoid rule at a step of 0.001 is the whole difference; reference 3 found 4.5e-8.
    assert np.abs(sweep_shirley(axis, measured, step) - step).max() <= 1e-7 * (LEVELS[0] - LEVELS[1])


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_distance_to_the_trapezoid_fixed_point_falls_with_the_square_of_the_step(line: Line) -> None:
    distances = []
    for count in (461, 921):
        axis = np.linspace(*ENDS, count)
        measured, step = make_measured(axis, line)
        distances.append(np.abs(sweep_shirley(axis, measured, step) - step).max())
    assert distances[0] / distances[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_both_ends_are_met_exactly_and_held_beyond(line: Line) -> None:
    axis = np.array([-30.0, ENDS[0], 0.0, ENDS[1], 50.0])
    step = estimate_step(axis, line, positions=ENDS, levels=LEVELS)
    assert_allclose(step[[0, 1, 3, 4]], [LEVELS[0], LEVELS[0], LEVELS[1], LEVELS[1]], rtol=1e-15)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.floats(-8, 13), st.floats(0.2, 20), st.floats(0, 1),
    st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 50), st.floats(-50, 50),
)  # fmt: skip
def test_a_step_is_monotonic_and_knows_neither_unit_nor_order(centre, width, share, start, stop, scale, shift) -> None:
    line, axis = Line(centre, width, share), np.linspace(*ENDS, 101)
    step = estimate_step(axis, line, positions=ENDS, levels=(start, stop))
    tolerance = 1e-9 * (1 + abs(start) + abs(stop))
    assert np.all(np.diff(step) * np.sign(stop - start) >= -tolerance)
    swapped = estimate_step(axis, line, positions=ENDS[::-1], levels=(stop, start))
    assert_allclose(swapped, step, atol=tolerance)
    other = Line(scale * centre + shift, scale * width, share)
    ends = tuple(scale * end + shift for end in ENDS)
    assert_allclose(estimate_step(scale * axis + shift, other, positions=ends, levels=(start, stop)), step, atol=1e-6)


def test_the_infinite_window_is_the_formula_of_the_paper() -> None:
    axis = np.linspace(-50, 50, 1001)
    step = estimate_step(axis, Line(0, 1), positions=(-50, 50), levels=(3.0, 0.5), window="infinite")
    assert_allclose(step, 0.5 + 2.5 / np.pi * (np.pi / 2 - np.arctan(axis)), rtol=1e-14)


# Reference 3: how far the paper's formula misses each end, in per cent of the step.
@pytest.mark.parametrize(("half_widths", "percent"), [(3, 10.2), (5, 6.3), (10, 3.2), (20, 1.6), (50, 0.6)])
def test_the_infinite_form_misses_the_ends_by_the_published_share(half_widths: float, percent: float) -> None:
    ends = (-float(half_widths), float(half_widths))
    step = estimate_step(ends, Line(0, 1), positions=ends, levels=(1.0, 0.0), window="infinite")
    assert_allclose([1 - step[0], step[1]], percent / 100, atol=0.0006)


def test_lorentzian_and_gaussian_are_the_step_forms_of_lmfit() -> None:
    # Its forms 'atan' and 'erf' with amplitude I1 - I2 and a negative sigma, written out.
    axis = np.linspace(-20, 20, 401)
    for line, form in (
        (Line(1.5, 0.8), 0.5 + np.arctan((axis - 1.5) / -0.8) / np.pi),
        (Line(1.5, 0.8, 0.0), [0.5 * (1 + erf((x - 1.5) / (-0.8 / sqrt(np.log(2))))) for x in axis]),
    ):
        step = estimate_step(axis, line, positions=(-20, 20), levels=(9.0, 2.0), window="infinite")
        assert_allclose(step, 2 + 7 * np.asarray(form), rtol=1e-13)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_density_has_area_one_and_half_its_height_at_the_half_width(line: Line) -> None:
    area, _ = quad(lambda x: float(line.density(np.array([x]), interval=ENDS)[0]), *ENDS, points=[0.7], epsabs=1e-12)
    assert area == pytest.approx(1, rel=1e-9)
    top, half = line.density(np.array([0.7, 0.7 + 1.3]), interval=ENDS)
    assert half == pytest.approx(top / 2, rel=1e-14)


def test_the_mixing_of_heights_becomes_a_share_of_areas() -> None:
    # Closed form: areas of unit height are pi and sqrt(pi / ln 2) half widths.
    line = Line.from_heights(2, 0.5, mixing=0.3)
    lorentzian, gaussian = 0.3 * np.pi, 0.7 * np.sqrt(np.pi / np.log(2))
    assert line.lorentzian_share == pytest.approx(lorentzian / (lorentzian + gaussian), rel=1e-14)
    narrow = Line.from_heights(2, 0.5, mixing=0.3, interval=(1, 3))
    # In a window the tails of the Lorentzian are cut: its share is smaller there.
    assert narrow.lorentzian_share < line.lorentzian_share


@pytest.mark.parametrize("share", [1.0, 0.0, 0.3])
def test_areas_far_out_in_a_tail_keep_their_digits(share: float) -> None:
    line = Line(0.0, 1.0, share)
    for interval in ((20.0, 21.0), (-21.0, -20.0)):
        middle = sum(interval) / 2
        inside = line.area_share(interval[0], middle, interval=interval)
        rest = line.area_share(middle, interval[1], interval=interval)
        assert inside + rest == pytest.approx(1, rel=1e-9)
    near, _ = quad(lambda x: 1 / (1 + x**2), 1e6, 1e6 + 1)
    far, _ = quad(lambda x: 1 / (1 + x**2), 1e6, 1e6 + 3)
    assert Line(0, 1).area_share(1e6, 1e6 + 1, interval=(1e6, 1e6 + 3)) == pytest.approx(near / far, rel=1e-9)


def test_many_lines_and_levels_are_one_call() -> None:
    axis, rng = np.linspace(*ENDS, 57), np.random.default_rng(2)
    centres, widths, start, stop = rng.uniform(1, 3, (4, 2, 5))
    steps = estimate_step(axis, Line(centres, widths, 0.3), positions=ENDS, levels=(start, stop))
    assert steps.shape == (2, 5, 57)
    for place in np.ndindex(2, 5):
        one = Line(centres[place], widths[place], 0.3)
        alone = estimate_step(axis, one, positions=ENDS, levels=(start[place], stop[place]))
        assert_array_equal(steps[place], alone)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Line(np.nan, 1), "'centre' must be a finite position on the axis; found nan"),
        (lambda: Line(0, 0), "'half_width' must be above zero; found 0"),
        (lambda: Line(0, 1, 1.2), "'lorentzian_share' must lie between 0 and 1; found 1.2"),
        (lambda: Line.from_heights(0, 1, mixing=-1), "'mixing' must lie between 0 and 1; found -1"),
        (
            lambda: estimate_step([0, 1], Line(0, 1), positions=(1, 1), levels=(0, 1)),
            "'positions' must be two different energies; found 1.0 and 1.0",
        ),
        (
            lambda: estimate_step([0, 1], Line(0, 1), positions=(0, 1), levels=(0, 1), window="half"),
            "'window' must be one of finite, infinite; found 'half'",
        ),
    ],
)
def test_bad_arguments_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_line_without_area_in_the_window_is_refused() -> None:
    with pytest.raises(ComputeError, match="'centre' must lie near the interval from 100 to 110"):
        estimate_step([100, 105], Line(0, 1, 0.0), positions=(100, 110), levels=(1, 0))


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_direct_solver_finds_the_closed_form_and_its_kappa(line: Line) -> None:
    axis = np.linspace(*ENDS, 23_001)
    measured, step = make_measured(axis, line)
    ends = (Endpoint(ENDS[0], level=LEVELS[0]), Endpoint(ENDS[1], level=LEVELS[1]))
    found = separate_shirley(axis, measured, ends=ends)
    distance = np.abs(found.background - step).max() / (LEVELS[0] - LEVELS[1])
    assert distance <= 1e-7
    assert found.kappa == pytest.approx((LEVELS[0] - LEVELS[1]) / 90, rel=1e-6)
