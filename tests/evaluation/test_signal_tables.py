"""Tables of denoisers: what is averaged over what, and what may be claimed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_bgremove.evaluation.signal_metrics import score_signals
from napari_bgremove.evaluation.signal_tables import ComparedTable, Line, compare_pairwise, score_runs
from napari_bgremove.synthetic.signals import make_spikes

RUNS = [make_spikes(seed, 20) for seed in range(3)]


def identity(measured):
    return measured


def test_a_score_over_runs_is_the_mean_of_their_scores_with_its_spread():
    each = [score_signals(run.measured, run.signal).rmse for run in RUNS]
    values = score_runs(identity, RUNS)
    assert values["rmse"] == pytest.approx(np.mean(each))
    assert values["spread"] == f"{min(each):.3f} to {max(each):.3f}, 3 runs"


def test_networks_of_several_seeds_are_each_scored_on_all_runs():
    signal = np.concatenate([run.signal for run in RUNS])
    values = score_runs([lambda _measured, off=off: signal + off for off in (1.0, 3.0)], RUNS)
    assert values["rmse"] == pytest.approx(2.0)
    assert values["spread"] == "1.000 to 3.000, 2 seeds"


def test_pairs_that_differ_alike_leave_no_doubt_and_others_do():
    errors = np.array([1.0, 1.2, 0.9, 1.1])
    same = compare_pairwise(errors, errors)
    assert same == {"difference": 0.0, "standard_error": 0.0, "ratio": 0.0}
    shifted = compare_pairwise(errors + np.array([0.1, 0.12, 0.08, 0.1]), errors)
    assert shifted["difference"] == pytest.approx(0.1)
    assert shifted["ratio"] > 2
    assert compare_pairwise(errors + np.array([0.1, -0.1, 0.1, -0.1]), errors)["ratio"] < 2


def test_pairs_must_be_two_at_least():
    with pytest.raises(ValueError, match="'errors' and 'others' must be pairs, two or more; found 1 and 1"):
        compare_pairwise([1.0], [2.0])


def test_a_table_is_written_for_people_and_for_programs():
    lines = (Line("tuned", "a", {"rmse": 1.25}), Line("bound", "b", {"rmse": 1.0, "note": "exact"}))
    table = ComparedTable("t", "A title", "What it means.", lines)
    assert table.head() == ["group", "method", "RMSE", "note"]
    assert table.cells() == [["tuned", "a", "1.250", "-"], ["bound", "b", "1.000", "exact"]]
    assert table.as_markdown().startswith("## A title\n\n| group | method | RMSE | note |")
    assert json.loads(json.dumps(table.as_document()))["lines"][1] == {
        "group": "bound", "method": "b", "rmse": 1.0, "note": "exact"
    }  # fmt: skip
