"""Laws of the percentile normalisation: invertible, batch equals loop, energy conserved or as published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.images.normalization import PercentileRange, measure_percentile_range, undo_normalization

EPS = float(np.finfo(np.float32).eps)


def _patch(seed: int, *, n: int = 32, offset: float = 0.0, height: float = 100.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (offset + height * rng.exponential(size=(n, n)) ** 3).astype(np.float32)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.floats(-1e4, 1e4), st.floats(1e-2, 1e6))
def test_without_clipping_the_normalisation_is_invertible(seed: int, offset: float, height: float) -> None:
    patch = _patch(seed, offset=offset, height=height)
    bounds = measure_percentile_range(patch)
    back = bounds.undo(bounds.apply(patch, clip=False))
    assert_allclose(back, patch, rtol=0, atol=8 * EPS * float(np.abs(patch).max()))


def test_bounds_are_numpys_percentiles_of_the_usable_pixels() -> None:
    patch = _patch(1)
    patch[::5, ::3] = np.nan
    bounds = measure_percentile_range(patch, percentiles=(2, 90))
    assert_allclose([bounds.low, bounds.high], np.nanpercentile(patch.astype(float), (2, 90)), rtol=1e-6)


def test_clipping_keeps_exactly_the_unit_interval() -> None:
    patch = _patch(2)
    inside = measure_percentile_range(patch).apply(patch)
    assert inside.min() == 0
    assert inside.max() == 1


@pytest.mark.parametrize("value", [0.0, -3.0, 1e6])
def test_a_constant_patch_has_scale_one_and_comes_back_unchanged(value: float) -> None:
    patch = np.full((16, 16), value, np.float32)
    bounds = measure_percentile_range(patch)
    assert bounds.scale == 1
    normalized = bounds.apply(patch)
    assert_array_equal(normalized, 0)
    for variant in ("conserving", "literal"):
        signal, _ = undo_normalization(normalized, normalized, patch, bounds, variant=variant)
        assert_array_equal(signal, patch)


def test_a_patch_without_usable_pixels_gives_the_unit_range() -> None:
    assert measure_percentile_range(np.full((4, 4), np.nan, np.float32)) == PercentileRange(0.0, 1.0)


def test_a_stack_equals_the_loop_over_its_patches_bit_for_bit() -> None:
    stack = np.stack([_patch(s, offset=s, height=10.0**s) for s in range(6)])
    stack[2, :3] = np.nan
    stack[4] = np.nan
    stack[5] = 7
    bounds = measure_percentile_range(stack)
    rng = np.random.default_rng(0)
    share = rng.random(stack.shape).astype(np.float32)
    inside = bounds.apply(stack)
    parts = undo_normalization(inside * share, inside - inside * share, stack, bounds)
    for i, patch in enumerate(stack):
        one = measure_percentile_range(patch)
        assert_array_equal(inside[i], one.apply(patch))
        alone = undo_normalization(inside[i] * share[i], inside[i] - inside[i] * share[i], patch, one)
        assert_array_equal(parts[0][i], alone[0])
        assert_array_equal(parts[1][i], alone[1])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.floats(-1e3, 1e4), st.floats(1e-1, 1e5))
def test_conserving_parts_add_up_to_the_measured_patch_whenever_the_networks_parts_add_up(
    seed: int, offset: float, height: float
) -> None:
    measured = _patch(seed, offset=offset, height=height)
    bounds = measure_percentile_range(measured)
    inside = bounds.apply(measured)
    background = inside * np.random.default_rng(seed).random(inside.shape).astype(np.float32)
    signal, background = undo_normalization(inside - background, background, measured, bounds)
    tolerance = 8 * EPS * float(np.abs(measured).max() + abs(float(bounds.low)))
    assert_allclose(signal + background, measured, rtol=0, atol=tolerance)
    assert background.min() >= 0


def test_conserving_without_background_gives_the_measured_patch_back() -> None:
    measured = _patch(5, offset=30)
    bounds = measure_percentile_range(measured)
    inside = bounds.apply(measured)
    signal, background = undo_normalization(inside, np.zeros_like(inside), measured, bounds)
    assert_allclose(signal, measured, rtol=4 * EPS)
    assert_array_equal(background, 0)


def test_conserving_shares_the_clipped_excess_as_the_network_shared_the_pixel() -> None:
    """Closed form: a pixel 9 above a range of width 1, predicted 3/4 background, is 7.5 background and 2.5 signal."""
    bounds = PercentileRange(0.0, 1.0)
    signal, background = undo_normalization(
        np.array([[0.25]], np.float32), np.array([[0.75]], np.float32), np.array([[10.0]], np.float32), bounds
    )
    assert (float(signal[0, 0]), float(background[0, 0])) == (2.5, 7.5)


def test_what_is_below_the_lower_bound_stays_with_the_signal() -> None:
    bounds = PercentileRange(5.0, 9.0)
    zero = np.zeros((1, 1), np.float32)
    signal, background = undo_normalization(zero, zero, np.array([[2.0]], np.float32), bounds)
    assert (float(signal[0, 0]), float(background[0, 0])) == (2.0, 0.0)


def test_normalising_leaves_its_input_alone() -> None:
    measured = _patch(6)
    before = measured.copy()
    bounds = measure_percentile_range(measured)
    inside = bounds.apply(measured)
    undo_normalization(inside, inside * 0, measured, bounds)
    assert_array_equal(measured, before)


def test_an_unknown_variant_is_refused() -> None:
    zero = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match="'variant' must be one of conserving, literal; found 'half'"):
        undo_normalization(zero, zero, zero, PercentileRange(0, 1), variant="half")
