"""The head trained on the kernel against weights trained on the spectra, and against what theory says of both."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.errors import ComputeError
from napari_bgremove.evaluation.leave_group_out import RidgeFolds
from napari_bgremove.evaluation.row_scaling import scale_rows
from napari_bgremove.evaluation.sgd_head import SgdSchedule, predict_by_sgd

SHORT = SgdSchedule(epochs=12, constant_epochs=5, batch=7)


def make_problem(seed: int = 0, targets: int = 12, channels: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines on a continuum whose heights are the composition, two locations per target, rows of unit norm."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(targets), 2)
    values = rng.uniform(0, 60, (targets, 3))[groups]
    lines = rng.gamma(0.3, 1, (3, channels))
    rows = 40 + values @ lines + rng.normal(0, 1, (len(groups), channels))
    return scale_rows(rows, scaling="l2"), values, groups


def train_weights(rows, values, schedule: SgdSchedule, seed: int, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Train one fold in the primal: one weight per channel, the same order of rows."""
    mean, offset = rows[kept].mean(axis=0), values[kept].mean(axis=0)
    weights = np.zeros((rows.shape[1], values.shape[1]))
    rng = np.random.default_rng(seed)
    for epoch in range(schedule.epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), schedule.batch):
            batch = [row for row in order[start : start + schedule.batch] if kept[row]]
            if batch:
                error = (rows[batch] - mean) @ weights + offset - values[batch]
                weights -= schedule.rate(epoch) * 2 / len(batch) * (rows[batch] - mean).T @ error
    return weights, offset - mean @ weights


def test_the_kernel_trains_the_weights_of_each_fold() -> None:
    rows, values, groups = make_problem()
    found = predict_by_sgd(rows, values, groups, schedule=SHORT, seed=5)
    for label in np.unique(groups):
        weights, intercept = train_weights(rows, values, SHORT, 5, groups != label)
        test = groups == label
        np.testing.assert_allclose(found[test], rows[test] @ weights + intercept, rtol=1e-10)


def test_whole_batches_at_a_constant_rate_filter_each_direction_as_theory_says() -> None:
    """Landweber: after k steps a direction of variance m is fitted up to (1 - 2 rate m)^k."""
    rows, values, groups = make_problem(1)
    schedule = SgdSchedule(learning_rate=0.7, epochs=50, constant_epochs=50, batch=1000)
    found = predict_by_sgd(rows, values, groups, schedule=schedule)
    for label in (0, 7):
        kept, test = groups != label, groups == label
        mean, offset = rows[kept].mean(axis=0), values[kept].mean(axis=0)
        left, size, right = np.linalg.svd(rows[kept] - mean, full_matrices=False)
        fitted = 1 - (1 - 2 * 0.7 * size**2 / kept.sum()) ** 50
        weights = right.T @ (fitted[:, None] / size[:, None] * (left.T @ (values[kept] - offset)))
        np.testing.assert_allclose(found[test], offset + (rows[test] - mean) @ weights, rtol=1e-9)


def test_the_papers_schedule_agrees_with_the_ridge_that_shrinks_as_much() -> None:
    rows, values, groups = make_problem(2, targets=40, channels=60)
    schedule = SgdSchedule()
    found = predict_by_sgd(rows, values, groups, schedule=schedule)
    folds = RidgeFolds(rows, values, groups)
    ridge = values - folds.at(folds.penalty(schedule.matching_alpha(rows))).outer()
    spread = values.std(axis=0)
    # The two shrink no direction by more than 0.103 differently; batches add a little.
    assert (np.sqrt(np.mean((found - ridge) ** 2, axis=0)) <= 0.15 * spread).all()
    # Much more or much less of a penalty is clearly something else.
    for factor in (0.01, 100):
        other = values - folds.at(folds.penalty(factor * schedule.matching_alpha(rows))).outer()
        assert np.mean((found - other) ** 2) > 2 * np.mean((found - ridge) ** 2)


def test_no_ridge_shrinks_more_alike_than_the_matching_one() -> None:
    """Over all directions, 1 - exp(-2 t m) against m / (m + p / n) for the matching p and for others."""
    rows, schedule = make_problem(2)[0], SgdSchedule()
    time = -(-len(rows) // schedule.batch) * sum(schedule.rate(epoch) for epoch in range(200))
    matching = schedule.matching_alpha(rows) * rows.var(axis=0).sum() / len(rows)  # p / n
    variance = np.logspace(-4, 4, 4001) / time
    stopped = 1 - np.exp(-2 * time * variance)
    away = [np.abs(variance / (variance + factor * matching) - stopped).max() for factor in (0.9, 1.0, 1.1)]
    assert away[1] == pytest.approx(0.103, abs=5e-4)
    assert away[1] < min(away[0], away[2])


def test_the_rate_is_constant_then_half_a_cosine() -> None:
    schedule = SgdSchedule()
    rates = [schedule.rate(epoch) for epoch in range(200)]
    assert rates[:76] == [1.0] * 76
    assert rates[75 + 125 // 2] == pytest.approx(0.5, abs=0.01)
    assert np.all(np.diff(rates[75:]) < 0)
    assert 0 < rates[-1] < 1e-3


def test_predictions_repeat_and_follow_the_unit_of_the_values() -> None:
    rows, values, groups = make_problem(3)
    first = predict_by_sgd(rows, values, groups, schedule=SHORT)
    np.testing.assert_array_equal(predict_by_sgd(rows, values, groups, schedule=SHORT), first)
    scaled = predict_by_sgd(rows, 1000 * values, groups, schedule=SHORT)
    np.testing.assert_allclose(scaled, 1000 * first, rtol=1e-10)
    assert not np.array_equal(predict_by_sgd(rows, values, groups, schedule=SHORT, seed=1), first)


def test_a_group_does_not_learn_from_its_own_values() -> None:
    rows, values, groups = make_problem(4)
    changed = values.copy()
    changed[groups == 3] += 1000
    found = predict_by_sgd(rows, changed, groups, schedule=SHORT)
    np.testing.assert_array_equal(found[groups == 3], predict_by_sgd(rows, values, groups, schedule=SHORT)[groups == 3])


def test_counts_diverge_at_the_papers_rate_with_a_sentence() -> None:
    rows, values, groups = make_problem(5)
    with pytest.raises(ComputeError, match=r"at 1 the head diverged in epoch \d+. Scale the rows to unit l2 norm"):
        predict_by_sgd(1000 * rows, values, groups)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": np.zeros(24)}, "'groups' must be at least 2, to leave one out; found 1"),
        ({"groups": np.zeros(3)}, "'groups' must have the shape of 'a column of values'"),
    ],
)
def test_wrong_groups_are_named(arguments, message: str) -> None:
    rows, values, _ = make_problem()
    with pytest.raises(ValueError, match=message):
        predict_by_sgd(rows, values, **arguments)


@pytest.mark.parametrize("name", ["learning_rate", "epochs", "batch"])
def test_a_schedule_needs_numbers_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' must be above zero"):
        SgdSchedule(**{name: 0})
