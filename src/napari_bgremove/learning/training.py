"""The training loop: one, and ignorant of images, spectra and windows.

`Training` holds what training is made of; its `run` is a generator that yields
what happened. Whoever iterates decides what to do with it: write a checkpoint,
draw a curve, stop. Stopping is leaving the loop, at any step, and loses
nothing, because every sample depends only on (seed, epoch, index).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.datasets import Dataset
from napari_bgremove.learning.devices import halve_on_out_of_memory
from napari_bgremove.learning.distributed import Ranks
from napari_bgremove.learning.train_options import TrainOptions, build_optimizer, find_learning_rate

__all__ = [
    "BatchSplit",
    "EpochDone",
    "Objective",
    "Progress",
    "ScheduledObjective",
    "StepDone",
    "TrainOptions",
    "Training",
]

# An objective knows which network it trains; the loop does not.
Objective = Callable[[Any, Mapping[str, Tensor]], dict[str, Tensor]]
# A head silent on all pixels for this many steps in a row will not come back.
DEAD_STEPS = 50


@runtime_checkable
class ScheduledObjective(Protocol):
    """An objective that changes along the run; it holds no state, so a resumed run needs none of it."""

    def at(self, progress: float) -> Objective:
        """Return what is minimised where this share of the run, 0 to 1, is done."""


@dataclass(frozen=True)
class BatchSplit:
    """The memory ended: from this step on a batch is computed so many samples at a time."""

    epoch: int
    step: int
    at_once: int


@dataclass(frozen=True)
class StepDone:
    """One optimizer step: position, loss and terms of this batch, speed."""

    epoch: int
    step: int
    steps: int
    terms: Mapping[str, float]
    samples_per_second: float


@dataclass(frozen=True)
class EpochDone:
    """One epoch: mean training and validation terms, seconds it took."""

    epoch: int
    epochs: int
    training: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: float


Progress = StepDone | EpochDone | BatchSplit


@dataclass
class Training:
    """A network on its way: everything needed to go on, step by step.

    Parameters
    ----------
    network : nn.Module
    objective : callable
        (network, batch) -> {"loss": ..., named terms}, each a mean over the
        samples; a term `live_share` is watched, and training stops when it
        stays zero. One with `at` (`ScheduledObjective`) is asked before each
        step what it is by then.
    dataset, validation : Dataset
        `validation` may be None.
    options : TrainOptions
    device : torch.device
    ranks : Ranks
        The processes that share this run; by default only this one.
    """

    network: nn.Module
    objective: Objective
    dataset: Dataset
    validation: Dataset | None = None
    options: TrainOptions = field(default_factory=TrainOptions)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    ranks: Ranks = field(default_factory=Ranks)
    epoch: int = 0
    step: int = 0  # within the epoch
    sums: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network.to(self.device)
        self.optimizer = build_optimizer(self.network, self.options)
        self._silent_steps = 0
        # Samples; less when the memory ends.
        self.at_once = min(self.options.at_once or self.options.batch_size, self.options.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps of one epoch; the last one may be smaller."""
        return math.ceil(len(self.dataset) / self.options.batch_size)

    @property
    def done(self) -> int:
        """Optimizer steps before the coming one, counted from the first epoch."""
        return self.epoch * self.steps + self.step

    def run(self) -> Iterator[Progress]:
        """Train until the last epoch, yielding after every step and epoch."""
        while self.epoch < self.options.epochs:
            started = time.perf_counter()
            order = self._order()
            while self.step < self.steps:
                before = self.at_once
                done = self._train_step(order)
                if self.at_once < before:
                    yield BatchSplit(done.epoch, done.step, self.at_once)
                yield done
            yield self._finish_epoch(time.perf_counter() - started)

    def validate(self) -> dict[str, float]:
        """Return the mean terms over the validation data."""
        if self.validation is None:
            return {}
        self.network.eval()
        sums: dict[str, float] = {}
        n, size = len(self.validation), self.at_once
        with torch.inference_mode():
            for start in range(0, n, size):
                indices = range(start, min(start + size, n))
                terms = self._evaluate(self.validation, 0, indices)
                _accumulate(sums, terms, len(indices))
        self.network.train()
        return _means(sums)

    def learning_rate(self) -> float:
        """Return the rate of the coming step: warm-up, then the schedule."""
        return find_learning_rate(self.options, done=self.done, steps=self.steps)

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return tensors and numbers from which `restore` goes on bit for bit."""
        tensors = {f"optim/{name}/{key}": value for name, key, value in self._moments()}
        numbers = {"epoch": float(self.epoch), "step": float(self.step), "silent_steps": float(self._silent_steps)}
        return tensors, numbers | {f"sum/{k}": v for k, v in self.sums.items()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]) -> None:
        """Continue from what `state` returned; the network's weights are loaded apart."""
        parameters = dict(self.network.named_parameters())
        for full_name, value in tensors.items():
            _, name, key = full_name.split("/")
            parameter = parameters[name]
            # In the parameter's own memory layout: another one could round differently.
            kept = value.clone() if key == "step" else torch.empty_like(parameter, requires_grad=False).copy_(value)
            self.optimizer.state[parameter][key] = kept
        self.epoch, self.step = int(numbers["epoch"]), int(numbers["step"])
        self._silent_steps = int(numbers.get("silent_steps", 0))
        self.sums = {k.removeprefix("sum/"): v for k, v in numbers.items() if k.startswith("sum/")}

    def _train_step(self, order: Sequence[int]) -> StepDone:
        started = time.perf_counter()
        size = self.options.batch_size
        batch = order[self.step * size : (self.step + 1) * size]
        mine = self.ranks.share(batch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.network.train()
        # A process without a sample computes one anyway, with weight zero.
        # Each process weighs its mean by its share of the batch, so that the
        # sum over the processes is the gradient of the whole batch.
        terms = self._compute_gradients(mine or batch[:1], len(mine) / len(batch))
        self.ranks.sum_gradients(self.network)
        values = self.ranks.sum_values(terms)
        self._check(values)  # before the step: the weights stay the last good ones
        if math.isfinite(self.options.clip_norm):
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        _accumulate(self.sums, values, len(batch))
        self.step += 1
        return StepDone(self.epoch, self.step, self.steps, values, len(batch) / (time.perf_counter() - started))

    def _compute_gradients(self, samples: Sequence[int], weight: float) -> dict[str, float]:
        """Leave `weight` times the gradient of the mean over these samples; return the terms, weighted alike."""

        def compute(at_once: int) -> dict[str, float]:
            self.optimizer.zero_grad(set_to_none=True)
            sums: dict[str, float] = {}
            for start in range(0, len(samples), at_once):
                part = samples[start : start + at_once]
                share = weight * len(part) / len(samples)  # the mean over all is the weighted sum of means over parts
                terms = self._evaluate(self.dataset, self.epoch, part)
                (terms["loss"] * share).backward()  # type: ignore[no-untyped-call]
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + float(value.detach()) * share
            return sums

        tried = min(self.at_once, len(samples))
        terms, fitted = halve_on_out_of_memory(compute, tried, what="sample")
        if fitted < tried:
            self.at_once = fitted
        return terms

    def _evaluate(self, dataset: Dataset, epoch: int, indices: Sequence[int]) -> dict[str, Tensor]:
        arrays = dataset.batch(epoch, indices)
        batch = {name: torch.from_numpy(a).to(self.device) for name, a in arrays.items()}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            return self._current_objective()(self.network, batch)

    def _current_objective(self) -> Objective:
        if isinstance(self.objective, ScheduledObjective):
            return self.objective.at(self.done / (self.options.epochs * self.steps))
        return self.objective

    def _finish_epoch(self, seconds: float) -> EpochDone:
        done = EpochDone(self.epoch, self.options.epochs, _means(self.sums), self.validate(), seconds)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}
        return done

    def _order(self) -> list[int]:
        rng = np.random.default_rng([self.options.seed, 1 << 31, self.epoch])
        return [int(i) for i in rng.permutation(len(self.dataset))]

    def _check(self, terms: Mapping[str, float]) -> None:
        if not math.isfinite(terms["loss"]):
            msg = f"The loss is {terms['loss']} at epoch {self.epoch}, step {self.step}; lower the learning rate."
            raise ComputeError(msg)
        self._silent_steps = self._silent_steps + 1 if terms.get("live_share") == 0 else 0
        if self._silent_steps >= DEAD_STEPS:
            msg = (
                f"The head is dead: no pixel of the last {DEAD_STEPS} batches shows background (live share 0). "
                "Lower the learning rate, lengthen the warm-up, or use the live head."
            )
            raise ComputeError(msg)

    def _moments(self) -> Iterator[tuple[str, str, Tensor]]:
        for name, parameter in self.network.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                yield name, key, value.detach().clone()


def _accumulate(sums: dict[str, float], terms: Mapping[str, float | Tensor], count: int) -> None:
    for name, value in terms.items():
        sums[name] = sums.get(name, 0.0) + float(value) * count
    sums["samples"] = sums.get("samples", 0.0) + count


def _means(sums: Mapping[str, float]) -> dict[str, float]:
    samples = max(sums.get("samples", 0.0), 1.0)
    return {name: value / samples for name, value in sums.items() if name != "samples"}
