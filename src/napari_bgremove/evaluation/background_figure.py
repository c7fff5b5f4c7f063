"""Pictures of what became of spectra, for saved pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.separation import Separation
from napari_bgremove.spectra.ends import Anchor, End

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SeparatedSpectrum", "draw_backgrounds", "draw_net_areas"]


@dataclass(frozen=True)
class SeparatedSpectrum:
    """One spectrum, taken apart, and what is written beside it.

    Attributes
    ----------
    axis : ndarray, shape (n,)
    separation : Separation
        Of one spectrum.
    ends : sequence of Anchor or Endpoint
        Where the background is tied to it; may be empty.
    title, axis_label, value_label : str
    falls : bool
        Whether the axis is drawn falling, as is usual for binding energies.
    """

    axis: NDArray[np.float64]
    separation: Separation
    ends: Sequence[End] = ()
    title: str = ""
    axis_label: str = "energy"
    value_label: str = "intensity"
    falls: bool = False


def draw_backgrounds(spectra: Sequence[SeparatedSpectrum]) -> Figure:
    """Draw spectra one below the other: measured and background at the left, net at the right.

    The ends are shaded; a ribbon about the background is its standard error,
    where it is known.

    Parameters
    ----------
    spectra : sequence of SeparatedSpectrum
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2 * len(spectra)), layout="constrained")
    plots = figure.subplots(len(spectra), 2, squeeze=False, sharex="row")
    for (left, right), one in zip(plots, spectra, strict=True):
        parts = one.separation
        left.plot(one.axis, parts.measured, color="0.35", linewidth=0.9, label="measured")
        left.plot(one.axis, parts.background, color="C3", linewidth=1.4, label="background")
        if parts.uncertainty is not None:
            low, high = parts.background - parts.uncertainty, parts.background + parts.uncertainty
            left.fill_between(one.axis, low, high, color="C3", alpha=0.3, linewidth=0, label="± standard error")
        right.plot(one.axis, parts.signal, color="C0", linewidth=1.0, label="net")
        right.axhline(0, color="0.7", linewidth=0.8)
        left.set(ylabel=one.value_label, title=one.title)
        for plot in (left, right):
            _finish(plot, one)
        if one.falls:
            left.invert_xaxis()  # the right one shares it
    return figure


def draw_net_areas(areas: ArrayLike, *, sigma: ArrayLike | None = None, label: str = "net area") -> Figure:
    """Draw the net area of every spectrum of an image as a curve, or of a map as an image; gaps where there is none.

    Parameters
    ----------
    areas : array_like, shape (rows,) or (rows, columns)
    sigma : array_like, optional
        Standard errors; drawn as a ribbon about a curve.
    label : str
    """
    from matplotlib.figure import Figure

    values = np.asarray(areas, float)
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    plot: Axes = figure.subplots()
    if values.ndim == 2:
        figure.colorbar(plot.imshow(values, interpolation="nearest"), ax=plot, label=label)
        return figure
    numbers = np.arange(len(values))
    plot.plot(numbers, values, linewidth=1.0)
    if sigma is not None:
        plot.fill_between(numbers, values - np.asarray(sigma), values + np.asarray(sigma), alpha=0.3, linewidth=0)
    plot.set(xlabel="spectrum", ylabel=label)
    return figure


def _finish(plot: Axes, one: SeparatedSpectrum) -> None:
    """Shade the ends and name the axis."""
    for end in one.ends:
        if isinstance(end, Anchor):
            plot.axvspan(end.window.low, end.window.high, color="C2", alpha=0.15, linewidth=0)
        else:
            plot.axvline(end.position, color="C2", linewidth=0.8)
    plot.set_xlabel(one.axis_label)
    plot.legend(frameon=False, fontsize=8)
