"""Calibration as the judge of a cleaning: how well a linear head predicts standards it has never seen.

A background that was removed well leaves spectra from which the composition
of a left-out standard follows more closely. Folds are standards, never shots
or locations: two spectra of one standard on either side of a split would tell
how alike they are, not how well the head predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.evaluation.calibration_result import SCORES, Calibration, Setting, pool_squares
from napari_bgremove.evaluation.leave_group_out import RidgeFolds
from napari_bgremove.evaluation.row_scaling import ROW_SCALINGS, scale_rows
from napari_bgremove.evaluation.sgd_head import SgdSchedule, predict_by_sgd
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["ALPHAS", "FitCleaner", "measure_calibration", "measure_sgd_calibration"]

Array = NDArray[np.float64]

#: Ridge penalties by decades, as shares of the mean diagonal element of the kernel.
ALPHAS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)

#: Learns from the spectra of the training standards, and returns what cleans any spectra.
FitCleaner = Callable[[SpectraSet], Callable[[SpectraSet], SpectraSet]]


def measure_calibration(
    spectra_set: SpectraSet,
    *,
    scalings: Sequence[str] = ("none",),
    alphas: Sequence[float] = ALPHAS,
    score: str = "rows",
    refit_cleaner_per_fold: FitCleaner | None = None,
) -> Calibration:
    """Predict each standard by ridge regression on all others, all outputs at once, exactly.

    Shots are averaged per target and location first; each mean is one row.
    Every output has its own setting (scaling and alpha), chosen in two ways:
    *nested* inside the training standards of each fold, by leaving each of
    these out in turn as well, and *best of grid* in hindsight, by the errors
    that are reported. The first is the honest figure; the second is what a
    table of best parameters shows. An output is calibrated on the rows whose
    value of it is known.

    Parameters
    ----------
    spectra_set : SpectraSet
        One representation (raw, or with some background removed) of spectra
        with a composition.
    scalings : sequence of str
        Candidates of `ROW_SCALINGS`; applied to the averaged rows, which is
        after any cleaning.
    alphas : sequence of float
        Candidates for the penalty, in the unit of `RidgeFolds.penalty`.
    score : {"rows", "standards"}
        What the RMSE is taken over: every row, or every standard with the
        predictions of its rows averaged.
    refit_cleaner_per_fold : callable, optional
        Called with the set without one standard; what it returns is called
        with the whole set and returns it cleaned. Without it `spectra_set` is
        taken as it is: a cleaner that was trained on all spectra has then seen
        those of the standard left out, though no reference value (so it is in
        the paper). The inner folds always use the cleaner of their outer fold.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        When there is no composition, a setting is wrong, or an output is
        known for less than three standards.
    ComputeError
        When the rows are all equal, or one cannot be scaled.
    """
    _check_candidates("scalings", scalings)
    _check_candidates("alphas", alphas)
    check_choice("score", score, SCORES)
    settings = tuple(Setting(scaling, alpha) for scaling in scalings for alpha in alphas)
    averaged = spectra_set.mean_over_shots()
    values = averaged.composition_of_rows()
    labels, numbers = np.unique(averaged.targets, return_inverse=True)
    errors = np.full((len(settings), *values.shape), np.nan)
    inner = np.full((len(settings), len(labels), values.shape[1]), np.nan)
    for rows, folds in _iterate_versions(spectra_set, averaged, labels, refit_cleaner_per_fold):
        for outputs, known in _group_outputs(spectra_set, values, numbers):
            members = np.unique(numbers[known])
            asked = np.intersect1d(folds, members)
            at, among = np.ix_(known, outputs), np.ix_(asked, outputs)
            tested = np.isin(numbers[known], asked)[:, None]
            found = _search(rows[known], values[at], numbers[known], settings, score, np.searchsorted(members, asked))
            for place, (outer_errors, inner_squares) in enumerate(found):
                errors[place][at] = np.where(tested, outer_errors, errors[place][at])
                inner[place][among] = inner_squares
    return _choose(averaged, values, numbers, settings, errors, inner, score)


def measure_sgd_calibration(
    spectra_set: SpectraSet,
    *,
    scaling: str = "l2",
    score: str = "rows",
    schedule: SgdSchedule | None = None,
    seed: int = 0,
) -> Calibration:
    """Predict each standard by the paper's SGD head trained on all others.

    Parameters
    ----------
    spectra_set, score
        As in `measure_calibration`.
    scaling : str
        The paper's learning rate is stable on rows of unit l2 norm only.
    schedule, seed
        As in `predict_by_sgd`.

    Returns
    -------
    Calibration
        With one setting, whose alpha is that of the ridge regression that
        shrinks about as much: nothing was chosen, so both figures are equal.

    Raises
    ------
    ValueError
        As `measure_calibration`.
    ComputeError
        When the training diverges.
    """
    check_choice("score", score, SCORES)
    plan = schedule or SgdSchedule()
    averaged = spectra_set.mean_over_shots()
    values = averaged.composition_of_rows()
    _, numbers = np.unique(averaged.targets, return_inverse=True)
    rows = scale_rows(averaged.spectra, scaling=scaling)
    errors = np.full((1, *values.shape), np.nan)
    for outputs, known in _group_outputs(spectra_set, values, numbers):
        at = np.ix_(known, outputs)
        predicted = predict_by_sgd(rows[known], values[at], numbers[known], schedule=plan, seed=seed)
        errors[0][at] = values[at] - predicted
    settings = (Setting(scaling, plan.matching_alpha(rows)),)
    inner = np.zeros((1, numbers.max() + 1, values.shape[1]))
    return _choose(averaged, values, numbers, settings, errors, inner, score)


def _iterate_versions(
    spectra_set: SpectraSet, averaged: SpectraSet, labels: NDArray[np.str_], fit: FitCleaner | None
) -> Iterator[tuple[Array, list[int]]]:
    """Yield averaged rows, and the folds they are for: all at once, or each with a cleaner of its own."""
    if fit is None:
        yield np.asarray(averaged.spectra, np.float64), list(range(len(labels)))
        return
    for number, label in enumerate(labels):
        clean = fit(spectra_set.select(spectra_set.targets != label))
        yield np.asarray(clean(spectra_set).mean_over_shots().spectra, np.float64), [number]


def _group_outputs(
    spectra_set: SpectraSet, values: Array, numbers: NDArray[np.intp]
) -> list[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Return the outputs that are known for the same rows, with these rows."""
    known = np.isfinite(values)
    for output in range(values.shape[1]):
        count = len(np.unique(numbers[known[:, output]]))
        if count < 3:
            name = spectra_set.composition.names[output] if spectra_set.composition else str(output)
            msg = f"'{name}' must be known for at least 3 standards to calibrate it; found {count}. Leave it out."
            raise ValueError(msg)
    patterns, of = np.unique(known, axis=1, return_inverse=True)
    return [(np.flatnonzero(of.ravel() == number), patterns[:, number]) for number in range(patterns.shape[1])]


def _search(
    rows: Array,
    values: Array,
    groups: NDArray[np.intp],
    settings: Sequence[Setting],
    score: str,
    asked: NDArray[np.intp],
) -> Iterator[tuple[Array, Array]]:
    """Yield for each setting the outer errors of all rows, and the sums of squared inner errors of the folds asked."""
    _, numbers = np.unique(groups, return_inverse=True)
    ready: dict[str, RidgeFolds] = {}
    for setting in settings:
        if setting.scaling not in ready:
            ready = {setting.scaling: RidgeFolds(scale_rows(rows, scaling=setting.scaling), values, groups)}
        folds = ready[setting.scaling]
        fold = folds.at(folds.penalty(setting.alpha))
        inner = [pool_squares(fold.inner(int(number)), numbers, score)[0].sum(axis=0) for number in asked]
        yield fold.outer(), np.reshape(inner, (len(asked), values.shape[1]))


def _choose(
    averaged: SpectraSet,
    values: Array,
    numbers: NDArray[np.intp],
    settings: tuple[Setting, ...],
    errors: Array,
    inner: Array,
    score: str,
) -> Calibration:
    """Choose settings by the inner errors of each fold, and in hindsight, and keep the predictions they make."""
    composition = averaged.composition
    assert composition is not None  # composition_of_rows has asked for it
    totals = np.stack([pool_squares(one, numbers, score)[0].sum(axis=0) for one in errors])
    best = totals.argmin(axis=0)
    chosen = np.where(np.isfinite(inner).all(axis=0), np.nan_to_num(inner, nan=np.inf).argmin(axis=0), -1)
    nested_errors = np.take_along_axis(errors, chosen[numbers][None], axis=0)[0]
    best_errors = np.take_along_axis(errors, best[None, None], axis=0)[0]
    return Calibration(
        names=composition.names,
        unit=composition.unit,
        targets=averaged.targets,
        values=values,
        predictions=values - nested_errors,
        best_predictions=values - best_errors,
        settings=settings,
        chosen=chosen,
        best=best,
        score=score,
    )


def _check_candidates(name: str, candidates: Sequence[object]) -> None:
    if isinstance(candidates, str) or not len(candidates):
        msg = f"'{name}' must be a sequence of at least one candidate; found {candidates!r}."
        raise ValueError(msg)
    if name == "scalings":
        for scaling in candidates:
            check_choice("scaling", str(scaling), tuple(ROW_SCALINGS))
