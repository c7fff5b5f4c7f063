"""One task from its trainings to its page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from layer_bench.candidates import choose_best, list_candidates, list_tunings
from layer_bench.layers import describe_layers
from layer_bench.report import TaskReport
from layer_bench.results import measure_result
from layer_bench.runs import Run, Tuning, build_network, do_all, list_runs
from layer_bench.tasks import TASKS
from layer_bench.verdicts import list_verdicts
from napari_bgremove.evaluation.card_figures import write_figure

__all__ = ["report_task"]


def report_task(folder: Path, task: str, seeds: Sequence[int], *, workers: int = 1, quick: bool = False) -> TaskReport:
    """Do what is not yet in the folder, draw the figures into it, and return what is told."""
    runs = list_runs(task, seeds, quick=quick)
    _do(folder, runs, workers)
    candidates = list_candidates(folder, runs)
    best = choose_best(candidates)
    _do(folder, list_tunings(best), workers)
    results = [measure_result(folder, one) for one in best]
    layers = [describe_layers(build_network(run)) for run in runs if run.method == "none"]
    initial = {name: float(np.mean([one[name] for one in layers])) for name in layers[0]}
    verdicts = list_verdicts(TASKS[task], candidates, results, initial)
    report = TaskReport(TASKS[task], candidates, results, initial, verdicts)
    for name, figure in report.draw_figures().items():
        write_figure(folder / f"{task}-{name}.png", figure)
    return report


def _do(folder: Path, wanted: Iterable[Run | Tuning], workers: int) -> None:
    for one, record in do_all(folder, wanted, workers=workers):
        spent = f"{record['processor_seconds'][-1]:.1f} s of processor, {record['seconds']:.1f} s"
        print(f"{one.name}: {spent}, validation error {record['validation'][-1]:.3f}", flush=True)
