"""Figures of calibrations, saved without a window: predicted against reference, and errors as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_bgremove._validation import label_with_unit
from napari_bgremove.evaluation.calibration_result import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_predictions", "draw_rmse_bars"]


def draw_predictions(calibrations: Mapping[str, Calibration]) -> Figure:
    """Draw predicted against reference values, one row per output and one column per representation (Fig. 6).

    Parameters
    ----------
    calibrations : mapping of str to Calibration
        By the name of the representation; all of the same outputs.
    """
    from matplotlib.figure import Figure

    names = next(iter(calibrations.values())).names
    figure = Figure(figsize=(2.6 * len(calibrations) + 0.6, 2.8 * len(names) + 0.3), layout="constrained")
    plots = figure.subplots(len(names), len(calibrations), squeeze=False, sharex="row", sharey="row")
    for output, line in enumerate(plots):
        for plot, (representation, calibration) in zip(line, calibrations.items(), strict=True):
            _draw_output(plot, calibration, output)
            if output == 0:
                plot.set_title(representation, fontsize=10)
        # One square for the whole line: spread can be compared, and the 1:1 line is the diagonal.
        ends = np.concatenate([np.ravel(one.points(output)) for one in calibrations.values()])
        margin = 0.05 * float(np.ptp(ends))
        limits = (float(ends.min()) - margin, float(ends.max()) + margin)
        line[0].set(xlim=limits, ylim=limits)
        line[0].set_ylabel(label_with_unit(f"predicted {names[output]}", calibration.unit), fontsize=9)
    return figure


def draw_rmse_bars(calibrations: Mapping[str, Calibration]) -> Figure:
    """Draw the nested RMSE of each representation as bars, and the best of grid as a line on each (Fig. 7).

    Every output has a plot of its own, because their units of error differ:
    1 wt% is little of SiO2 and much of TiO2.
    """
    from matplotlib.figure import Figure

    first = next(iter(calibrations.values()))
    count = len(first.names)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(2.8 * columns + 0.4, 2.9 * rows + 0.2), layout="constrained")
    plots = figure.subplots(rows, columns, squeeze=False).ravel()
    places = np.arange(len(calibrations))
    for output, plot in enumerate(plots):
        if output >= count:
            plot.set_axis_off()
            continue
        nested = [calibration.rmse[output] for calibration in calibrations.values()]
        best = [calibration.best_rmse[output] for calibration in calibrations.values()]
        plot.bar(places, nested, color=[f"C{place}" for place in places], label="nested")
        plot.hlines(best, places - 0.4, places + 0.4, color="black", linewidth=1.2, label="best of grid")
        plot.set_xticks(places, list(calibrations), rotation=45, ha="right", fontsize=8)
        plot.set_title(first.names[output], fontsize=10)
        plot.set_ylabel(label_with_unit("RMSE", first.unit), fontsize=9)
    figure.legend(*plots[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _draw_output(plot: Axes, calibration: Calibration, output: int) -> None:
    values, predictions = calibration.points(output)
    plot.plot(values, predictions, ".", color="C1", markersize=4)
    plot.axline((float(values.mean()),) * 2, slope=1, color="black", linewidth=0.8)
    plot.set_xlabel(label_with_unit(calibration.names[output], calibration.unit), fontsize=9)
    plot.text(0.04, 0.94, f"RMSE {calibration.rmse[output]:#.3g}", transform=plot.transAxes, va="top", fontsize=9)
