"""Every error of the closed form against a ridge regression that is fitted again without the rows it predicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bgremove.errors import ComputeError
from napari_bgremove.evaluation.leave_group_out import RidgeFolds

ALPHAS = (1e-6, 1e-3, 1.0)


def predict_again(rows: np.ndarray, values: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    """Fit without the rows of `test` in the primal, by least squares on the penalised system, and predict them."""
    train = ~test
    mean, offset = rows[train].mean(axis=0), values[train].mean(axis=0)
    design = np.vstack([rows[train] - mean, np.sqrt(penalty) * np.eye(rows.shape[1])])
    target = np.vstack([values[train] - offset, np.zeros((rows.shape[1], values.shape[1]))])
    weights = np.linalg.lstsq(design, target, rcond=None)[0]
    return offset + (rows[test] - mean) @ weights


def make_problem(seed: int, sizes: list[int], channels: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra on a common continuum, values that depend on them, rows of a group not beside each other."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = 5 + rng.normal(size=(len(sizes), channels))[groups] + 0.1 * rng.normal(size=(len(groups), channels))
    weights = rng.normal(size=(channels, outputs))
    return rows, rows @ weights + 0.1 * rng.normal(size=(len(groups), outputs)), groups


problems = st.builds(
    make_problem,
    st.integers(0, 2**16),
    st.lists(st.integers(1, 4), min_size=3, max_size=7),
    st.integers(1, 25),
    st.integers(1, 3),
)


@settings(max_examples=60, deadline=None)
@given(problem=problems, alpha=st.sampled_from(ALPHAS))
def test_every_outer_error_is_that_of_a_new_fit(problem, alpha: float) -> None:
    rows, values, groups = problem
    folds = RidgeFolds(rows, values, groups)
    penalty = folds.penalty(alpha)
    errors = folds.at(penalty).outer()
    for label in folds.labels:
        test = groups == label
        expected = values[test] - predict_again(rows, values, test, penalty)
        np.testing.assert_allclose(errors[test], expected, rtol=1e-8, atol=1e-8 * np.abs(values).max())


@settings(max_examples=40, deadline=None)
@given(problem=problems, alpha=st.sampled_from(ALPHAS))
def test_every_inner_error_is_that_of_a_new_fit_without_both_groups(problem, alpha: float) -> None:
    rows, values, groups = problem
    folds = RidgeFolds(rows, values, groups)
    penalty = folds.penalty(alpha)
    fold = folds.at(penalty)
    for number, outer in enumerate(folds.labels):
        errors = fold.inner(number)
        kept = groups != outer
        np.testing.assert_array_equal(errors[~kept], 0)
        for inner in folds.labels[folds.labels != outer]:
            expected = values[groups == inner] - predict_again(rows[kept], values[kept], groups[kept] == inner, penalty)
            np.testing.assert_allclose(errors[groups == inner], expected, rtol=1e-8, atol=1e-8 * np.abs(values).max())


def test_the_penalty_is_a_share_of_the_mean_diagonal_of_the_kernel() -> None:
    rows, values, groups = make_problem(0, [2, 1, 3], 6, 1)
    centred = rows - rows.mean(axis=0)
    expected = 0.25 * np.mean(np.sum(centred**2, axis=1))
    assert RidgeFolds(rows, values, groups).penalty(0.25) == pytest.approx(expected, rel=1e-12)


def test_a_spectrum_common_to_all_rows_and_their_unit_change_nothing() -> None:
    rows, values, groups = make_problem(1, [2, 2, 3, 1], 12, 2)
    common = np.linspace(0, 50, 12)

    def measure(given_rows: np.ndarray) -> np.ndarray:
        folds = RidgeFolds(given_rows, values, groups)
        return folds.at(folds.penalty(1e-2)).outer()

    plain = measure(rows)
    np.testing.assert_allclose(measure(rows + common), plain, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(measure(1e6 * rows), plain, rtol=1e-9, atol=1e-10)


def test_errors_follow_the_values_linearly_and_the_input_stays() -> None:
    rows, values, groups = make_problem(2, [2, 2, 2], 9, 2)
    before = rows.copy(), values.copy()
    folds = RidgeFolds(rows, values, groups)
    errors = folds.at(folds.penalty(1e-2)).outer()
    doubled = RidgeFolds(rows, 2 * values + [3, -7], groups)
    np.testing.assert_allclose(doubled.at(folds.penalty(1e-2)).outer(), 2 * errors, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(values, before[1])


def test_a_float32_row_counts_as_its_float64_value() -> None:
    rows, values, groups = make_problem(3, [2, 2, 2, 1], 9, 1)
    single = rows.astype(np.float32)
    wide = RidgeFolds(single.astype(float), values, groups)
    narrow = RidgeFolds(single, values, groups)
    np.testing.assert_array_equal(
        narrow.at(narrow.penalty(1e-3)).outer(), wide.at(wide.penalty(1e-3)).outer()
    )  # fmt: skip


def test_an_enormous_penalty_predicts_the_mean_of_the_other_groups() -> None:
    rows, values, groups = make_problem(4, [3, 1, 2], 5, 1)
    folds = RidgeFolds(rows, values, groups)
    errors = folds.at(folds.penalty(1e9)).outer()
    for label in range(3):
        test = groups == label
        np.testing.assert_allclose(errors[test], values[test] - values[~test].mean(axis=0), rtol=1e-6)


ROWS, VALUES, GROUPS = make_problem(5, [2, 2, 2], 4, 1)


@pytest.mark.parametrize(
    ("rows", "values", "groups", "error", "message"),
    [
        (ROWS, VALUES, np.repeat([0, 1], 3), ValueError, "'groups' must be at least 3.*; found 2"),
        (ROWS[:5], VALUES, GROUPS, ValueError, r"'a column of rows' must have .* \(6\); found 5"),
        (ROWS, VALUES, GROUPS[:5], ValueError, "'groups' must have the shape of 'a column of values'"),
        (np.where(ROWS[0, 0] == ROWS, np.nan, ROWS), VALUES, GROUPS, ValueError, "'rows' must be finite; found 1 of 6"),
        (ROWS, VALUES * [np.inf], GROUPS, ValueError, "'values' must be finite; found 6 of 6"),
        (np.ones_like(ROWS), VALUES, GROUPS, ComputeError, "'rows' must differ from each other.*found 6 equal"),
    ],
)
def test_what_cannot_be_calibrated_is_named(rows, values, groups, error, message: str) -> None:
    with pytest.raises(error, match=message):
        RidgeFolds(rows, values, groups)


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.nan])
def test_a_penalty_has_to_be_above_zero(alpha: float) -> None:
    with pytest.raises(ValueError, match="'alpha' must be above zero"):
        RidgeFolds(ROWS, VALUES, GROUPS).penalty(alpha)
