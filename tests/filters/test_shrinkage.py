"""Shrinkage: laws of all four, then minima found by search and the thresholds of PyWavelets."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from napari_bgremove.filters.shrinkage import (
    PENALTIES,
    PROXIMAL,
    find_threshold,
    firm_threshold,
    half_threshold,
    hard_threshold,
    positive_threshold,
    shrink,
    soft_threshold,
)

GAMMA = 0.3
BY_THRESHOLD = {
    "soft": soft_threshold,
    "half": half_threshold,
    "hard": hard_threshold,
    "firm": lambda values, threshold: firm_threshold(values, threshold, GAMMA),
}
every_threshold = pytest.mark.parametrize("apply", BY_THRESHOLD.values(), ids=BY_THRESHOLD)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(3).normal(0, 3, 400)


@every_threshold
def test_the_threshold_is_the_largest_magnitude_that_becomes_zero(apply, values: np.ndarray) -> None:
    before = values.copy()
    np.testing.assert_array_equal(apply(values, 2.0) == 0, np.abs(values) <= 2.0)
    assert apply(2.0, 2.0) == 0
    assert apply(np.nextafter(2.0, 3), 2.0) > 0
    np.testing.assert_array_equal(values, before)


@every_threshold
def test_nothing_grows_or_changes_sign(apply, values: np.ndarray) -> None:
    shrunk = apply(values, 1.0)
    assert (np.abs(shrunk) <= np.abs(values)).all()
    assert (shrunk * values >= 0).all()
    order = np.argsort(values)
    assert (np.diff(shrunk[order]) >= 0).all()


@pytest.mark.parametrize("dtype", ["i4", "f4", "f8"])
def test_positive_values_are_softened_and_no_others_left(values: np.ndarray, dtype: str) -> None:
    given = values.astype(dtype)
    before = given.copy()
    lowered = positive_threshold(given, 1.5)
    np.testing.assert_array_equal(lowered, soft_threshold(np.maximum(given, 0), 1.5))
    assert lowered.dtype == soft_threshold(given, 1.5).dtype
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(positive_threshold([np.nan, -1.0], 0.5), [np.nan, 0])
    with pytest.raises(ValueError, match="'threshold' must be zero or above; found -1"):
        positive_threshold(given, -1.0)


@every_threshold
def test_no_threshold_changes_nothing(apply, values: np.ndarray) -> None:
    np.testing.assert_allclose(apply(values, 0.0), values, rtol=1e-15)
    assert apply(np.zeros(3), 0.0).tolist() == [0, 0, 0]


@every_threshold
@settings(deadline=None, derandomize=True, database=None)
@given(scale=st.floats(1e-3, 1e3), threshold=st.floats(0, 5))
def test_the_unit_does_not_matter(apply, scale: float, threshold: float) -> None:
    values = np.linspace(-7.03, 7.01, 101)
    np.testing.assert_allclose(apply(scale * values, scale * threshold), scale * apply(values, threshold), rtol=1e-9)


@every_threshold
def test_complex_values_shrink_by_magnitude_and_keep_their_phase(apply, values: np.ndarray) -> None:
    turned = np.exp(1j * np.linspace(0, 6, values.size))
    np.testing.assert_allclose(apply(values * turned, 1.5), apply(values, 1.5) * turned, atol=1e-14)
    assert apply(np.zeros(2, complex), 1.5).tolist() == [0, 0]


@every_threshold
def test_thresholds_are_broadcast_and_dtypes_kept(apply, values: np.ndarray) -> None:
    rows = values.reshape(4, 100)
    limits = np.array([[0.0], [1.0], [2.0], [9e9]])
    expected = np.stack([apply(row, limit[0]) for row, limit in zip(rows, limits, strict=True)])
    np.testing.assert_array_equal(apply(rows, limits), expected)
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        assert apply(rows.astype(dtype), limits).dtype == dtype
    assert apply([3, -4], 1).dtype == np.float64
    np.testing.assert_allclose(apply(rows.astype(np.float32), 1.0), apply(rows, 1.0), atol=1e-5)


@every_threshold
def test_gaps_stay_gaps(apply) -> None:
    shrunk = apply([np.nan, 5.0, -np.inf], 1.0)
    assert np.isnan(shrunk[0])
    assert shrunk[1] > 0
    assert apply(np.array([np.nan + 0j, 5.0]), 1.0)[1] != 0


@every_threshold
@pytest.mark.parametrize("threshold", [-1.0, np.nan])
def test_a_threshold_must_not_be_negative(apply, threshold: float) -> None:
    with pytest.raises(ValueError, match="'threshold' must be zero or above; found"):
        apply([1.0], [0.5, threshold])


def _minimise(z: float, penalty) -> float:
    """Brute force: the smallest value on a grid of 1e-3, then refined around it; u = 0 is tried apart."""

    def cost(u: float) -> float:
        return 0.5 * (u - z) ** 2 + penalty(np.abs(u))

    grid = np.sign(z) * np.arange(1e-3, abs(z) + 1e-3, 1e-3)
    best = grid[np.argmin(0.5 * (grid - z) ** 2 + np.vectorize(penalty)(np.abs(grid)))]
    low, high = sorted((best - 2e-3 * np.sign(z), best + 2e-3 * np.sign(z)))
    refined = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).x
    return float(refined) if cost(refined) < cost(0.0) else 0.0


@every_penalty
@pytest.mark.parametrize("weight", [0.4, 2.5])
def test_shrinkage_is_the_minimum_found_by_search(penalty: str, weight: float) -> None:
    costs = {
        "soft": lambda u: weight * u,
        "half": lambda u: weight * np.sqrt(u),
        "hard": lambda u: weight * (u > 0),
        "firm": lambda u: weight * u - GAMMA * u**2 / 2 if u <= weight / GAMMA else weight**2 / (2 * GAMMA),
    }
    for z in (-7.3, -2.9, -1.31, -0.37, 0.2, 0.55, 0.93, 1.7, 2.21, 3.4, 5.0, 9.1):
        found = _minimise(z, costs[penalty])
        # A minimum is flat: its place is known to the root of the rounding of its height.
        assert shrink(z, weight, penalty=penalty, gamma=GAMMA) == pytest.approx(found, abs=1e-6)


def test_by_threshold_soft_hard_and_firm_are_those_of_pywavelets(values: np.ndarray) -> None:
    turned = values * np.exp(1j * values)
    for data in (values, turned):
        np.testing.assert_allclose(soft_threshold(data, 1.2), pywt.threshold(data, 1.2, "soft"), atol=1e-14)
        np.testing.assert_allclose(hard_threshold(data, 1.2), pywt.threshold(data, 1.2, "hard"), atol=1e-14)
    np.testing.assert_allclose(firm_threshold(values, 1.2, 0.4), pywt.threshold_firm(values, 1.2, 3.0), atol=1e-14)


def test_half_thresholding_is_the_published_formula() -> None:
    """Xu et al. (2012), written for |u - z|^2 + lambda |u|^(1/2): twice our weight."""
    lam, z = 1.7, np.linspace(1.5, 8, 50)
    phi = np.arccos(lam / 8 * (z / 3) ** -1.5)
    published = 2 / 3 * z * (1 + np.cos(2 * np.pi / 3 - 2 / 3 * phi))
    np.testing.assert_allclose(shrink(z, lam / 2, penalty="half"), published, rtol=1e-13)
    assert find_threshold(lam / 2, penalty="half") == pytest.approx(54 ** (1 / 3) / 4 * lam ** (2 / 3))


def test_half_and_hard_jump_where_soft_and_firm_do_not() -> None:
    beyond = np.nextafter(1.0, 2)
    jumps = {name: float(apply(beyond, 1.0)) for name, apply in BY_THRESHOLD.items()}
    assert jumps == pytest.approx({"soft": 0, "half": 2 / 3, "hard": 1, "firm": 0}, abs=1e-12)


def test_firm_lies_between_soft_and_hard(values: np.ndarray) -> None:
    np.testing.assert_array_equal(firm_threshold(values, 1.0, 0), soft_threshold(values, 1.0))
    np.testing.assert_allclose(firm_threshold(values, 1.0, 1 - 1e-12), hard_threshold(values, 1.0), rtol=1e-9)


@every_penalty
def test_proximal_maps_by_name_are_shrink(penalty: str, values: np.ndarray) -> None:
    np.testing.assert_array_equal(PROXIMAL[penalty](values, 0.8), shrink(values, 0.8, penalty=penalty))
    by_threshold = BY_THRESHOLD[penalty](values, find_threshold(0.8, penalty=penalty))
    np.testing.assert_array_equal(shrink(values, 0.8, penalty=penalty, gamma=GAMMA), by_threshold)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="'penalty' must be one of soft, half, hard, firm; found 'lasso'"):
        shrink([1.0], 1.0, penalty="lasso")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'weight' must be zero or above; found -1"):
        shrink([1.0], -1.0, penalty="hard")
    for gamma in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"'gamma' must lie between 0 and 1, 1 left out; found {gamma}"):
            firm_threshold([1.0], 1.0, gamma)
