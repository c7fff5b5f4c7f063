"""The strengths of each method as validation data see them, and the one that is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layer_bench.curves import RULES, Choice, choose_ranking
from layer_bench.penalties import METHODS
from layer_bench.runs import Run, Tuning, read_record
from layer_bench.tasks import TASKS

__all__ = ["Candidate", "choose_best", "list_candidates", "list_tunings"]


@dataclass(frozen=True)
class Candidate:
    """One strength of one method.

    Attributes
    ----------
    runs : tuple of Run
        One for each seed.
    records : tuple of mapping
        Of these.
    choice : Choice
    curve : tuple of float
        Mean validation errors at the shares kept, ranked as is chosen.
    """

    runs: tuple[Run, ...]
    records: tuple[Mapping[str, Any], ...]
    choice: Choice
    curve: tuple[float, ...]

    @property
    def method(self) -> str:
        """Its name."""
        return self.runs[0].method

    @property
    def strength(self) -> float:
        """That of all its runs."""
        return self.runs[0].strength


def list_candidates(folder: Path, runs: Sequence[Run]) -> list[Candidate]:
    """Return every strength of every method, in the order of the tables, of runs of one task that are all done."""
    groups: dict[tuple[str, float], dict[Run, Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run.method, run.strength), {})[run] = _read(folder, run)
    dense = np.mean([record["validation"][-1] for record in groups["none", 0.0].values()])
    limit = TASKS[runs[0].task].find_limit(float(dense))
    ordered = sorted(groups, key=lambda pair: (METHODS.index(pair[0]), pair[1]))
    return [_make_candidate(groups[pair], limit) for pair in ordered]


def choose_best(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return one candidate for each method, by the rule of `curves`."""
    best: dict[str, Candidate] = {}
    for one in candidates:
        best[one.method] = min(best.get(one.method, one), one, key=lambda each: each.choice.order)
    return list(best.values())


def list_tunings(best: Iterable[Candidate]) -> list[Tuning]:
    """Return the fine-tunings of what was taken."""
    return [
        Tuning(run, one.choice.rule, share)
        for one in best
        for run in one.runs
        for share in TASKS[run.task].tuned_shares
    ]


def _make_candidate(records: Mapping[Run, Mapping[str, Any]], limit: float) -> Candidate:
    curves = {
        rule: [float(error) for error in np.mean([record["pruned"][rule] for record in records.values()], axis=0)]
        for rule in RULES
    }
    choice = choose_ranking(curves, limit)
    return Candidate(tuple(records), tuple(records.values()), choice, tuple(curves[choice.rule]))


def _read(folder: Path, run: Run) -> Mapping[str, Any]:
    record = read_record(folder, run)
    if record is None:
        msg = f"'{run.name}' has not been trained in {folder}."
        raise ValueError(msg)
    return record
