"""What comes out for each method at the strength that validation data chose: the one look at the test data."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from layer_bench.candidates import Candidate, list_tunings
from layer_bench.curves import SHARES, measure_curve
from layer_bench.layers import describe_layers
from layer_bench.runs import read_network, read_record
from layer_bench.tasks import TASKS, read_whole
from napari_bgremove.learning.unit_removal import choose_units, remove_units

__all__ = ["Result", "measure_result"]

# A network is called as often as takes this long, and that so many times in turns with the other.
_LEAST_SECONDS, _REPEATS = 0.05, 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """A method; arrays have one line for each seed.

    Attributes
    ----------
    candidate : Candidate
    test : ndarray, shape (seeds, shares)
        Errors at the shares kept, without fine-tuning.
    tuned : mapping of float to ndarray, shape (seeds,)
        Errors after it, by share kept.
    layers : list of mapping
        Of the whole trained network.
    reached : mapping of float to list of (int, float) or None
        By validation error: epochs and seconds of processor until it was first reached.
    forward : ndarray, shape (seeds, 2)
        Milliseconds of processor for the test data, by the whole network and without the units that go.
    size : ndarray, shape (seeds, 2)
        Bytes of the weights of these two as a file.
    """

    candidate: Candidate
    test: Array
    tuned: Mapping[float, Array]
    layers: list[dict[str, float]]
    reached: Mapping[float, list[tuple[int, float] | None]]
    forward: Array
    size: Array

    @property
    def method(self) -> str:
        """Its name."""
        return self.candidate.method

    def at(self, share: float) -> Array:
        """Return the test errors at one of the shares."""
        return self.test[:, SHARES.index(share)]


def measure_result(folder: Path, candidate: Candidate) -> Result:
    """Measure what was chosen; its fine-tunings are done."""
    task, choice = TASKS[candidate.runs[0].task], candidate.choice
    test, networks = task.read_test(), [read_network(folder, run) for run in candidate.runs]
    smaller = [remove_units(one, choose_units(one, choice.share, rule=choice.rule)) for one in networks]
    pairs = list(zip(networks, smaller, strict=True))
    return Result(
        candidate=candidate,
        test=np.array([measure_curve(task, one, test, rule=choice.rule) for one in networks]),
        tuned=_read_tuned(folder, candidate),
        layers=[describe_layers(one) for one in networks],
        reached={mark: [_find_first(record, mark) for record in candidate.records] for mark in task.marks},
        forward=np.array([_time_in_turns(pair, read_whole(test)[task.given]) for pair in pairs]),
        size=np.array([[len(save(one.state_dict())) for one in pair] for pair in pairs], float),
    )


def _read_tuned(folder: Path, candidate: Candidate) -> dict[float, Array]:
    tuned: dict[float, list[float]] = {}
    for one in list_tunings([candidate]):
        tuned.setdefault(one.share, []).append((read_record(folder, one) or {})["test"])
    return {share: np.array(errors) for share, errors in tuned.items()}


def _find_first(record: Mapping[str, Any], mark: float) -> tuple[int, float] | None:
    for epoch, error in enumerate(record["validation"]):
        if error <= mark:
            return epoch + 1, float(record["processor_seconds"][epoch])
    return None


@torch.inference_mode()
def _time_in_turns(pair: tuple[nn.Module, nn.Module], given: Tensor) -> list[float]:
    """Median milliseconds of processor of both, by turns, after one pass that is not counted."""
    calls = [max(1, ceil(_LEAST_SECONDS / max(_time_passes(one, given, 2), 1e-6))) for one in pair]
    times = [[_time_passes(one, given, count) for one, count in zip(pair, calls, strict=True)] for _ in range(_REPEATS)]
    return [1e3 * statistics.median(side) for side in zip(*times, strict=True)]


def _time_passes(network: nn.Module, given: Tensor, count: int) -> float:
    """Seconds of processor of one pass, of several in a row."""
    start = time.process_time()
    for _ in range(count):
        network(given)
    return (time.process_time() - start) / count
