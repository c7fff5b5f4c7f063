"""The spectrum of a layer: its laws, its background, and layers that have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import trapezoid

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.layer_spectrum import NO_PEAK, find_half_fall, make_layer_spectrum
from napari_bgremove.spectra.line_shapes import Line
from napari_bgremove.spectra.shirley import separate_shirley
from napari_bgremove.spectra.steps import estimate_step

RNG = np.random.default_rng(4)
# A bulk of weak units below three strong ones; the norms of Gaussian weights; half of the units silent.
LAYERS = {
    "bulk and peaks": np.r_[RNG.normal(1, 0.15, 60).clip(0), 4.0, 4.5, 5.0],
    "fresh": np.linalg.norm(RNG.normal(size=(128, 64)), axis=1),
    "half silent": np.r_[np.zeros(20), RNG.uniform(1, 2, 20)],
    "one unit": np.array([0.3]),
}
ENERGIES = arrays(float, st.integers(1, 40), elements=st.just(0.0) | st.floats(1e-6, 1e3)).filter(np.any)


def gaussian(distance: np.ndarray) -> np.ndarray:
    return np.exp(-(distance**2) / (2 * 0.12**2)) / np.sqrt(2 * np.pi * 0.12**2)


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def energies(request: pytest.FixtureRequest) -> np.ndarray:
    return request.param


def test_the_spectrum_is_the_mean_over_units_of_their_power_as_gaussians(energies: np.ndarray) -> None:
    """The printed sum, one unit after the other, and what lies below zero folded back."""
    drawn = make_layer_spectrum(energies)
    x = energies / np.sqrt(np.mean(energies**2))
    expected = sum(each**2 * (gaussian(drawn.axis - each) + gaussian(-drawn.axis - each)) for each in x) / len(x)
    assert_allclose(drawn.spectrum, expected, rtol=1e-9, atol=1e-15)
    assert_allclose(drawn.x, x, rtol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(ENERGIES)
def test_the_spectrum_has_area_one_and_its_shares_lie_between_none_and_all(energies: np.ndarray) -> None:
    drawn = make_layer_spectrum(energies)
    # What a Gaussian has beyond 0.5 / 0.12 standard deviations is the whole difference.
    assert trapezoid(drawn.spectrum, drawn.axis) == pytest.approx(1, abs=2e-5)
    assert -1e-12 <= drawn.background_share <= 1 + 1e-12
    assert 1 / len(energies) - 1e-12 <= drawn.participation_ratio <= 1 + 1e-12
    assert ((drawn.gate >= 0) & (drawn.gate <= 1)).all()
    assert drawn.status in {"ok", "no_peak"}


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(ENERGIES, st.floats(-200, 200), st.randoms(use_true_random=False))
def test_neither_the_scale_nor_the_order_of_the_units_matters(energies: np.ndarray, decades: float, random) -> None:
    one = make_layer_spectrum(energies)
    order = random.sample(range(len(energies)), len(energies))
    # Multiplied by a power of two, so that no unit is rounded differently.
    other = make_layer_spectrum(np.ldexp(energies[order], int(decades)))
    assert_allclose(other.x, one.x[order], rtol=1e-12)
    assert_allclose(other.spectrum, one.spectrum, rtol=1e-9, atol=1e-12)
    assert other.participation_ratio == pytest.approx(one.participation_ratio, rel=1e-9)


def test_snr_and_gate_do_not_change_with_the_scale(energies: np.ndarray) -> None:
    one, other = make_layer_spectrum(energies), make_layer_spectrum(energies * 3e-170)
    assert other.snr == pytest.approx(one.snr, rel=1e-9)
    assert_allclose(other.gate, one.gate, rtol=1e-9, atol=1e-12)


def test_the_input_stays_and_the_answer_repeats(energies: np.ndarray) -> None:
    before = energies.copy()
    one, again = make_layer_spectrum(energies), make_layer_spectrum(energies)
    assert_array_equal(energies, before)
    assert_array_equal(one.background, again.background)
    assert_allclose(make_layer_spectrum(energies.astype(np.float32)).gate, one.gate, atol=1e-4)


def test_the_background_is_shirleys_on_the_window_and_everything_below_it(energies: np.ndarray) -> None:
    drawn = make_layer_spectrum(energies)
    assert drawn.status == "ok"
    assert drawn.window[1] == pytest.approx(drawn.x.max() + 0.5)
    inside = drawn.axis >= drawn.window[0]
    levels = drawn.spectrum[inside][[0, -1]]
    assert_allclose(drawn.background[inside][[0, -1]], levels, rtol=1e-9, atol=1e-15)
    assert np.isnan(drawn.background[~inside]).all()
    assert (drawn.gate[~inside] == 1).all()
    # Its definition: B falls by the share of the net area that lies beyond each energy.
    net, axis = drawn.residual[inside], drawn.axis[inside]
    beyond = np.array([trapezoid(net[i:], axis[i:]) for i in range(len(axis))])
    assert_allclose(drawn.background[inside], levels[1] + (levels[0] - levels[1]) * beyond / beyond[0], atol=1e-9)
    assert drawn.background_share == pytest.approx(1 - beyond[0], abs=2e-5)
    assert drawn.snr == pytest.approx((1 - drawn.background_share) / drawn.background_share)
    assert "Background holds" in drawn.sentence


@pytest.mark.parametrize("name", ["fresh", "half silent", "one unit"])
def test_the_window_starts_where_it_was_told_unless_more_is_left_from_further_up(name: str) -> None:
    assert make_layer_spectrum(LAYERS[name]).window[0] == 0.75
    assert make_layer_spectrum(LAYERS[name], low=0.6).window[0] == 0.6


# Strong units draw the mean up, and the hump of the others comes to stand on E1 = 0.75: just below it, where no
# background exists, and just above it, where the only one runs along all peaks.
@pytest.mark.parametrize(("strong", "from_there"), [(4.4, "no_solution"), (3.9, "ok")])
def test_behind_a_hump_that_stands_on_the_low_end_the_window_starts_anew(strong: float, from_there: str) -> None:
    energies = np.r_[np.random.default_rng(4).normal(1, 0.1, 60), np.full(3, strong)]
    drawn = make_layer_spectrum(energies)
    inside = drawn.axis >= 0.75
    ends = Endpoint(0.75), Endpoint(drawn.axis[-1])
    alone = separate_shirley(drawn.axis[inside], drawn.spectrum[inside], ends=ends)
    assert alone.status == from_there
    assert not alone.net_area > 0.06
    assert drawn.x[:-3].max() < drawn.window[0] < drawn.x[-3:].min()
    share = np.sum(drawn.x[:-3] ** 2) / np.sum(drawn.x**2)
    assert drawn.background_share == pytest.approx(share, abs=5e-3)
    assert (drawn.measure_gate(drawn.x[-3:]) < 0.01).all()


def test_the_gate_is_background_over_spectrum_at_each_unit(energies: np.ndarray) -> None:
    drawn = make_layer_spectrum(energies)
    gates = drawn.measure_gate(drawn.x)
    assert (gates[drawn.x <= drawn.window[0]] == 1).all()
    assert (gates[drawn.x.argmax()] < 0.5) == (drawn.snr > 1)
    inside = (drawn.axis >= drawn.window[0]) & (drawn.background < drawn.spectrum)
    assert_allclose(drawn.measure_gate(drawn.axis[inside]), (drawn.background / drawn.spectrum)[inside], rtol=1e-12)


@pytest.mark.parametrize(("strong", "ratio"), [(1, 1 / 50), (10, 10 / 50), (50, 1.0)])
def test_the_participation_ratio_counts_who_carries_the_power(strong: int, ratio: float) -> None:
    energies = np.r_[np.full(strong, 3.0), np.zeros(50 - strong)]
    assert make_layer_spectrum(energies).participation_ratio == pytest.approx(ratio, rel=1e-12)


def test_a_spectrum_that_falls_from_the_low_end_on_is_told_not_drawn() -> None:
    """Energies of density e^-3, without gaps: nothing stands out of the low-energy end."""
    energies = np.linspace(1, 0.02, 20_000) ** -0.5
    drawn = make_layer_spectrum(energies)
    window = drawn.axis >= 0.75
    assert (np.diff(drawn.spectrum[window]) < 0).all()
    assert (drawn.status, drawn.sentence) == ("no_peak", NO_PEAK)
    assert "no Shirley background exists" in drawn.sentence
    assert np.isnan(drawn.background).all()
    assert np.isnan(drawn.residual).all()
    assert (drawn.gate == 1).all()
    assert drawn.snr == 0


def test_a_layer_without_energy_is_all_background() -> None:
    drawn = make_layer_spectrum(np.zeros(12))
    assert (drawn.status, drawn.snr) == ("no_energy", 0)
    assert "No unit of this layer carries any energy" in drawn.sentence
    assert (drawn.measure_gate(drawn.x) == 1).all()
    assert np.isnan(drawn.participation_ratio)


def test_many_weights_are_collected_with_next_to_no_error() -> None:
    weights = np.abs(np.random.default_rng(1).normal(size=20_000))
    drawn = make_layer_spectrum(weights)
    x = weights / np.sqrt(np.mean(weights**2))
    kernels = gaussian(drawn.axis[:, None] - x) + gaussian(drawn.axis[:, None] + x)
    expected = kernels @ x**2 / len(x)
    assert_allclose(drawn.spectrum, expected, atol=1e-3 * expected.max())
    assert trapezoid(drawn.spectrum, drawn.axis) == pytest.approx(1, abs=2e-5)
    assert drawn.status == "ok"  # x^2 times a half-normal rises before it falls


# The paper's B_L, and Shirley's own background of a Lorentzian on its step, between ends 80 half widths away.
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("descending", [False, True])
def test_e0_and_gamma_come_back_from_the_background_of_a_lorentzian(direct: bool, descending: bool) -> None:
    e0, gamma = 1.4, 0.3
    axis = np.linspace(e0 - 80 * gamma, e0 + 80 * gamma, 20_001)
    step = estimate_step(axis, Line(e0, gamma), positions=(axis[0], axis[-1]), levels=(1, 0), window="infinite")
    if direct:
        measured = gamma**2 / (gamma**2 + (axis - e0) ** 2) + step
        ends = Endpoint(axis[0], level=step[0]), Endpoint(axis[-1], level=step[-1])
        step = separate_shirley(axis, measured, ends=ends).background
    if descending:
        axis, step = axis[::-1], step[::-1]
    found = find_half_fall(axis, step)
    assert found == pytest.approx((e0, gamma), rel=0.02)
    assert found[0] == pytest.approx(e0, rel=1e-4)


@pytest.mark.parametrize("half_widths", [5, 20])
def test_a_narrow_window_makes_gamma_too_small_by_the_stated_share(half_widths: float) -> None:
    axis = np.linspace(-half_widths, half_widths, 4001)
    step = estimate_step(axis, Line(0, 1), positions=(axis[0], axis[-1]), levels=(1, 0))
    assert 1 - find_half_fall(axis, step)[1] == pytest.approx(1 / half_widths, rel=0.15)


def test_samples_beyond_the_ends_are_left_out() -> None:
    drawn = make_layer_spectrum(LAYERS["bulk and peaks"])
    inside = drawn.axis >= drawn.window[0]
    assert find_half_fall(drawn.axis, drawn.background) == find_half_fall(drawn.axis[inside], drawn.background[inside])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_layer_spectrum([]), "'energies' must be one number for each unit of a layer; found 0"),
        (lambda: make_layer_spectrum([[1, 2]]), "'energies' must be one number for each unit of a layer; found 1 x 2"),
        (lambda: make_layer_spectrum([1, -2]), "finite and not negative, as norms are; found -2.0 at unit 1"),
        (lambda: make_layer_spectrum([np.nan]), "finite and not negative, as norms are; found nan at unit 0"),
        (lambda: make_layer_spectrum([1], bandwidth=0), "'bandwidth' must be above zero; found 0"),
        (lambda: make_layer_spectrum([1], low=0), "'low' must be above zero; found 0"),
        (lambda: make_layer_spectrum([1], low=1.5), "'low' must lie between 0 and 1; found 1.5"),
        (lambda: find_half_fall([0, 1], [[1, 0], [1, 0]]), "'background' must be one curve; found 2 x 2"),
    ],
)
def test_bad_arguments_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("background", [[1.0, 1.0, 1.0], [np.nan, np.nan, np.nan]])
def test_a_background_without_a_step_has_no_half_fall(background: list[float]) -> None:
    with pytest.raises(ComputeError, match="'background' must differ between its two ends; found no step"):
        find_half_fall([0, 1, 2], background)
