"""Figures of denoised signals, saved without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.signal_metrics import measure_rmse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "draw_sweep", "draw_test_signals"]

Array = NDArray[np.float64]


def draw_test_signals(signal: Array, measured: Array, denoised: Mapping[str, Array]) -> Figure:
    """Draw signals in columns and what each method makes of them in rows, with the RMSE of each.

    Parameters
    ----------
    signal, measured : ndarray, shape (count, length)
    denoised : mapping of str to ndarray, shape (count, length)
        By the name of the method.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(signal) + 0.4, 1.7 * len(denoised) + 0.6), layout="constrained")
    plots = figure.subplots(len(denoised), len(signal), squeeze=False, sharex=True, sharey="col")
    for (name, estimates), line in zip(denoised.items(), plots, strict=True):
        errors = measure_rmse(estimates, signal)
        for index, plot in enumerate(line):
            plot.plot(measured[index], color="0.8", linewidth=0.8, label="measured")
            plot.plot(signal[index], color="0.2", linewidth=0.8, label="signal")
            plot.plot(estimates[index], color="tab:red", linewidth=1.0, label="denoised")
            plot.set_title(f"{name}: RMSE {errors[index]:.2f}", fontsize=8)
            plot.tick_params(labelsize=7)
    plots[0, 0].legend(fontsize=6, loc="upper right")
    for plot in plots[-1]:
        plot.set_xlabel("sample", fontsize=8)
    return figure


def draw_curves(curves: Mapping[str, Sequence[float]], *, y_label: str = "validation RMSE") -> Figure:
    """Draw a number over the epochs of trainings; the axis of epochs is a share of the whole, which differ in length.

    Parameters
    ----------
    curves : mapping of str to sequence of float
        By the name of the training, one number per epoch.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    plot = figure.subplots()
    for name, values in curves.items():
        plot.plot(np.linspace(100 / len(values), 100, len(values)), values, linewidth=1.0, label=name)
    plot.set(xlabel="share of the training (%)", ylabel=y_label, yscale="log")
    plot.legend(fontsize=7)
    return figure


def draw_sweep(values: Sequence[float], errors: Mapping[str, Sequence[float]], *, x_label: str) -> Figure:
    """Draw the error of methods over a parameter, the least of each marked.

    Parameters
    ----------
    values : sequence of float
    errors : mapping of str to sequence of float
        RMSE at each value, by method.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    plot = figure.subplots()
    for name, line in errors.items():
        best = int(np.argmin(line))
        (drawn,) = plot.plot(values, line, linewidth=1.2, label=f"{name}: {line[best]:.3f} at {values[best]:g}")
        plot.plot(values[best], line[best], "o", color=drawn.get_color())
    plot.set(xlabel=x_label, ylabel="RMSE")
    plot.legend(fontsize=8)
    return figure
