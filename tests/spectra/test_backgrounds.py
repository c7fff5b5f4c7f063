"""Laws of every background in the table, then values from closed forms and from pybaselines itself."""

from __future__ import annotations

import numpy as np
import pybaselines
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.backgrounds import METHODS, separate_background
from napari_bgremove.spectra.baselines import BASELINES
from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.line_shapes import Line
from napari_bgremove.spectra.steps import estimate_step

AXIS = np.linspace(280, 300, 201)
ENDS = (Anchor(Window(280.5, 282)), Anchor(Window(297, 299.5)))
INNER = (282.0, 297.0)
SHIRLEY = ("direct", "iterate")
STEPS = ("lorentzian", "gaussian", "pseudo_voigt")
# SNIP would guess its window from the data, each time anew.
PARAMETERS = {"snip": {"max_half_window": 30}}


def make_measured(seed: int = 0) -> np.ndarray:
    line = np.exp(-np.log(2) * ((AXIS - 288) / 0.8) ** 2) * 400
    step = 50 + 30 / (1 + np.exp(-(AXIS - 288)))
    return line + step + np.random.default_rng(seed).normal(0, 0.5, AXIS.size)


def separate(method: str, axis=AXIS, measured=None, **arguments):
    given = {"ends": ENDS, **PARAMETERS.get(method, {}), **arguments}
    return separate_background(axis, make_measured() if measured is None else measured, method=method, **given)


@pytest.mark.parametrize("method", METHODS)
def test_net_and_background_add_up_and_the_input_is_untouched(method: str) -> None:
    measured = make_measured()
    before = measured.copy()
    first, second = separate(method, measured=measured), separate(method, measured=measured)
    assert_array_equal(measured, before)
    assert_array_equal(first.background, second.background)
    inside = (AXIS > 280.5 - 1e-9) & (AXIS <= 299.5 + 1e-9)
    assert_array_equal(np.isfinite(first.background), inside)
    assert np.nanmax(np.abs(first.residual)) <= 1e-12
    assert first.provenance["method"] == ("shirley" if method in SHIRLEY else method)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_axis_does_not_matter(method: str) -> None:
    forward = separate(method)
    backward = separate(method, AXIS[::-1], make_measured()[::-1])
    assert_array_equal(backward.background[::-1], forward.background)


@pytest.mark.parametrize("method", METHODS)
def test_a_stack_is_the_loop_over_its_spectra(method: str) -> None:
    stack = np.stack([make_measured(seed) for seed in range(4)]).reshape(2, 2, -1)
    together = separate(method, measured=stack)
    assert together.background.shape == stack.shape
    for place in np.ndindex(2, 2):
        alone = separate(method, measured=stack[place])
        # A stack of Shirley backgrounds is one matrix product: equal up to rounding.
        assert_allclose(together.background[place], alone.background, rtol=1e-11 if method in SHIRLEY else 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["i4", ">i2", "f4", ">f8"])
def test_every_dtype_and_layout_gives_the_float64_result(method: str, dtype: str) -> None:
    native = np.round(make_measured())
    wide = np.zeros((AXIS.size, 2), dtype)
    wide[:, 1] = native
    result = separate(method, measured=wide[:, 1])
    assert result.background.dtype == np.float64
    assert_array_equal(result.background, separate(method, measured=native).background)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "modpoly"])
def test_an_offset_goes_into_the_background(method: str) -> None:
    # airPLS compares its misfit with the sum of the data, so it may stop one round earlier or later.
    tolerance = 1e-7 if method != "airpls" else 3
    lifted = separate(method, measured=make_measured() + 200)
    assert_allclose(lifted.background, separate(method).background + 200, atol=tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_the_unit_of_the_intensity_does_not_matter(method: str) -> None:
    scaled = separate(method, measured=1000 * make_measured())
    assert_allclose(scaled.background, 1000 * separate(method).background, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_masked_sample_says_does_not_matter(method: str) -> None:
    valid = np.ones(AXIS.size, bool)
    valid[[40, 77, 78, 120]] = False
    by_mask = separate(method, measured=np.where(valid, make_measured(), 1e9), valid_mask=valid) \
        if method not in ("tougaard_u2",) else separate(
            method, measured=np.where(valid, make_measured(), -1e9), valid_mask=valid)  # fmt: skip
    by_nan = separate(method, measured=np.where(valid, make_measured(), np.nan))
    assert_array_equal(by_mask.background, by_nan.background)
    assert not np.isfinite(by_mask.background[~valid]).any()
    # Four samples of 201 are no great loss, of a spectrum that rises by 400 counts.
    assert np.nanmax(np.abs(by_nan.background - separate(method).background)) < 8


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].needs_ends])
def test_a_tied_background_has_the_levels_of_its_windows(method: str) -> None:
    result = separate(method)
    for end in ENDS:
        low, high = end.window.low - 1e-9, end.window.high + 1e-9
        inside = (low < AXIS) & (high > AXIS)
        assert_allclose(result.background[inside], result.measured[inside].mean(), rtol=1e-12)


@pytest.mark.parametrize("method", BASELINES)
def test_a_baseline_takes_the_whole_spectrum_where_no_ends_are_given(method: str) -> None:
    assert np.isfinite(separate(method, ends=None).background).all()


@pytest.mark.parametrize("method", BASELINES)
def test_a_baseline_is_that_of_pybaselines(method: str) -> None:
    measured = make_measured()
    parameters = {**METHODS[method].parameters, **PARAMETERS.get(method, {}), **BASELINES[method].options}
    expected, _ = getattr(pybaselines.Baseline(AXIS), method)(measured, **parameters)
    assert_array_equal(separate(method, measured=measured, ends=None).background, expected)


@pytest.mark.parametrize("max_half_window", [None, 5, 15, 29])
def test_snip_stays_between_the_data_and_their_minimum(max_half_window: int | None) -> None:
    """Also where its window is as wide as the peak, and reaches beyond the ends."""
    measured = make_measured()
    near = (AXIS > 285) & (AXIS < 291)
    result = separate_background(AXIS[near], measured[near], method="snip", max_half_window=max_half_window)
    assert np.all(result.signal >= 0)
    assert result.background.min() >= measured[near].min()


def test_a_baseline_says_whether_it_converged() -> None:
    assert separate("arpls", tol=0.1).provenance["found"] == [{"converged": True}]
    assert separate("arpls", max_iter=2, tol=1e-9).provenance["found"] == [{"converged": False}]
    assert separate("snip").provenance["found"] == [{}]


@pytest.mark.parametrize("method", [m for m in METHODS if m not in SHIRLEY])
def test_what_was_found_is_recorded_for_each_spectrum(method: str) -> None:
    result = separate(method, measured=np.stack([make_measured(1), make_measured(2)]))
    first, second = result.provenance["found"]
    assert first.keys() == second.keys()
    assert result.provenance["parameters"] == {**METHODS[method].parameters, **PARAMETERS.get(method, {})}


def test_the_line_is_straight_between_two_levels() -> None:
    ends = (Endpoint(282.0, level=10.0), Endpoint(297.0, level=40.0))
    found = separate("linear", ends=ends).background
    inside = np.isfinite(found)
    assert_allclose(found[inside], 10 + 2 * (AXIS[inside] - 282), rtol=1e-12)


TRUE_LINES = {"lorentzian": Line(288.3, 0.9), "gaussian": Line(288.3, 0.9, 0.0), "pseudo_voigt": Line(288.3, 0.9, 0.35)}


def make_spectrum(line: Line) -> tuple[np.ndarray, np.ndarray]:
    step = estimate_step(AXIS, line, positions=INNER, levels=(50.0, 80.0))
    return step + 500 * line.density(AXIS, interval=INNER), step


LEVEL_ENDS = (Endpoint(INNER[0], level=50.0), Endpoint(INNER[1], level=80.0))


@pytest.mark.parametrize("method", STEPS)
def test_a_made_line_and_its_step_are_found_again(method: str) -> None:
    line = TRUE_LINES[method]
    measured, step = make_spectrum(line)
    result = separate(method, measured=measured, ends=LEVEL_ENDS)
    inside = np.isfinite(result.background)
    assert_allclose(result.background[inside], step[inside], rtol=1e-7)
    (found,) = result.provenance["found"]
    assert found["centre"] == pytest.approx(288.3, abs=1e-6)
    assert found["half_width"] == pytest.approx(0.9, rel=1e-5)
    assert found["lorentzian_share"] == pytest.approx(line.lorentzian_share, abs=1e-5)
    assert found["area"] == pytest.approx(500, rel=1e-6)


@pytest.mark.parametrize("method", STEPS)
def test_a_given_line_is_kept(method: str) -> None:
    line = TRUE_LINES[method]
    given = {"centre": 287.0, "half_width": 2.0}
    if method == "pseudo_voigt":
        given["lorentzian_share"] = line.lorentzian_share
    found = separate(method, ends=LEVEL_ENDS, **given).background
    expected = estimate_step(AXIS, Line(287, 2, line.lorentzian_share), positions=INNER, levels=(50, 80))
    inside = np.isfinite(found)
    assert_allclose(found[inside], expected[inside], rtol=1e-12)


def test_the_infinite_window_is_the_paper_and_misses_the_levels() -> None:
    given = {"centre": 288.0, "half_width": 1.0, "window": "infinite"}
    found = separate("lorentzian", ends=LEVEL_ENDS, **given).background
    inside = np.isfinite(found)
    expected = 80 - 30 / np.pi * (np.pi / 2 - np.arctan(AXIS[inside] - 288))
    assert_allclose(found[inside], expected, rtol=1e-12)


def test_in_a_stack_a_spectrum_without_a_background_is_nan_and_counted() -> None:
    stack = np.stack([make_measured(), np.full(AXIS.size, np.nan), np.linspace(5, 1, AXIS.size)])
    result = separate("gaussian", measured=stack)
    assert np.isfinite(result.background[0]).any()
    assert np.isnan(result.background[1:]).all()
    assert result.provenance["without_result"]["count"] == 2
    assert "must have at least 2 usable samples; found 0 of 201" in result.provenance["without_result"]["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "shirly", "ends": ENDS}, "'method' must be one of direct, iterate, linear"),
        ({"method": "linear"}, "'ends' must be two anchors or endpoints for the method linear; found none"),
        ({"method": "arpls", "poly_order": 3}, "'parameter of arpls' must be one of lam, tol, max_iter; found 'poly_"),
        ({"method": "gaussian", "ends": ENDS, "half_width": -1.0, "centre": 288}, "'half_width' must be above zero"),
        ({"method": "linear", "ends": (Anchor(Window(1, 2)), ENDS[1])}, "'window' must lie on the axis, 280 to 300"),
    ],
)
def test_wrong_arguments_are_named(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        separate_background(AXIS, make_measured(), **arguments)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (np.full(AXIS.size, np.nan), "'measured' must have at least 2 usable samples; found 0 of 201"),
        (50 - 40 * np.exp(-(((AXIS - 290) / 3) ** 2)), "'measured' must rise above the straight line"),
        (50 + (AXIS - 280) * 5 - ((AXIS - 290) / 5) ** 2, "'half_width' must be found inside"),
    ],
)
def test_a_spectrum_without_a_line_is_refused_with_the_reason(measured: np.ndarray, message: str) -> None:
    with pytest.raises(ComputeError, match=message):
        separate("lorentzian", measured=measured)
