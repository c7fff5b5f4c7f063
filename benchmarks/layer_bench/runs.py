"""The trainings, each done once: weights as .safetensors, how it went as .json beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from layer_bench.curves import RULES, measure_curve
from layer_bench.penalties import METHODS, make_objective
from layer_bench.tasks import TASKS, Data, Task, measure_error
from napari_bgremove._files import atomic_write
from napari_bgremove.learning.devices import limited_threads
from napari_bgremove.learning.train_options import TrainOptions
from napari_bgremove.learning.training import EpochDone, Objective, StepDone, Training
from napari_bgremove.learning.unit_removal import choose_units, remove_units

__all__ = ["Run", "Tuning", "do_all", "list_runs", "read_network", "read_record"]

Record = dict[str, Any]
_QUICK = 1e-2  # the strength of a quick training


@dataclass(frozen=True)
class Run:
    """One training."""

    task: str
    method: str
    strength: float
    seed: int
    quick: bool = False

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.task}-{self.method}-{self.strength:g}-seed-{self.seed}"

    @cached_property
    def settings(self) -> Record:
        """All that its result depends on; a record with other ones is of no use."""
        return {**asdict(self), "options": repr(TASKS[self.task].make_options(self.seed, quick=self.quick))}

    def do(self, folder: Path) -> Record:
        """Train, measure on validation data, and write weights and record."""
        task = TASKS[self.task]
        network, data = build_network(self), task.read_data(self.seed)
        objective = make_objective(task.objective, self.method, self.strength)
        record = train(task, network, objective, data, task.make_options(self.seed, quick=self.quick))
        record["pruned"] = {rule: measure_curve(task, network, data.validation, rule=rule) for rule in RULES}
        atomic_write(folder / f"{self.name}.safetensors", save(network.state_dict()))
        return record


@dataclass(frozen=True)
class Tuning:
    """A trained network of which a share of the units is kept, and trained on without any penalty."""

    run: Run
    rule: str
    share: float

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.run.name}-kept-{self.share:g}-{self.rule}"

    @cached_property
    def settings(self) -> Record:
        """As of `Run`."""
        options = TASKS[self.run.task].make_tuning_options(self.run.seed, quick=self.run.quick)
        return {"run": self.run.settings, "rule": self.rule, "share": self.share, "options": repr(options)}

    def do(self, folder: Path) -> Record:
        """Train on, and measure on the test data; the network itself is not kept."""
        task = TASKS[self.run.task]
        whole = read_network(folder, self.run)
        network = remove_units(whole, choose_units(whole, self.share, rule=self.rule))
        options = task.make_tuning_options(self.run.seed, quick=self.run.quick)
        record = train(task, network, task.objective, task.read_data(self.run.seed), options)
        return {**record, "test": measure_error(task, network, task.read_test())}


def list_runs(task: str, seeds: Iterable[int], *, quick: bool = False) -> list[Run]:
    """Return every training of a task: each method at each strength, seed by seed; quick, at one strength."""
    strengths = (_QUICK,) if quick else TASKS[task].strengths
    grid = [(method, strength) for method in METHODS for strength in ((0.0,) if method == "none" else strengths)]
    return [Run(task, *pair, seed, quick) for seed in seeds for pair in grid]


def do_all(folder: Path, wanted: Iterable[Run | Tuning], *, workers: int = 1) -> Iterator[tuple[Run | Tuning, Record]]:
    """Do what is not yet in the folder, in so many processes of one thread, and yield each with its record.

    No process at all (0) means this one.
    """
    missing = [one for one in wanted if read_record(folder, one) is None]
    if workers < 1:
        yield from ((one, _do(folder, one)) for one in missing)
        return
    # A fresh interpreter each: torch must not be forked.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_warm_up) as pool:
        running = {pool.submit(_do, folder, one): one for one in missing}
        for done in as_completed(running):
            yield running[done], done.result()


def read_record(folder: Path, one: Run | Tuning) -> Record | None:
    """Return how a training went; None if it was not done, or with other settings."""
    path = folder / f"{one.name}.json"
    if not path.is_file():
        return None
    record = json.loads(path.read_text())
    return record if record["settings"] == json.loads(json.dumps(one.settings)) else None


def read_network(folder: Path, run: Run) -> nn.Module:
    """Return the trained network."""
    network = build_network(run)
    network.load_state_dict(load_file(folder / f"{run.name}.safetensors"))
    return network.eval()


def build_network(run: Run) -> nn.Module:
    """Return the network before its training, the same one for every method."""
    torch.manual_seed(run.seed)
    return TASKS[run.task].build_network()


def train(task: Task, network: nn.Module, objective: Objective, data: Data, options: TrainOptions) -> Record:
    """Train in place; return errors on validation data and seconds of processor, without validation, after each epoch.

    Wall-clock seconds of the whole are there too: a machine may do something else meanwhile.
    """
    errors, seconds, spent = [], [], 0.0
    started, clock = time.perf_counter(), time.process_time()
    for progress in Training(network, objective, data.training, data.validation, options).run():
        if isinstance(progress, StepDone):
            spent += time.process_time() - clock
        elif isinstance(progress, EpochDone):
            errors.append(progress.validation[task.term])
            seconds.append(spent)
        clock = time.process_time()
    return {"validation": errors, "processor_seconds": seconds, "seconds": time.perf_counter() - started}


def _warm_up() -> None:
    """Do what torch does once per process, or the first training would seem slow."""
    layer = nn.Linear(1, 1)
    layer(torch.ones(1, 1)).sum().backward()
    torch.optim.AdamW(layer.parameters()).step()


def _do(folder: Path, one: Run | Tuning) -> Record:
    with limited_threads(1):
        record = {"settings": one.settings, **one.do(folder)}
    # Last: a record says that the weights are there.
    atomic_write(folder / f"{one.name}.json", json.dumps(record, indent=1) + "\n")
    return record
