"""Samples that are not usable: what marks them, and how they are bridged."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove._gaps import bridge_gaps, mark_gaps

AXIS = np.array([0.0, 1, 3, 4, 10, 11])


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "f2", "f4", ">f8", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_samples_are_copied_as_float64(dtype: str, order: str) -> None:
    measured = np.ones((2, 6), dtype, order=order)
    values, usable = mark_gaps(measured)
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    assert usable.all()
    values[:] = 0
    assert measured.all()


def test_whatever_says_that_a_sample_is_not_usable_leaves_nan_there() -> None:
    measured = np.ma.MaskedArray(np.ones((2, 6)), mask=False)
    measured[0, 1] = np.ma.masked
    measured[1, 2], measured[1, 3] = np.inf, np.nan
    values, usable = mark_gaps(measured, valid_mask=[True] * 5 + [False])
    expected = np.ones((2, 6), bool)
    expected[0, 1] = expected[1, 2] = expected[1, 3] = False
    expected[:, 5] = False
    np.testing.assert_array_equal(usable, expected)
    np.testing.assert_array_equal(values, np.where(expected, 1, np.nan))


@pytest.mark.parametrize(
    ("measured", "mask", "message"),
    [
        (np.ones(6, complex), None, "'measured' must hold real numbers; found dtype complex128"),
        (np.ones((2, 6)), np.ones((3, 6), bool), "'valid_mask' must have the shape of 'measured' .2 x 6.; found 3 x 6"),
    ],
)
def test_what_are_no_samples_or_no_mask_of_them_is_refused(
    measured: np.ndarray, mask: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mark_gaps(measured, valid_mask=mask)


def test_a_signal_without_gaps_is_its_own_bridge() -> None:
    values = np.ones((2, 6))
    assert bridge_gaps(AXIS, values) is values


@pytest.mark.parametrize("step", [1, -1], ids=["rising", "falling"])
def test_gaps_lie_on_straight_lines_and_ends_are_held(step: int) -> None:
    """A straight line over uneven positions comes back where it is interpolated, and its last value beyond."""
    values = np.stack([2 * AXIS + 1, 5 - AXIS])
    values[0, 1:4] = np.nan
    values[1, [0, 5]] = np.nan
    before = values.copy()
    bridged = bridge_gaps(AXIS[::step], values[:, ::step])[:, ::step]
    np.testing.assert_allclose(bridged[0], 2 * AXIS + 1, rtol=1e-15)
    np.testing.assert_array_equal(bridged[1], [4, 4, 2, 1, -5, -5])
    np.testing.assert_array_equal(values, before)


def test_each_signal_is_bridged_by_itself_in_any_shape() -> None:
    rng = np.random.default_rng(5)
    values = np.where(rng.random((2, 3, 6)) < 0.3, np.nan, rng.normal(size=(2, 3, 6)))
    values[1, 2] = np.nan
    bridged = bridge_gaps(AXIS, values)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(bridged[place], bridge_gaps(AXIS, values[place]))
    kept = np.isfinite(values)
    np.testing.assert_array_equal(bridged[kept], values[kept])
    np.testing.assert_array_equal(np.isnan(bridged).any(axis=-1), np.isnan(values).all(axis=-1))


def test_nothing_is_known_of_a_signal_without_usable_samples() -> None:
    assert np.isnan(bridge_gaps(AXIS, np.full(6, np.nan))).all()
