"""Figures of the hidden layers of networks as spectra, saved without a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_bgremove.spectra.layer_spectrum import LayerSpectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_layer_spectra"]

_COLUMNS = 2


def draw_layer_spectra(models: Mapping[str, Mapping[str, LayerSpectrum]]) -> Figure:
    """Draw layers as spectra, two in a row, a plot for each; of several models one over the other.

    J(E) is a line, what of it is background is shaded: all of it below the
    window, Shirley's B within. A tick stands at the energy of each unit. Of a
    single model the residual J - B and, on an axis of its own, the gate are
    drawn as well. Where no background exists, that is said in its place.

    Parameters
    ----------
    models : mapping of str to mapping of str to LayerSpectrum
        By the name of the model and of the layer; a layer that only some of
        the models have is drawn of those.

    Raises
    ------
    ValueError
        When there is nothing to draw.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for layers in models.values() for name in layers))
    if not names:
        msg = "'models' must have a layer to draw; found none."
        raise ValueError(msg)
    rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(9, 2.3 * rows + 0.5), layout="constrained")
    plots = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for plot, name in zip(plots, names, strict=False):
        drawn = {model: layers[name] for model, layers in models.items() if name in layers}
        for place, (model, spectrum) in enumerate(models.items()):
            if model in drawn:
                _draw_spectrum(plot, spectrum[name], model, f"C{place}", place, alone=len(models) == 1)
        plot.set_title(name, fontsize=9)
        plot.set(xlim=(0, max(one.axis[-1] for one in drawn.values())), ylabel="power J(E)")
        plot.set_xlabel("energy of a unit / rms", fontsize=8)
    for plot in plots[len(names) :]:
        plot.set_axis_off()
    labelled = {
        label: handle for plot in plots for handle, label in zip(*plot.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        labelled.values(), labelled.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8
    )  # fmt: skip
    return figure


def _draw_spectrum(plot: Axes, spectrum: LayerSpectrum, model: str, colour: str, place: int, *, alone: bool) -> None:
    axis = spectrum.axis
    plot.plot(axis, spectrum.spectrum, color=colour, linewidth=1.2, label=f"{model}: J")
    plot.margins(y=0.15)
    at = np.full(spectrum.x.shape, 0.04 + 0.05 * place)  # below the curves, whatever their height
    plot.plot(spectrum.x, at, "|", color=colour, transform=plot.get_xaxis_transform(), alpha=0.6)
    note = f"SNR {spectrum.snr:.3g}" if spectrum.status == "ok" else _say(spectrum)
    plot.text(0.98, 0.94 - 0.12 * place, note, transform=plot.transAxes, ha="right", va="top", fontsize=7, color=colour)
    if spectrum.status != "ok":
        return
    shaded = np.where(axis < spectrum.window[0], spectrum.spectrum, np.minimum(spectrum.background, spectrum.spectrum))
    plot.fill_between(axis, 0, shaded, color=colour, alpha=0.25, linewidth=0, label=f"{model}: background")
    if alone:
        plot.plot(axis, spectrum.residual, color="C3", linewidth=0.9, linestyle="--", label="J - B")
        gate = plot.twinx()
        gate.plot(axis, spectrum.gate, color="0.5", linewidth=0.8, linestyle=":")
        gate.set(ylim=(0, 1.05), ylabel="gate")
        plot.plot([], [], color="0.5", linewidth=0.8, linestyle=":", label="gate")


def _say(spectrum: LayerSpectrum) -> str:
    return {"no_peak": "no Shirley background exists", "no_energy": "no energy"}[spectrum.status]
