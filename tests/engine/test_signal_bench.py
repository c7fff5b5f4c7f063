"""The experiments on denoisers: done once, tabled whole. Untrained networks serve; figures are those of the bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.signal_bench.report import draw_figures, write_report
from napari_bgremove.engine.signal_bench.tables import Runs, draw_runs, list_tables, sweep_two_sinusoids
from napari_bgremove.engine.signal_bench.trainings import EXPERIMENTS, Trained, read_trained, train_all
from napari_bgremove.evaluation.signal_tables import ComparedTable
from napari_bgremove.learning.model_file import LoadedSignalModel


def make_untrained(name: str, seed: int) -> Trained:
    recipe = EXPERIMENTS[name].make_recipe(seed, quick=True)
    rows = np.random.default_rng(0).normal(size=(8, 64)) if recipe.signals == "rows" else None
    training, _ = recipe.build_datasets(rows)
    model = LoadedSignalModel(recipe.build_network().eval(), recipe.build_description(training), "", Path(), 0.0)
    return Trained(model, (2.0, 1.0), 0.5)


@pytest.fixture(scope="module")
def networks() -> dict[str, list[Trained]]:
    return {name: [make_untrained(name, seed) for seed in one.seeds[:2]] for name, one in EXPERIMENTS.items()}


@pytest.fixture(scope="module")
def runs() -> Runs:
    return draw_runs(12, tuning=3, sinusoids=4)


@pytest.fixture(scope="module")
def tables(networks, runs) -> dict[str, ComparedTable]:
    return {table.name: table for table in list_tables(networks, runs)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_recipe_differs_between_seeds_in_the_seed_alone(name):
    one, other = (EXPERIMENTS[name].make_recipe(seed).to_dict() for seed in (1, 2))
    assert {key for key in one if one[key] != other[key]} == {"seed"}


def test_what_is_compared_differs_in_one_thing_alone():
    base = EXPERIMENTS["spectra-prior-off"].make_recipe(0).to_dict()
    for name in (n for n in EXPERIMENTS if n.startswith("spectra-") and n.endswith(("learnt", "adaptive"))):
        other = EXPERIMENTS[name].make_recipe(0).to_dict()
        assert {key for key in base if base[key] != other[key]} <= {"activation", "threshold"}
    with_prior = EXPERIMENTS["spectra"].make_recipe(0).to_dict()
    assert {key for key in base if base[key] != with_prior[key]} == {"prior"}


def test_a_training_is_done_once_and_again_when_its_recipe_is_another(tmp_path):
    done = list(train_all(tmp_path, ["spikes-no-norm"], quick=True))
    assert [(name, seed) for name, seed, _ in done] == [("spikes-no-norm", seed) for seed in range(5)]
    assert list(train_all(tmp_path, ["spikes-no-norm"], quick=True)) == []
    (tmp_path / "spikes-no-norm-seed-3.safetensors").write_bytes(
        (tmp_path / "spikes-no-norm-seed-2.safetensors").read_bytes()
    )
    assert [(name, seed) for name, seed, _ in train_all(tmp_path, ["spikes-no-norm"], quick=True)] == [
        ("spikes-no-norm", 3)
    ]
    trained = read_trained(tmp_path, "spikes-no-norm")
    assert [one.model.description.recipe["seed"] for one in trained] == list(range(5))
    assert all(len(one.curve) == 1 and one.seconds > 0 for one in trained)


def test_the_published_filters_stand_beside_what_was_printed(tables):
    lines = {line.label: line.values for line in tables["published"].lines}
    assert lines["Wiener"]["printed_rmse"] == 2.40
    # Three runs of 12 signals: a tenth of the spread of a signal.
    for label in ("Wiener", "FFT-L1", "FFT-GMC"):
        assert lines[label]["rmse"] == pytest.approx(lines[label]["printed_rmse"], abs=0.15)


def test_the_bound_is_below_every_filter(tables):
    lines = {(line.group, line.label): line.values["rmse"] for line in tables["spikes"].lines}
    bound = lines["bound", "Bayes, sample by sample"]
    assert all(bound <= rmse for rmse in lines.values())


def test_every_table_has_a_line_for_each_thing_compared(tables):
    assert len(tables["norms"].lines) == 10
    assert len(tables["priors"].lines) == 6
    assert len(tables["activations"].lines) == 9
    assert {line.group for line in tables["spectra"].lines} == {"tuned fairly", "label-free", "reference"}


def test_zeros_are_counted(tables):
    zeros = {line.label: line.values["zeros"] for line in tables["activations"].lines}
    assert all(0 < share < 100 for share in zeros.values())
    assert zeros["BN + hard shrinkage, constant threshold"] > zeros["BN + soft shrinkage, learnt threshold"]


def test_gmc_wins_where_the_signal_is_sparse_in_the_domain_it_is_used_in(runs):
    _, errors = sweep_two_sinusoids(runs.sinusoids)
    assert min(errors["GMC"]) < 0.8 * min(errors["L1"])


def test_the_page_holds_all_tables_and_figures(networks, runs, tables, tmp_path):
    alone = {**networks, **{name: networks[name][:1] for name in ("as-published", "as-published-no-norm")}}
    figures = draw_figures(alone, runs)
    page = write_report(tmp_path, list(tables.values()), figures, alone, quick=True).read_text()
    assert all(f"## {table.title}" in page for table in tables.values())
    assert all(f"({name}.png)" in page for name in figures)
    document = json.loads((tmp_path / "tables.json").read_text())
    assert [table["name"] for table in document["tables"]] == list(tables)
    assert set(document["trainings"]) == set(EXPERIMENTS)
    assert document["trainings"]["spikes"][1]["recipe"]["epochs"] == 1, "what was trained, not what is meant to be"
    assert "no results" in page
