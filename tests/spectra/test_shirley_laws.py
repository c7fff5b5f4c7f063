"""Laws that every Shirley background obeys, whatever the spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import cumulative_trapezoid

from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.spectra.shirley import ShirleyBackground, separate_shirley

LAW = settings(max_examples=200, deadline=None, derandomize=True, database=None)
POINTS = 8  # of each anchor window


def make_spectrum(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two peaks on a step, falling or rising, with or without noise, evenly spaced or not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 200))
    axis = np.linspace(500, 530, n) if rng.random() < 0.5 else 500 + np.cumsum(rng.uniform(0.05, 0.4, n))
    u = (axis - axis[0]) / (axis[-1] - axis[0])
    centres, width = rng.uniform(0.3, 0.7, 2), rng.uniform(0.02, 0.06)
    peaks = rng.uniform(50, 200, 2) @ np.exp(-((u - centres[:, None]) ** 2) / (2 * width**2))
    rest = cumulative_trapezoid(peaks, axis, initial=0)
    share = rest / rest[-1] if rng.random() < 0.5 else 1 - rest / rest[-1]
    noise = rng.choice([0, 0.3, 1]) * rng.normal(size=n)
    return axis, rng.uniform(0, 1000) + peaks + rng.uniform(5, 30) * share + noise


def ends_of(axis: np.ndarray) -> tuple[Anchor, Anchor]:
    s = np.sort(axis)
    return Anchor(Window(s[0], s[POINTS - 1])), Anchor(Window(s[-POINTS], s[-1]))


def solve(axis: np.ndarray, measured: Any, **keywords: Any) -> ShirleyBackground:
    return separate_shirley(axis, measured, ends=ends_of(axis), **keywords)


def step_of(result: ShirleyBackground) -> float:
    return float(abs(result.end_levels[0] - result.end_levels[1]))


SEEDS = st.integers(0, 10**6)


@LAW
@given(SEEDS)
def test_the_background_is_what_the_formula_of_the_paper_gives_back(seed: int) -> None:
    """B(E) = I2 + (I1 - I2) A2(E) / A with A2 the net area above E: the definition, by scipy's trapezoid rule."""
    axis, measured = make_spectrum(seed)
    result = solve(axis, measured)
    inside = slice(POINTS - 1, len(axis) - POINTS + 1)
    net = result.signal[inside]
    rest = cumulative_trapezoid(net[::-1], -axis[inside][::-1], initial=0)[::-1]
    first, last = result.end_levels
    assert_allclose(result.background[inside], last + (first - last) * rest / rest[0], atol=1e-11 * step_of(result))
    assert result.net_area == pytest.approx(rest[0], rel=1e-9)
    assert result.kappa * result.net_area == pytest.approx(first - last, rel=1e-12)
    assert result.net_area > 0


@LAW
@given(SEEDS, st.floats(1e-6, 1e6))
def test_a_scaled_spectrum_has_a_scaled_background(seed: int, factor: float) -> None:
    axis, measured = make_spectrum(seed)
    plain, scaled = solve(axis, measured), solve(axis, factor * measured)
    assert_allclose(scaled.background, factor * plain.background, rtol=1e-11)
    assert scaled.kappa == pytest.approx(plain.kappa, rel=1e-8)


@LAW
@given(SEEDS, st.floats(-1e4, 1e4))
def test_an_offset_is_carried_through(seed: int, offset: float) -> None:
    axis, measured = make_spectrum(seed)
    plain, lifted = solve(axis, measured), solve(axis, measured + offset)
    assert_allclose(lifted.background, plain.background + offset, atol=1e-7 * step_of(plain))
    assert lifted.net_area == pytest.approx(plain.net_area, rel=1e-7)


@LAW
@given(SEEDS)
def test_the_direction_of_the_arrays_does_not_matter(seed: int) -> None:
    axis, measured = make_spectrum(seed)
    forth, back = solve(axis, measured, sigma="scatter"), solve(axis[::-1], measured[::-1], sigma="scatter")
    assert_array_equal(back.background[::-1], forth.background)
    assert_array_equal(back.uncertainty[::-1], forth.uncertainty)
    assert (back.kappa, back.net_area, back.sigma_area) == (forth.kappa, forth.net_area, forth.sigma_area)
    assert_array_equal(back.end_levels, forth.end_levels)


@LAW
@given(SEEDS)
def test_binding_instead_of_kinetic_energy_gives_the_same_background(seed: int) -> None:
    axis, measured = make_spectrum(seed)
    kinetic, binding = solve(axis, measured), solve(1486.6 - axis, measured)
    assert_allclose(binding.background, kinetic.background, atol=1e-10 * step_of(kinetic))
    assert binding.kappa == pytest.approx(-kinetic.kappa, rel=1e-8)
    assert binding.net_area == pytest.approx(kinetic.net_area, rel=1e-8)


@LAW
@given(SEEDS, st.floats(1e-3, 1e3))
def test_the_unit_of_the_axis_does_not_matter(seed: int, factor: float) -> None:
    axis, measured = make_spectrum(seed)
    plain, stretched = solve(axis, measured), solve(factor * axis, measured)
    assert_allclose(stretched.background, plain.background, atol=1e-10 * step_of(plain))
    assert stretched.kappa == pytest.approx(plain.kappa / factor, rel=1e-8)


@LAW
@given(SEEDS)
def test_wherever_the_spectrum_lies_above_it_the_background_goes_one_way(seed: int) -> None:
    axis, measured = make_spectrum(seed)
    result = solve(axis, measured)
    inside = slice(POINTS - 1, len(axis) - POINTS + 1)
    net = result.signal[inside]
    uphill = (net[:-1] >= 0) & (net[1:] >= 0)
    rise = np.diff(result.background[inside]) * np.sign(result.end_levels[1] - result.end_levels[0])
    assert uphill.sum() > 5
    assert (rise[uphill] >= -1e-12 * step_of(result)).all()


@LAW
@given(SEEDS)
def test_the_background_is_a_weighted_mean_of_the_data_and_the_lower_level(seed: int) -> None:
    axis, measured = make_spectrum(seed)
    result = solve(axis, measured)
    inside = slice(POINTS - 1, len(axis) - POINTS + 1)
    seen = np.append(measured[inside], result.end_levels.min())
    slack = 1e-12 * np.abs(seen).max()
    assert result.background[inside].min() >= seen.min() - slack
    assert result.background[inside].max() <= seen.max() + slack


@LAW
@given(SEEDS)
def test_it_meets_both_levels_and_holds_them_over_the_windows(seed: int) -> None:
    axis, measured = make_spectrum(seed)
    result = solve(axis, measured)
    rounding = 1e-12 * np.abs(measured).max()
    assert_allclose(result.background[:POINTS], measured[:POINTS].mean(), atol=rounding)
    assert_allclose(result.background[-POINTS:], measured[-POINTS:].mean(), atol=rounding)


@LAW
@given(SEEDS, st.floats(0, 0.4))
def test_samples_left_out_by_nan_or_mask_are_as_if_never_measured(seed: int, share: float) -> None:
    axis, measured = make_spectrum(seed)
    valid = np.random.default_rng(seed).random(len(axis)) >= share
    valid[:POINTS] = valid[-POINTS:] = True
    dropped = solve(axis[valid], measured[valid], sigma="scatter")
    masked = solve(axis, np.where(valid, measured, 1e9), valid_mask=valid, sigma="scatter")
    holed = solve(axis, np.where(valid, measured, np.nan), sigma="scatter")
    assert_array_equal(masked.background, holed.background)
    assert_array_equal(masked.background[valid], dropped.background)
    assert np.isnan(masked.background[~valid]).all()
    assert np.isnan(masked.signal[~valid]).all()
    assert_array_equal(masked.uncertainty[valid], dropped.uncertainty)
    assert masked.net_area == dropped.net_area
    assert masked.sigma_area == dropped.sigma_area


SPECTRUM = make_spectrum(7)
LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "negative strides": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "strided": lambda a: np.repeat(a, 3, axis=-1)[..., ::3],
    "masked array": lambda a: np.ma.MaskedArray(a.copy()),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("method", ["direct", "iterate"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8", ">f4"])
def test_every_dtype_and_layout_gives_the_same_and_is_not_modified(method: Any, layout: str, dtype: str) -> None:
    axis, measured = SPECTRUM
    native = np.stack([measured, measured[::-1]]).astype(dtype)
    given = LAYOUTS[layout](native)
    before = np.array(given, copy=True)
    result = solve(axis, given, method=method)
    assert_array_equal(result.background, solve(axis, native.astype(float), method=method).background)
    assert_array_equal(np.asarray(given), before)
    assert result.background.dtype == result.signal.dtype == np.float64


@pytest.mark.parametrize("method", ["direct", "iterate"])
@pytest.mark.parametrize("sigma", [None, "scatter", "poisson"])
def test_many_at_once_are_each_on_its_own(method: Any, sigma: Any) -> None:
    """Rows of both directions, without solution, flat, and with gaps of their own."""
    rng = np.random.default_rng(3)
    axis = np.linspace(0, 20, 120)
    peak = 100 * np.exp(-((axis - 10) ** 2))
    steps = rng.uniform(-40, 40, (3, 5, 1)) * (axis > 10)
    cube = 200 + rng.uniform(0.5, 2, (3, 5, 1)) * peak + steps + rng.normal(0, 0.3, (3, 5, 120))
    cube[0, 0] = 300 - 5 * axis  # no peak
    cube[0, 1] = 200 + peak  # no step
    cube[0, 2] = 200 + 20 * (axis > 10) - peak  # a peak upside down
    cube[1, :, 40:43] = np.nan
    cube[1, 1, 60] = np.nan
    together = solve(axis, cube, method=method, sigma=sigma)
    for place in np.ndindex(3, 5):
        alone = solve(axis, cube[place], method=method, sigma=sigma)
        assert together.status[place] == alone.status
        assert_allclose(together.background[place], alone.background, rtol=1e-12)
        for name in ("kappa", "net_area", "sigma_area", "min_net", "end_levels", "sigma_end_levels", "end_mismatch"):
            assert_allclose(getattr(together, name)[place], getattr(alone, name), rtol=1e-9, err_msg=name)
        if sigma:
            assert_allclose(together.uncertainty[place], alone.uncertainty, rtol=1e-9)
    drawn = np.isin(together.status, ["ok", "flat", "ill_conditioned"])
    assert {"ok", "flat"} <= set(together.status.flat)
    assert 0 < drawn.sum() < 15
    assert_array_equal(np.isfinite(together.background).any(-1), drawn)


@pytest.mark.parametrize("even", [True, False])
def test_hundreds_at_once_are_each_on_its_own(even: bool) -> None:
    """Many rows take other ways through memory than one."""
    rng = np.random.default_rng(8)
    axis = np.linspace(0, 20, 121) if even else np.cumsum(rng.uniform(0.1, 0.2, 121))
    peaks = rng.uniform(5, 90, (600, 1)) * np.exp(-((axis - rng.uniform(7, 13, (600, 1))) ** 2))
    measured = 200 + peaks + rng.uniform(-30, 30, (600, 1)) * (axis > 10) + rng.normal(0, 0.3, (600, 121))
    together = solve(axis, measured, sigma="scatter")
    both_ways = [np.count_nonzero(sign * together.kappa > 0) for sign in (1, -1)]
    assert min(both_ways) >= 200  # so many go step by step
    assert (together.status == "no_solution").any()
    for row in range(0, 600, 13):
        alone = solve(axis, measured[row], sigma="scatter")
        assert together.status[row] == alone.status
        scale = 1e-11 * step_of(alone)
        assert_allclose(together.background[row], alone.background, atol=scale)
        assert_allclose(together.kappa[row], alone.kappa, rtol=1e-10)
        assert_allclose(together.sigma_area[row], alone.sigma_area, rtol=1e-8)
        assert_allclose(together.uncertainty[row], alone.uncertainty, rtol=1e-8, atol=scale)


def test_the_same_call_twice_gives_the_same_bits() -> None:
    axis, measured = SPECTRUM
    once, twice = (solve(axis, measured, sigma="scatter") for _ in range(2))
    assert_array_equal(once.background, twice.background)
    assert_array_equal(once.uncertainty, twice.uncertainty)


def test_signal_and_background_add_up_to_what_was_measured() -> None:
    axis, measured = SPECTRUM
    result = solve(axis, measured)
    assert_allclose(result.residual, 0, atol=1e-12 * measured.max())
    assert result.ledger()["measured"] == pytest.approx(measured.sum())
