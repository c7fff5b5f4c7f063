"""The page of the experiments: tables and figures as Markdown, and all numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.signal_bench.tables import Networks, Runs, denoise, sweep_two_sinusoids
from napari_bgremove.evaluation.filter_tuning import AS_PUBLISHED
from napari_bgremove.evaluation.signal_figures import draw_curves, draw_sweep, draw_test_signals
from napari_bgremove.evaluation.signal_tables import ComparedTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_figures", "write_report"]

# Test signals that are drawn.
_DRAWN = 3


def draw_figures(networks: Networks, runs: Runs) -> dict[str, Figure]:
    """Draw test signals as the paper does, the curves of the trainings, and the sweep in which GMC wins."""
    signal, measured = (part[:_DRAWN] for part in runs.runs["spikes"][0])
    (plain,), (bare,) = networks["as-published"], networks["as-published-no-norm"]
    denoised = {
        "no BN": denoise(bare, "fixed", measured),
        "BN fixed": denoise(plain, "fixed", measured),
        "BN unfixed": denoise(plain, "signal", measured),
    }
    denoised |= {one.label: one(measured) for one in AS_PUBLISHED}
    weights, errors = sweep_two_sinusoids(runs.sinusoids)
    curves = {name: _mean_curve(networks, name) for name in ("as-published", "spikes", "spikes-no-norm", "spectra")}
    return {
        "test-signals": draw_test_signals(signal, measured, denoised),
        "training-curves": draw_curves(curves, y_label="validation loss, each its own"),
        "two-sinusoids": draw_sweep(weights, errors, x_label="weight"),
    }


def write_report(
    folder: Path, tables: Sequence[ComparedTable], figures: Mapping[str, Figure], networks: Networks, *, quick: bool
) -> Path:
    """Write report.md and tables.json beside the figures; return the page."""
    from napari_bgremove.learning.devices import describe_software

    page = ["# Denoisers of 1-D signals", ""]
    if quick:
        page += ["**A quick run: every network was trained for one short epoch. These are no results.**", ""]
    page += [table.as_markdown() for table in tables]
    page += [line for name in figures for line in (f"![{name}]({name}.png)", "")]
    document = {
        "tables": [table.as_document() for table in tables],
        "trainings": {
            name: [{"recipe": one.model.description.recipe, "seconds": one.seconds} for one in trained]
            for name, trained in networks.items()
        },
        "versions": describe_software(),
    }
    atomic_write(folder / "tables.json", json.dumps(document, indent=1) + "\n")
    return atomic_write(folder / "report.md", "\n".join(page).rstrip() + "\n")


def _mean_curve(networks: Networks, name: str) -> list[float]:
    return [float(value) for value in np.mean([one.curve for one in networks[name]], axis=0)]
