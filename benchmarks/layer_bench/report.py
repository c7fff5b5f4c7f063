"""The page: tables and figures of each task, and all numbers as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from layer_bench.candidates import Candidate
from layer_bench.curves import SHARES
from layer_bench.drawings import draw_curves, draw_frontier, draw_trainings
from layer_bench.layers import FIGURES
from layer_bench.results import Result
from layer_bench.tasks import Task
from layer_bench.verdicts import Verdict
from napari_bgremove.evaluation.signal_tables import ComparedTable, Line

__all__ = ["TaskReport"]


@dataclass(frozen=True)
class TaskReport:
    """All that is told of one task.

    Attributes
    ----------
    task : Task
    candidates : sequence of Candidate
    results : sequence of Result
    initial : mapping
        Layers before any training, means over seeds.
    verdicts : sequence of Verdict
    """

    task: Task
    candidates: Sequence[Candidate]
    results: Sequence[Result]
    initial: Mapping[str, float]
    verdicts: Sequence[Verdict]

    def list_tables(self) -> list[ComparedTable]:
        """Return what is read."""
        return [self._tabulate_test(), self._tabulate_tuned(), self._tabulate_layers(), self._tabulate_speed(),
                self._tabulate_sizes(), self._tabulate_validation()]  # fmt: skip

    def as_markdown(self) -> str:
        """Return heading, verdicts, tables and figures."""
        judged = [
            f"- {'holds' if one.holds else 'DOES NOT HOLD'}: {one.claim}: {one.measured}" for one in self.verdicts
        ]
        pictures = [f"![{name}]({self.task.name}-{name}.png)\n" for name in self.draw_figures()]
        tables = [table.as_markdown() for table in self.list_tables()]
        return "\n".join([f"# {self.task.name}\n", *judged, "", *tables, *pictures])

    def as_document(self) -> dict[str, Any]:
        """Return all numbers, seed by seed."""
        return {
            "verdicts": [asdict(one) for one in self.verdicts],
            "shares": SHARES,
            "initial_layers": dict(self.initial),
            "methods": {one.method: _as_plain(one) for one in self.results},
            "tables": [table.as_document() for table in self.list_tables()],
        }

    def draw_figures(self) -> dict[str, Figure]:
        """Draw all figures, by name."""
        return {
            "kept": draw_curves(self.task, self.results),
            "frontier": draw_frontier(self.task, self.candidates),
            "training": draw_trainings(self.task, self.results),
        }

    def _make_table(self, name: str, title: str, text: str, lines: Iterable[Line]) -> ComparedTable:
        return ComparedTable(f"{self.task.name}-{name}", f"{self.task.name}: {title}", text, tuple(lines), {})

    def _tabulate_test(self) -> ComparedTable:
        lines = [
            Line(f"{one.candidate.strength:g}, {one.candidate.choice.rule}", one.method, _spread(SHARES, one.test.T))
            for one in self.results
        ]
        text = (
            f"{self.task.error_name} on test data by share of hidden units kept, mean and standard deviation over "
            f"{len(self.results[0].test)} seeds, no fine-tuning. Strength and ranking by validation data: the smallest "
            "share at which the error is that of the dense network."
        )
        return self._make_table("test", "error against units kept", text, lines)

    def _tabulate_tuned(self) -> ComparedTable:
        lines = [Line("fine-tuned", one.method, _spread(one.tuned, one.tuned.values())) for one in self.results]
        text = f"{self.task.error_name} on test data after a tenth of the epochs at half the rate, without any term."
        return self._make_table("tuned", "after fine-tuning", text, lines)

    def _tabulate_layers(self) -> ComparedTable:
        lines = [Line("before training", "-", {head: self.initial[name] for name, head in FIGURES.items()})]
        lines += [
            Line("after", one.method, {h: _tell([layer[n] for layer in one.layers]) for n, h in FIGURES.items()})
            for one in self.results
        ]
        text = "Means over hidden layers and both sides. The Lorentzian SNR uses the gate of a loss: no evidence."
        return self._make_table("layers", "layers", text, lines)

    def _tabulate_speed(self) -> ComparedTable:
        lines = [
            Line(f"validation error {mark:g}", one.method, _tell_reached(one.reached[mark]))
            for mark in self.task.marks
            for one in self.results
        ]
        text = "Seconds are of one thread of the processor, without validation; means over the seeds that got there."
        return self._make_table("speed", "time to a fixed error", text, lines)

    def _tabulate_sizes(self) -> ComparedTable:
        lines = [
            Line(f"{100 * one.candidate.choice.share:g} % kept", one.method, _tell_size(one)) for one in self.results
        ]
        text = "The whole network and the one without units, at the smallest share of the same validation error."
        return self._make_table("sizes", "units removed", text, lines)

    def _tabulate_validation(self) -> ComparedTable:
        lines = [
            Line(one.method, f"{one.strength:g}", {**_by_share(one.curve), "smallest share": _tell_choice(one)})
            for one in self.candidates
        ]
        text = f"Mean {self.task.error_name} on validation data, by which strengths were chosen."
        return self._make_table("validation", "all strengths", text, lines)


def _as_plain(one: Result) -> dict[str, Any]:
    return {
        "strength": one.candidate.strength,
        "choice": asdict(one.candidate.choice),
        "test": one.test.tolist(),
        "tuned": {f"{share:g}": errors.tolist() for share, errors in one.tuned.items()},
        "layers": one.layers,
        "reached": {f"{mark:g}": values for mark, values in one.reached.items()},
        "forward_ms": one.forward.tolist(),
        "bytes": one.size.tolist(),
        "processor_seconds": [record["processor_seconds"][-1] for record in one.candidate.records],
    }


def _tell(values: ArrayLike) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def _spread(shares: Iterable[float], errors: Iterable[ArrayLike]) -> dict[str, str]:
    return {f"{100 * share:g} %": _tell(values) for share, values in zip(shares, errors, strict=True)}


def _by_share(curve: Sequence[float]) -> dict[str, float]:
    return {f"{100 * share:g} %": error for share, error in zip(SHARES, curve, strict=True)}


def _tell_choice(one: Candidate) -> str:
    return f"{100 * one.choice.share:g} %, {one.choice.rule}" if one.choice.within else "-"


def _tell_reached(reached: Sequence[tuple[int, float] | None]) -> dict[str, str]:
    there = [one for one in reached if one]
    epochs, seconds = (_tell([one[at] for one in there]) if there else "-" for at in (0, 1))
    return {"epochs": epochs, "seconds": seconds, "seeds that reached it": f"{len(there)} of {len(reached)}"}


def _tell_size(one: Result) -> dict[str, str]:
    (ms, fewer_ms), (size, fewer) = one.forward.mean(axis=0), one.size.mean(axis=0)
    return {
        "pass (ms)": f"{ms:.2f} to {fewer_ms:.2f}",
        "times as fast": f"{ms / fewer_ms:.2f}",
        "file (kB)": f"{size / 1e3:.1f} to {fewer / 1e3:.1f}",
        "training, s of processor": _tell([record["processor_seconds"][-1] for record in one.candidate.records]),
    }
