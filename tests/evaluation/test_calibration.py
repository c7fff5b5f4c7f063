"""Calibration as a judge: its choices against loops that fit every head anew, its hooks, and a known figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.evaluation.calibration import measure_calibration, measure_sgd_calibration
from napari_bgremove.evaluation.row_scaling import scale_rows
from napari_bgremove.spectra.spectra_set import Composition, SpectraSet, make_spectra_set

ALPHAS = (1e-4, 1e-2, 1.0)
UNEVEN = (1, 2, 3, 1, 2, 2, 1, 2)


def make_set(seed: int = 0, *, locations=UNEVEN, shots: int = 2, channels: int = 12, outputs: int = 2) -> SpectraSet:
    """Standards with any number of locations and noisy shots, in random order."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 60, (len(locations), outputs))
    lines = rng.gamma(0.5, 1, (outputs, channels))
    labels = [(t, k, s) for t, count in enumerate(locations) for k in range(count) for s in range(shots)]
    rng.shuffle(labels)
    target, location, shot = np.array(labels).T
    spectra = 100 + values[target] @ lines + rng.normal(0, 4, (len(labels), channels))
    names = [f"standard {number}" for number in range(len(locations))]
    composition = Composition(tuple(names), tuple("ABCD"[:outputs]), values)
    return make_spectra_set(
        np.arange(channels) + 240.0,
        spectra,
        targets=np.array(names)[target],
        locations=location,
        shots=shot,
        composition=composition,
    )


def with_values(given: SpectraSet, values: np.ndarray) -> SpectraSet:
    composition = given.composition
    assert composition is not None
    return make_spectra_set(
        given.axis, given.spectra, targets=given.targets, locations=given.locations, shots=given.shots,
        composition=Composition(composition.targets, composition.names, values),
    )  # fmt: skip


def fit_and_predict(train: np.ndarray, values: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    mean, offset = train.mean(axis=0), values.mean()
    normal = (train - mean).T @ (train - mean) + penalty * np.eye(train.shape[1])
    return offset + (test - mean) @ np.linalg.solve(normal, (train - mean).T @ (values - offset))


def measure_by_loops(given: SpectraSet, scalings, score: str, output: int) -> tuple[np.ndarray, np.ndarray]:
    """Nested and best-of-grid predictions of one output by refitting everything."""
    averaged = given.mean_over_shots()
    values, groups = averaged.composition_of_rows()[:, output], averaged.targets
    labels = np.unique(groups)
    candidates = []
    for scaling in scalings:
        rows = scale_rows(averaged.spectra, scaling=scaling)
        mean_square = np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1))
        candidates += [(rows, alpha * mean_square) for alpha in ALPHAS]

    def leave_out(among: np.ndarray, rows: np.ndarray, penalty: float) -> np.ndarray:
        found = np.full(len(rows), np.nan)
        for label in np.unique(groups[among]):
            train, test = among & (groups != label), among & (groups == label)
            found[test] = fit_and_predict(rows[train], values[train], rows[test], penalty)
        return found

    def judge(among: np.ndarray, found: np.ndarray) -> float:
        errors = [values[groups == label] - found[groups == label] for label in np.unique(groups[among])]
        if score == "standards":
            errors = [error.mean(keepdims=True) for error in errors]
        return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))

    everyone = np.ones(len(groups), bool)
    outer = [leave_out(everyone, *candidate) for candidate in candidates]
    best = outer[int(np.argmin([judge(everyone, found) for found in outer]))]
    nested = np.empty(len(groups))
    for label in labels:
        among = groups != label
        inner = [judge(among, leave_out(among, *candidate)) for candidate in candidates]
        nested[~among] = outer[int(np.argmin(inner))][~among]
    return nested, best


@pytest.mark.parametrize("score", ["rows", "standards"])
@pytest.mark.parametrize("scalings", [("none",), ("none", "l2")])
def test_both_choices_are_those_of_loops_that_fit_everything_anew(score: str, scalings) -> None:
    given = make_set()
    found = measure_calibration(given, scalings=scalings, alphas=ALPHAS, score=score)
    for output in range(2):
        nested, best = measure_by_loops(given, scalings, score, output)
        assert_allclose(found.predictions[:, output], nested, rtol=1e-8)
        assert_allclose(found.best_predictions[:, output], best, rtol=1e-8)
    assert np.all(found.best_rmse <= found.rmse + 1e-12)


def test_settings_differ_between_folds_and_outputs_in_what_was_compared() -> None:
    """Else the test above would say little of the choice."""
    found = measure_calibration(make_set(), scalings=("none", "l2"), alphas=ALPHAS)
    assert len(np.unique(found.chosen)) > 1


@pytest.mark.parametrize("score", ["rows", "standards"])
def test_the_rmse_is_that_of_the_points(score: str) -> None:
    found = measure_calibration(make_set(), alphas=ALPHAS, score=score)
    for output in range(2):
        values, predictions = found.points(output)
        assert len(values) == (sum(UNEVEN) if score == "rows" else len(UNEVEN))
        assert found.rmse[output] == pytest.approx(np.sqrt(np.mean((values - predictions) ** 2)), rel=1e-12)


def test_the_values_of_a_standard_do_not_reach_its_own_prediction() -> None:
    given = make_set()
    assert given.composition is not None
    changed = given.composition.values.copy()
    changed[3] += 1000
    one = given.composition.targets[3]
    plain = measure_calibration(given, alphas=ALPHAS)
    moved = measure_calibration(with_values(given, changed), alphas=ALPHAS)
    own = plain.targets == one
    assert_array_equal(moved.chosen[np.unique(plain.targets) == one], plain.chosen[np.unique(plain.targets) == one])
    assert_allclose(moved.predictions[own], plain.predictions[own], rtol=1e-8)
    assert not np.allclose(moved.predictions[~own], plain.predictions[~own])


def test_an_output_is_calibrated_on_the_rows_whose_value_is_known() -> None:
    given = make_set(outputs=3)
    assert given.composition is not None
    holed = given.composition.values.copy()
    holed[[1, 4], 1] = np.nan
    found = measure_calibration(with_values(given, holed), alphas=ALPHAS)
    known = ~np.isin(given.targets, np.array(given.composition.targets)[[1, 4]])
    alone = measure_calibration(given.select(known), alphas=ALPHAS)
    whole = measure_calibration(given, alphas=ALPHAS)
    rows = np.isfinite(found.predictions[:, 1])
    assert_allclose(found.predictions[rows, 1], alone.predictions[:, 1], rtol=1e-10)
    assert_allclose(found.predictions[:, [0, 2]], whole.predictions[:, [0, 2]], rtol=1e-10)
    assert found.rmse[1] == pytest.approx(alone.rmse[1], rel=1e-10)
    assert set(found.chosen[[1, 4], 1]) == {-1}


def test_a_cleaner_is_fitted_without_the_standard_it_is_judged_on() -> None:
    given, seen = make_set(), []

    def fit(train: SpectraSet):
        seen.append(set(train.distinct_targets))
        mean = np.mean(train.spectra, axis=0)
        return lambda spectra_set: spectra_set.with_spectra(np.asarray(spectra_set.spectra) * (1 + mean / 1e3))

    found = measure_calibration(given, scalings=("l2",), alphas=ALPHAS, refit_cleaner_per_fold=fit)
    everyone = set(given.distinct_targets)
    assert [everyone - train for train in seen] == [{target} for target in sorted(everyone)]
    for target in everyone:
        cleaned = fit(given.select(given.targets != target))(given)
        expected = measure_calibration(cleaned, scalings=("l2",), alphas=ALPHAS)
        own = found.targets == target
        assert_allclose(found.predictions[own], expected.predictions[own], rtol=1e-10)


def test_a_cleaner_that_learns_nothing_gives_the_same_as_none() -> None:
    given = make_set(1)
    refitted = measure_calibration(given, alphas=ALPHAS, refit_cleaner_per_fold=lambda _train: lambda every: every)
    plain = measure_calibration(given, alphas=ALPHAS)
    assert_allclose(refitted.predictions, plain.predictions, rtol=1e-10)
    assert_allclose(refitted.best_predictions, plain.best_predictions, rtol=1e-10)


def test_measuring_repeats_and_leaves_the_set_alone() -> None:
    given = make_set()
    before = np.array(given.spectra)
    first, second = (measure_calibration(given, scalings=("none", "l2", "snv"), alphas=ALPHAS) for _ in range(2))
    assert_array_equal(first.predictions, second.predictions)
    assert_array_equal(given.spectra, before)


def test_the_sgd_head_stays_close_to_the_ridge_of_its_own_alpha() -> None:
    given = make_set(2, locations=(2,) * 30, channels=40)
    sgd = measure_sgd_calibration(given)
    ridge = measure_calibration(given, scalings=("l2",), alphas=(sgd.settings[0].alpha,))
    away = np.sqrt(np.mean((sgd.predictions - ridge.predictions) ** 2, axis=0))
    assert (away <= 0.15 * sgd.values.std(axis=0)).all()
    assert_array_equal(sgd.rmse, sgd.best_rmse)


def test_raw_fish_oil_is_as_hard_as_measured_before(shared_data: Path) -> None:
    """Best of grid 3.43 (alpha 1e-4); l2 4.28, SNV 4.00: reference/spectroscopynet-libs.md, section 4.2."""
    with np.load(shared_data / "libs/raman/fishoil_42x3.npz") as file:
        axis, spectra, iodine = (file[name] for name in ("raman_shift", "spectra", "iodine_value"))
    names = [f"oil {number:02d}" for number in range(42)]
    oils = make_spectra_set(
        axis,
        spectra,
        targets=np.repeat(names, 3),
        locations=np.tile([1, 2, 3], 42),
        composition=Composition(tuple(names), ("iodine value",), iodine[::3, None].astype(float), "g/100 g"),
    )
    found = {one: measure_calibration(oils, scalings=(one,), score="standards") for one in ("none", "l2", "snv")}
    assert found["none"].best_rmse[0] == pytest.approx(3.43, abs=0.02)
    assert found["none"].settings[found["none"].best[0]].alpha == 1e-4
    assert found["l2"].best_rmse[0] == pytest.approx(4.28, abs=0.02)
    assert found["snv"].best_rmse[0] == pytest.approx(4.00, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scalings": ()}, "'scalings' must be a sequence of at least one candidate"),
        ({"scalings": "l2"}, "'scalings' must be a sequence of at least one candidate; found 'l2'"),
        ({"scalings": ("l1",)}, "'scaling' must be one of none, l2, snv; found 'l1'"),
        ({"alphas": ()}, "'alphas' must be a sequence of at least one candidate"),
        ({"alphas": (0.0,)}, "'alpha' must be above zero"),
        ({"score": "shots"}, "'score' must be one of rows, standards; found 'shots'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_calibration(make_set(), **arguments)


def test_an_output_that_hardly_any_standard_has_is_named() -> None:
    given = make_set()
    assert given.composition is not None
    holed = given.composition.values.copy()
    holed[2:, 1] = np.nan
    with pytest.raises(ValueError, match="'B' must be known for at least 3 standards to calibrate it; found 2"):
        measure_calibration(with_values(given, holed), alphas=ALPHAS)


def test_a_set_without_a_composition_is_refused() -> None:
    bare = make_spectra_set(np.arange(4.0), np.eye(4), targets=list("abcd"))
    with pytest.raises(ValueError, match="'composition' must be given"):
        measure_calibration(bare)
