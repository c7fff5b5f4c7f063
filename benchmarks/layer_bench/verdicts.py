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

_GATED, _BELOW = "gated-lorentzian", ("none", "l2", "l1", "group-lasso")


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
    """Judge a task by means over seeds; `initial` are the layers before any training."""
    found = {one.method: one for one in results}
    dense = float(found["none"].at(1.0).mean())
    own = _judge_digits(found, dense) if task.name == "digits" else _judge_spectra(found, dense)
    return [*own, _judge_frontier(task, candidates), *_judge_layers(found, initial), *_judge_speed(found)]


def _judge_digits(found: Mapping[str, Result], dense: float) -> Iterator[Verdict]:
    line = 100 - dense - 1
    whole, kept = ({name: 100 - float(one.at(share).mean()) for name, one in found.items()} for share in (1.0, 0.25))
    yield Verdict(
        "mean accuracy (%) with all neurons within 0.5 point of no term",
        whole[_GATED] >= whole["none"] - 0.5,
        _tell(whole, 2),
    )
    yield Verdict(
        f"25 % of the hidden neurons kept, no fine-tuning: accuracy (%) at most 1 point below {whole['none']:.2f}",
        kept[_GATED] >= line,
        f"{_GATED} {kept[_GATED]:.2f}",
    )
    yield Verdict(
        "none, l2, l1 and group-lasso are below that line, each at the strength chosen by the same rule",
        all(kept[name] < line for name in _BELOW),
        _tell({name: value for name, value in kept.items() if name != _GATED}, 2),
    )


def _judge_spectra(found: Mapping[str, Result], dense: float) -> Iterator[Verdict]:
    ratios = {name: float(one.at(0.125).mean()) / dense for name, one in found.items()}
    yield Verdict(
        "12.5 % of the hidden channels kept, no fine-tuning: RMSE at most 1.05 times that of the dense network",
        ratios[_GATED] <= 1.05,
        _tell(ratios, 3),
    )


def _judge_frontier(task: Task, candidates: Iterable[Candidate]) -> Verdict:
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
        least.get(_GATED, math.inf) < min(least.get(name, math.inf) for name in _BELOW),
        _tell(least, 3),
    )


def _judge_layers(found: Mapping[str, Result], initial: Mapping[str, float]) -> Iterator[Verdict]:
    snr, ratio = (float(np.mean([one[name] for one in found[_GATED].layers])) for name in ("snr", "participation"))
    yield Verdict(
        "layer SNR at least 5 times that before training, participation ratio at most 0.2; no evidence by itself",
        snr >= 5 * initial["snr"] and ratio <= 0.2,
        f"SNR {initial['snr']:.2f} to {snr:.2f}, participation ratio {initial['participation']:.2f} to {ratio:.2f}",
    )


def _judge_speed(found: Mapping[str, Result]) -> Iterator[Verdict]:
    """The claim of the paper: seeds that reach an error with and without the term are compared in pairs."""
    plain, gated = found["none"], found[_GATED]
    seconds = [np.mean([r["processor_seconds"][-1] for r in one.candidate.records]) for one in (plain, gated)]
    for mark in plain.reached:
        pairs = list(zip(plain.reached[mark], gated.reached[mark], strict=True))
        both = np.array([(one[0], other[0]) for one, other in pairs if one and other], float).reshape(-1, 2)
        counts = [sum(one is not None for one in side) for side in zip(*pairs, strict=True)]
        means = both.mean(axis=0) if len(both) else np.array([np.nan, np.nan])
        yield Verdict(
            f"training is faster: fewer epochs to a validation error of {mark:g}",
            bool(counts[1] >= counts[0] and means[1] < means[0]),
            f"none {means[0]:.1f}, {_GATED} {means[1]:.1f} epochs, over {len(both)} seeds that reach it with both; "
            f"reached by {counts[0]} and {counts[1]} of {len(pairs)}; whole training {seconds[0]:.1f} and "
            f"{seconds[1]:.1f} s of processor",
        )


def _tell(figures: Mapping[str, float], digits: int) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in figures.items())
