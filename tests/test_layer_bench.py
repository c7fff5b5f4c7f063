"""The experiments on hidden layers: what is compared, chosen and told. One epoch serves, which shows nothing."""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from napari_bgremove.learning.signal_pairs import FixedPairs
from napari_bgremove.learning.training import Training
from napari_bgremove.learning.unit_removal import choose_units, mask_units, remove_units

FIGURES = ("kept", "frontier", "training")
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield


def load(name: str) -> ModuleType:
    return importlib.import_module(f"layer_bench.{name}")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return load("networks").ResidualMLP(width=4, hidden=6, classes=3, blocks=2)


def weigh(network, method: str, *, progress: float = 1.0) -> float:
    """What a method adds to the loss at a strength of 2."""

    def nothing(network, batch):
        return {"loss": torch.zeros(())}

    objective = load("penalties").make_objective(nothing, method, 2.0)
    objective = objective if method == "none" else objective.at(progress)
    return objective(network.train(), {})["loss"].item() / 2


def list_sides(network) -> list[np.ndarray]:
    """Weights into and out of units, units first."""
    sides = [(block.widen.weight, block.narrow.weight.T) for block in network.blocks]
    return [side.detach().numpy() for pair in sides for side in pair]


def test_the_methods_add_what_they_say(network):
    sides = list_sides(network)
    norms = [np.linalg.norm(side, axis=1) for side in sides]
    relative = [one / np.sqrt(np.mean(one**2)) for one in norms]
    expected = {
        "none": 0.0,
        "l2": sum((side**2).sum() for side in sides),
        "l1": sum(np.abs(side).sum() for side in sides),
        "group-lasso": sum(one.sum() for one in norms),
        "reweighted-lasso": sum((one / (x + 0.1)).sum() for one, x in zip(norms, relative, strict=True)),
        "gated-lorentzian": sum(
            ((0.5 - np.arctan((x - 1) / 0.3) / np.pi) * one).sum() for one, x in zip(norms, relative, strict=True)
        ),
    }
    assert {name: weigh(network, name) for name in expected} == pytest.approx(expected, rel=1e-5)
    assert set(load("penalties").METHODS) == {*expected, "gated-shirley", "gated-gaussian"}


def test_all_methods_share_one_ramp_and_leave_the_task_alone_when_it_is_judged(network):
    for method in load("penalties").METHODS[1:]:
        assert weigh(network, method, progress=0.1) == 0
        assert weigh(network, method, progress=0.25) == pytest.approx(weigh(network, method) / 2)
        objective = load("penalties").make_objective(lambda *_: {"loss": torch.ones(())}, method, 2.0)
        assert float(objective(network.eval(), {})["loss"]) == 1


@pytest.mark.parametrize("name", ["digits", "spectra"])
def test_a_network_without_units_computes_what_the_masked_one_does(name):
    task = load("tasks").TASKS[name]
    network = task.build_network().double()
    given = torch.randn(3, 64, dtype=torch.float64)
    for share in load("curves").SHARES:
        kept = choose_units(network, share)
        torch.testing.assert_close(
            remove_units(network, kept)(given), mask_units(network, kept)(given), rtol=0, atol=1e-12
        )


def test_the_smallest_share_with_the_same_error_is_chosen_and_then_the_smaller_error():
    curves = load("curves")
    flat = [1.0, 1, 1, 1, 1.5, 3, 3, 3, 3, 3]
    assert curves.choose_ranking({"energy": flat}, 2.0) == curves.Choice("energy", 0.25, 1.5, True)
    better = [1.2, 1.2, 1.2, 1.2, 1.4, 3, 3, 3, 3, 3]
    assert curves.choose_ranking({"energy": flat, "relative": better}, 2.0).rule == "relative"
    assert curves.choose_ranking({"energy": flat, "relative": [2.0] * 10}, 2.0).share == 0.03
    never = curves.choose_ranking({"energy": [5.0] * 10, "relative": [4.0, *[1e3] * 9]}, 2.0)
    assert never == curves.Choice("relative", 1.0, 4.0, False)
    assert curves.choose_ranking({"energy": flat}, 2.0).order < never.order


def test_chance_has_no_power_above_the_edge_and_one_direction_has_all():
    measure = load("layers").measure_share_above_edge
    torch.manual_seed(0)
    assert measure(torch.randn(400, 300)) < 0.01
    assert measure(torch.outer(torch.randn(40), torch.randn(30))) == pytest.approx(1)


def test_runs_of_one_seed_start_from_the_same_weights_and_differ_in_the_term_alone():
    runs = load("runs")
    listed = runs.list_runs("spectra", [3])
    assert len({run.name for run in listed}) == len(listed) == 78
    first, *others = (runs.build_network(run).state_dict() for run in listed[:8])
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)
    assert len({run.settings["options"] for run in listed}) == 1


def test_test_signals_are_of_no_training_and_of_no_validation():
    task = load("tasks").TASKS["spectra"]
    data, test = task.read_data(0), task.read_test()
    assert not np.isin(test.signal[:, 60], data.validation.signal[:, 60]).any()
    assert isinstance(Training(task.build_network(), task.objective, *data, task.make_options(0)).steps, int)
    assert task.make_options(0).epochs * 25 == 1000


@pytest.fixture
def small(monkeypatch):
    """The second task with as few signals as there can be."""
    tasks = load("tasks")
    data, test = tasks.TASKS["spectra"].read_data(0), tasks.TASKS["spectra"].read_test()
    fewer = tasks.Data(replace(data.training, samples=64), FixedPairs(data.validation.signal[:8], test.measured[:8]))
    few = replace(tasks.TASKS["spectra"], read_data=lambda _: fewer, read_test=lambda: fewer.validation)
    monkeypatch.setitem(tasks.TASKS, "spectra", few)
    monkeypatch.setattr(load("results"), "_LEAST_SECONDS", 0)


def test_the_command_does_every_training_once_and_tells_what_came_of_it(small, tmp_path, monkeypatch, capsys):
    folder, numbers = tmp_path / "out", tmp_path / "numbers.json"
    given = ["--tasks", "spectra", "--seeds", "0", "1", "--workers", "0", "--quick", "--json", str(numbers)]
    monkeypatch.setattr(sys, "argv", ["layer_background.py", str(folder), *given])
    runpy.run_path(str(BENCHMARKS / "layer_background.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "spectra-gated-shirley-0.01-seed-1:" in told
    assert "no results" in told
    found = json.loads(numbers.read_text())["spectra"]
    assert set(found["methods"]) == set(load("penalties").METHODS)
    assert all(np.shape(one["test"]) == (2, 10) and np.isfinite(one["test"]).all() for one in found["methods"].values())
    assert all(np.shape(one["tuned"]["0.06"]) == (2,) for one in found["methods"].values())
    assert {path.name for path in folder.glob("*.png")} == {f"spectra-{name}.png" for name in FIGURES}
    assert len(found["verdicts"]) == 4
    (folder / "spectra-l1-0.01-seed-1.json").unlink()
    runpy.run_path(str(BENCHMARKS / "layer_background.py"), run_name="__main__")
    again = [line for line in capsys.readouterr().out.splitlines() if "validation error" in line and "seed-" in line]
    assert [line.split(":")[0] for line in again] == ["spectra-l1-0.01-seed-1"]
