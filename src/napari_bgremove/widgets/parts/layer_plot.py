"""A plot of the spectra of a layer: the power of its units over their energy, and what of it is background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor, QPainterPath, QPen

from napari_bgremove.spectra.layer_spectrum import LayerSpectrum
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot
from napari_bgremove.widgets.parts.ribbons import Band
from napari_bgremove.widgets.parts.spectrum_plot import ShownSpectrum, SpectrumPlot

__all__ = ["GatePlot", "LayerPlot", "ShownLayer"]

X_LABEL = "energy of a unit (in units of the rms)"
_RUG_SIZE, _POINT_SIZE = 12, 7
_AXIS_WIDTH = 46
_NOTHING, _NO_COLOUR = np.empty(0), "#000000"
_SPARE = 40  # of a window that is high enough
# Rugs of two models stand below each other, in parts of the height of the highest peak.
_RUG_STEP = 0.09


@dataclass(frozen=True, eq=False)
class ShownLayer:
    """One side of a layer of one model.

    Attributes
    ----------
    name : str
        Of the model, as the legend writes it.
    colour : str
    drawn : LayerSpectrum
    """

    name: str
    colour: str
    drawn: LayerSpectrum


class LayerPlot(SpectrumPlot):
    """J(E) with its background shaded, J - B, and a rug of the units; it computes nothing.

    A spectrum without a background has none drawn.
    """

    def __init__(self, *, height: int = 240) -> None:
        super().__init__(height=height)
        self.setMaximumHeight(height + _SPARE)
        self._bands: list[Any] = []
        self._rugs: list[Any] = []
        self._shows_rug = True

    def show_layers(self, layers: Sequence[ShownLayer]) -> None:
        """Show these; those before go. What marks them is updated, never made anew."""
        self.show_spectra([_as_spectrum(layer) for layer in layers], x_label=X_LABEL, y_label="power J")
        while len(self._bands) < len(layers):
            self._bands.append(_add_to(self._plot, Band(), on=self._kinds["background"]))
            self._rugs.append(_add_to(self._plot, _make_marks(), on=self._shows_rug))
        for band, rug in zip(self._bands[len(layers) :], self._rugs[len(layers) :], strict=True):
            band.show_between(_NOTHING, _NOTHING, _NOTHING, colour=_NO_COLOUR)
            rug.clear()
        highest = max((float(layer.drawn.spectrum.max()) for layer in layers), default=1.0) or 1.0
        for number, layer in enumerate(layers):
            drawn, depth = layer.drawn, -_RUG_STEP * highest * (number + 1)
            low = np.zeros_like(drawn.axis)
            self._bands[number].show_between(drawn.axis, low, drawn.background, colour=layer.colour)
            _mark(self._rugs[number], layer, np.full(len(drawn.x), depth), as_strokes=True)

    def show_background(self, on: bool) -> None:
        """Show the backgrounds with what is shaded below them, or do not."""
        super().show_background(on)
        for band in self._bands:
            band.setVisible(on)

    def show_rug(self, on: bool) -> None:
        """Show a stroke for each unit, or do not."""
        self._shows_rug = on
        for rug in self._rugs:
            rug.setVisible(on)

    @property
    def shaded(self) -> int:
        """How many backgrounds are shaded."""
        return sum(band.isVisible() and bool(band.polygons) for band in self._bands)

    @property
    def strokes(self) -> list[Any]:
        """Energies of the units in each rug that is shown."""
        return [rug.getData()[0] for rug in self._rugs if rug.isVisible() and len(rug.getData()[0])]

    def _draw(self) -> None:
        super()._draw()
        for name in self._curves:  # what stands below the curve of a model needs no name of its own
            if name not in {spectrum.name for spectrum in self._spectra}:
                self._legend.removeItem(name)


class GatePlot(ProfilePlot):
    """Share of background over the energy, and where the units stand on it."""

    def __init__(self, above: ProfilePlot, *, height: int = 90) -> None:
        super().__init__(x_label="", y_label="gate B / J", height=height)
        self.setMaximumHeight(height)
        # Followed by a slot of ours: it needs no undoing when both go with their window.
        self._plot.setMouseEnabled(x=False, y=False)
        above._plot.getViewBox().sigXRangeChanged.connect(self._on_range_changed)
        self._plot.setYRange(0, 1)
        self._plot.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        for plot in (self._plot, above._plot):
            plot.getAxis("left").setWidth(_AXIS_WIDTH)  # one energy stands below the same one
        self._legend.hide()
        self._units: list[Any] = []

    def _on_range_changed(self, _box: Any, ends: tuple[float, float]) -> None:
        self._plot.setXRange(*ends, padding=0)

    def show_layers(self, layers: Sequence[ShownLayer]) -> None:
        """Show these; those before go."""
        self.set_curves({layer.name: (layer.drawn.axis, layer.drawn.gate) for layer in layers})
        for layer in layers:
            self._curves[layer.name].setPen(QPen(QColor(layer.colour), 0))
        while len(self._units) < len(layers):
            self._units.append(_add_to(self._plot, _make_marks()))
        for units in self._units[len(layers) :]:
            units.clear()
        for units, layer in zip(self._units, layers, strict=False):
            _mark(units, layer, layer.drawn.measure_gate(layer.drawn.x), as_strokes=False)


def _as_spectrum(layer: ShownLayer) -> ShownSpectrum:
    drawn = layer.drawn
    if drawn.status != "ok":
        return ShownSpectrum(layer.name, layer.colour, drawn.axis, drawn.spectrum)
    backgrounds = {"background": drawn.background}
    return ShownSpectrum(
        layer.name, layer.colour, drawn.axis, drawn.spectrum, backgrounds=backgrounds, net=drawn.residual
    )


def _add_to(plot: Any, item: Any, *, on: bool = True) -> Any:
    plot.addItem(item)
    item.setVisible(on)
    return item


def _make_marks() -> Any:
    from pyqtgraph import ScatterPlotItem

    return ScatterPlotItem()


def _mark(marks: Any, layer: ShownLayer, heights: Any, *, as_strokes: bool) -> None:
    """Put a stroke or a point for each unit at its energy."""
    colour = QColor(layer.colour)
    if not as_strokes:
        marks.setData(layer.drawn.x, heights, symbol="o", size=_POINT_SIZE, pen=None, brush=colour)
        return
    stroke = QPainterPath(QPointF(0, -0.5))
    stroke.lineTo(0, 0.5)
    marks.setData(layer.drawn.x, heights, symbol=stroke, size=_RUG_SIZE, pen=QPen(colour, 0))
