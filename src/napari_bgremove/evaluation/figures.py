"""Pictures of a separation and of a training, for saved pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_bgremove.separation import Separation

__all__ = ["draw_learning_curve", "draw_radial_profiles", "draw_separation"]

Image = NDArray[np.float32]


def draw_separation(separation: Separation, *, unit: str = "keV", truth: Image | None = None) -> Figure:
    """Draw measured, signal and background on one logarithmic scale, and the uncertainty.

    Parameters
    ----------
    separation : Separation
    unit : str
        Of the colour bars.
    truth : ndarray, optional
        The true signal, where it is known; drawn in place of the uncertainty.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    last = ("true signal", truth) if truth is not None else ("uncertainty", separation.uncertainty)
    parts = [
        ("measured", separation.measured),
        ("signal", separation.signal),
        ("background (noise)", separation.background),
        last,
    ]
    high = float(np.nanpercentile(separation.measured, 99.9))
    low = max(high * 1e-4, 0.1 if unit == "keV" else 1e-12)
    rows, columns = separation.measured.shape
    figure = Figure(figsize=(11, 9.5 * rows / columns + 0.9), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    for axis, (title, values) in zip(axes.flat, parts, strict=True):
        if values is None:
            axis.set_axis_off()
            continue
        # A logarithm has no place for zero: what lies below the scale is drawn at its end.
        drawn = axis.imshow(
            np.maximum(values, low), norm=LogNorm(low, max(high, 10 * low)), cmap="magma", interpolation="nearest"
        )
        axis.set_title(title, fontsize=10)
    figure.colorbar(drawn, ax=axes, label=f"{unit} per pixel", shrink=0.8)
    return figure


def draw_radial_profiles(
    profiles: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, unit: str = "keV"
) -> Figure:
    """Draw intensity against distance from the beam centre, one line per (radius, mean) pair."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis: Axes = figure.subplots()
    for name, (radius, mean) in profiles.items():
        axis.plot(radius, mean, label=name, linewidth=1.2)
    axis.set(xlabel="distance from the beam centre (px)", ylabel=f"mean intensity ({unit} per pixel)", yscale="log")
    axis.legend(frameon=False)
    return figure


def draw_learning_curve(steps: Sequence[Mapping[str, Any]], *, title: str) -> Figure:
    """Draw the loss of every training step (events of kind "step")."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.5), layout="constrained")
    axis: Axes = figure.subplots()
    axis.plot(range(1, len(steps) + 1), [s["loss"] for s in steps], linewidth=1)
    axis.set(xlabel="step", ylabel="MAE(signal) + MAE(background)", title=title, yscale="log")
    return figure
