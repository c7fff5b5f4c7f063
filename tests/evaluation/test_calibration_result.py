"""Pooling of errors and the paired bootstrap, against loops and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bgremove.evaluation.calibration_result import Calibration, Setting, compare_rmse, pool_squares


def make_calibration(errors: np.ndarray, *, targets: np.ndarray | None = None, score: str = "rows") -> Calibration:
    rows, outputs = errors.shape
    labels = np.array([f"t{row:03d}" for row in range(rows)]) if targets is None else targets
    values = np.broadcast_to(np.linspace(0, 60, rows)[:, None], errors.shape)
    count = len(np.unique(labels))
    return Calibration(
        names=tuple("ABCD"[:outputs]),
        unit="wt%",
        targets=labels,
        values=values,
        predictions=values - errors,
        best_predictions=values - 0.9 * errors,
        settings=(Setting("none", 1e-3),),
        chosen=np.zeros((count, outputs), int),
        best=np.zeros(outputs, int),
        score=score,
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 100))
def test_pooled_squares_are_those_of_a_loop(numbers: list[int], seed: int) -> None:
    groups = np.unique(numbers, return_inverse=True)[1]
    errors = np.random.default_rng(seed).normal(size=(len(groups), 2))
    errors[::3, 1] = np.nan
    by_rows, by_standards = (pool_squares(errors, groups, score) for score in ("rows", "standards"))
    for group in range(groups.max() + 1):
        for output in range(2):
            own = errors[groups == group, output]
            own = own[np.isfinite(own)]
            assert by_rows[0][group, output] == pytest.approx(np.sum(own**2))
            assert by_rows[1][group, output] == own.size
            assert by_standards[0][group, output] == pytest.approx(own.mean() ** 2 if own.size else 0)
            assert by_standards[1][group, output] == bool(own.size)


def test_a_representation_compared_with_itself_is_equal_for_certain() -> None:
    one = make_calibration(np.random.default_rng(0).normal(size=(30, 2)))
    found = compare_rmse(one, one, draws=200)
    for array in (found.ratio, found.low, found.high):
        np.testing.assert_array_equal(array, [1, 1])


def test_errors_smaller_by_one_factor_have_a_ratio_without_an_interval() -> None:
    errors = np.random.default_rng(1).normal(size=(30, 1))
    found = compare_rmse(make_calibration(0.8 * errors), make_calibration(errors), draws=200)
    np.testing.assert_allclose([found.ratio, found.low, found.high], 0.8, rtol=1e-12)


def test_independent_errors_have_the_interval_of_theory() -> None:
    """For n independent normal errors each, log(ratio) has variance 1 / n in the limit (delta method)."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 2000, 1))
    found = compare_rmse(make_calibration(first), make_calibration(second), draws=4000)
    width = np.log(found.high) - np.log(found.low)
    np.testing.assert_allclose(width, 2 * 1.96 / np.sqrt(2000), rtol=0.1)


def test_standards_are_drawn_not_rows() -> None:
    """Rows of one standard with the same error tell nothing more than one of them."""
    errors, other = np.random.default_rng(3).normal(size=(2, 20, 1))
    single = compare_rmse(make_calibration(errors), make_calibration(other), draws=500)
    targets = np.repeat([f"t{row:03d}" for row in range(20)], 5)
    pair = [make_calibration(np.repeat(one, 5, axis=0), targets=targets) for one in (errors, other)]
    repeated = compare_rmse(*pair, draws=500)
    np.testing.assert_allclose(repeated.low, single.low, rtol=1e-10)
    np.testing.assert_allclose(repeated.high, single.high, rtol=1e-10)


def test_the_comparison_repeats_and_knows_the_choice() -> None:
    rng = np.random.default_rng(4)
    pair = [make_calibration(rng.normal(size=(25, 2))) for _ in range(2)]
    first, second = compare_rmse(*pair, draws=300), compare_rmse(*pair, draws=300)
    np.testing.assert_array_equal(first.low, second.low)
    mixed = replace(pair[0], best_predictions=pair[0].values - 0.5 * (pair[0].values - pair[0].predictions))
    nested = compare_rmse(mixed, pair[1], draws=300)
    best = compare_rmse(mixed, pair[1], choice="best", draws=300)
    np.testing.assert_allclose(best.ratio, nested.ratio * 0.5 / 0.9, rtol=1e-12)
    assert np.all(nested.low < nested.ratio)
    assert np.all(nested.ratio < nested.high)


ONE = make_calibration(np.ones((5, 1)))


@pytest.mark.parametrize(
    ("second", "arguments", "message"),
    [
        (make_calibration(np.ones((6, 1))), {}, "'second' must be of the same standards, values and score"),
        (make_calibration(np.ones((5, 2))), {}, "'second' must be of the same standards, values and score"),
        (make_calibration(np.ones((5, 1)), score="standards"), {}, "'second' must be of the same standards"),
        (ONE, {"choice": "hindsight"}, "'choice' must be one of nested, best; found 'hindsight'"),
        (ONE, {"draws": 0}, "'draws' must be above zero"),
        (ONE, {"confidence": 1.0}, "'confidence' must lie between 0 and 1; found 1.0"),
    ],
)
def test_what_cannot_be_compared_is_named(second, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_rmse(ONE, second, **arguments)
