"""The claims, each with what was measured and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layer_bench.candidates import Candidate
from layer_bench.curves import SHARES
from layer_bench.results import Result
from layer_bench.tasks import Task

__all__ = ["Verdict", "list_verdicts"]

_BELOW = ("none", "l2", "l1", "group-lasso")


@dataclass(frozen=True)
class Verdict:
    """A claim.

    Attributes
    ----------
    claim : str
    holds : bool
    measured : str
        The figures it rests on.
    """

    claim: str
    holds: bool
    measured: str


def list_verdicts(
    task: Task, candidates: Sequence[Candidate], results: Sequence[Result], initial: Mapping[str, float]
) -> list[Verdict]:
    """Judge a task by means over seeds; `initial` are the layers before any training.

    Of the gates, the one is judged that validation data choose.
    """
    found = {one.method: one for one in results}
    gates = [one for one in results if one.method.startswith("gated-")]
    gate = min(gates, key=lambda one: one.candidate.choice.order).method
    dense = float(found["none"].at(1.0).mean())
    own = _judge_digits(found, gate, dense) if task.name == "digits" else _judge_spectra(found, gate, dense)
    frontier = _judge_frontier(task, gate, candidates)
    return [*own, frontier, *_judge_layers(found[gate], initial), *_judge_speed(found["none"], found[gate])]


def _judge_digits(found: Mapping[str, Result], gate: str, dense: float) -> Iterator[Verdict]:
    line = 100 - dense - 1
    whole, kept = ({name: 100 - float(one.at(share).mean()) for name, one in found.items()} for share in (1.0, 0.25))
    yield Verdict(
        "mean accuracy (%) with all neurons within 0.5 point of no term",
        whole[gate] >= whole["none"] - 0.5,
        _tell(whole, 2),
    )
    yield Verdict(
        f"25 % of the hidden neurons kept, no fine-tuning: accuracy (%) at most 1 point below {whole['none']:.2f}",
        kept[gate] >= line,
        f"{gate} {kept[gate]:.2f}",
    )
    yield Verdict(
        "none, l2, l1 and group-lasso are below that line, each at the strength chosen by the same rule",
        all(kept[name] < line for name in _BELOW),
        _tell({name: value for name, value in kept.items() if name != gate}, 2),
    )


def _judge_spectra(found: Mapping[str, Result], gate: str, dense: float) -> Iterator[Verdict]:
    ratios = {name: float(one.at(0.125).mean()) / dense for name, one in found.items()}
    yield Verdict(
        f"{gate}, 12.5 % of the hidden channels kept, no fine-tuning: RMSE at most 1.05 times that of the dense one",
        ratios[gate] <= 1.05,
        _tell(ratios, 3),
    )


def _judge_frontier(task: Task, gate: str, candidates: Iterable[Candidate]) -> Verdict:
    """At equal error of the whole network, which favours no method by where its strengths happen to lie."""
    at, least = SHARES.index(task.judged_share), {}
    limit = math.inf
    for one in candidates:  # the first is of no term
        limit = task.find_limit(one.curve[0]) if one.method == "none" else limit
        if one.curve[0] <= limit:
            least[one.method] = min(one.curve[at], least.get(one.method, math.inf))
    return Verdict(
        f"{100 * task.judged_share:g} % kept, on validation data: the error is less than that of none, l2, l1 and "
        "group-lasso at any strength whose whole network has the same error",
        least.get(gate, math.inf) < min(least.get(name, math.inf) for name in _BELOW),
        _tell(least, 3),
    )


def _judge_layers(gated: Result, initial: Mapping[str, float]) -> Iterator[Verdict]:
    snr, ratio = (float(np.mean([one[name] for one in gated.layers])) for name in ("snr", "participation"))
    yield Verdict(
        "layer SNR at least 5 times that before training, participation ratio at most 0.2; no evidence by itself",
        snr >= 5 * initial["snr"] and ratio <= 0.2,
        f"{gated.method}: SNR {initial['snr']:.2f} to {snr:.2f}, "
        f"participation ratio {initial['participation']:.2f} to {ratio:.2f}",
    )


def _judge_speed(plain: Result, gated: Result) -> Iterator[Verdict]:
    """The claim of the paper: seeds that reach an error with and without the term are compared in pairs."""
    seconds = [np.mean([r["processor_seconds"][-1] for r in one.candidate.records]) for one in (plain, gated)]
    for mark in plain.reached:
        pairs = list(zip(plain.reached[mark], gated.reached[mark], strict=True))
        both = np.array([(one[0], other[0]) for one, other in pairs if one and other], float).reshape(-1, 2)
        counts = [sum(one is not None for one in side) for side in zip(*pairs, strict=True)]
        means = both.mean(axis=0) if len(both) else np.array([np.nan, np.nan])
        yield Verdict(
            f"training is faster: fewer epochs to a validation error of {mark:g}",
            bool(counts[1] >= counts[0] and means[1] < means[0]),
            f"none {means[0]:.1f}, {gated.method} {means[1]:.1f} epochs, over {len(both)} seeds that reach it "
            f"with both; reached by {counts[0]} and {counts[1]} of {len(pairs)}; whole training {seconds[0]:.1f} and "
            f"{seconds[1]:.1f} s of processor",
        )


def _tell(figures: Mapping[str, float], digits: int) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in figures.items())
