"""The figures of a task."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from layer_bench.candidates import Candidate
from layer_bench.curves import SHARES
from layer_bench.penalties import METHODS
from layer_bench.results import Result
from layer_bench.tasks import Task

__all__ = ["draw_curves", "draw_frontier", "draw_trainings"]

# A method has one colour in all figures.
_COLORS = {method: f"C{number}" for number, method in enumerate(METHODS)}


def draw_curves(task: Task, results: Iterable[Result]) -> Figure:
    """Draw test errors over the share of units kept, with their standard deviation."""
    figure, plot = _start(4.2)
    for one in results:
        mean, spread, color = one.test.mean(axis=0), one.test.std(axis=0), _COLORS[one.method]
        label = f"{one.method}, {one.candidate.strength:g}"
        plot.plot(SHARES, mean, "o-", color=color, markersize=3, linewidth=1.2, label=label)
        plot.fill_between(SHARES, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
    plot.set(xlabel="hidden units kept (%)", ylabel=f"{task.error_name}, test", xscale="log", yscale="log")
    plot.set_xticks(SHARES, [f"{100 * share:g}" for share in SHARES], fontsize=8)
    plot.xaxis.set_minor_formatter(NullFormatter())
    return _finish(figure, plot)


def draw_frontier(task: Task, candidates: Iterable[Candidate]) -> Figure:
    """Draw what each strength loses without most units over what its whole network has: validation errors."""
    figure, plot = _start(4.2)
    by_method: dict[str, list[tuple[float, float]]] = {}
    for one in candidates:
        by_method.setdefault(one.method, []).append((one.curve[0], one.curve[SHARES.index(task.judged_share)]))
    for method, points in by_method.items():
        plot.plot(*np.transpose(points), "o-", color=_COLORS[method], markersize=3, linewidth=0.8, label=method)
    whole, _ = by_method["none"][0]
    plot.axvline(task.find_limit(whole), color="0.6", linewidth=0.7)
    kept = f"with {100 * task.judged_share:g} % of the hidden units"
    plot.set(xlabel=f"{task.error_name}, validation, whole network", ylabel=kept, xscale="log", yscale="log")
    plot.xaxis.set_major_formatter(FuncFormatter(_write_plainly))
    plot.xaxis.set_minor_formatter(FuncFormatter(_write_plainly))
    return _finish(figure, plot)


def draw_trainings(task: Task, results: Iterable[Result]) -> Figure:
    """Draw mean validation errors over epochs."""
    figure, plot = _start(3.6)
    for one in results:
        errors = np.mean([record["validation"] for record in one.candidate.records], axis=0)
        epochs = np.arange(1, len(errors) + 1)
        plot.plot(epochs, errors, color=_COLORS[one.method], linewidth=1.0, label=one.method)
    for mark in task.marks:
        plot.axhline(mark, color="0.6", linewidth=0.7)
    plot.set(xlabel="epoch", ylabel=f"{task.error_name}, validation", yscale="log")
    return _finish(figure, plot)


def _start(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, height), layout="constrained")
    return figure, figure.subplots()


def _finish(figure: Figure, plot: Axes) -> Figure:
    plot.yaxis.set_major_formatter(FuncFormatter(_write_plainly))
    plot.yaxis.set_minor_formatter(FuncFormatter(_write_plainly))
    plot.tick_params(which="both", labelsize=8)
    plot.legend(fontsize=7)
    return figure


def _write_plainly(value: float, _position: int) -> str:
    return f"{value:g}"
