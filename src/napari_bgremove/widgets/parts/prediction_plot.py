"""Predicted against reference values, and the line on which they would be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPen

from napari_bgremove._validation import label_with_unit
from napari_bgremove.widgets.parts.profile_plot import COLOURS, ProfilePlot

__all__ = ["PredictionPlot"]

_ALPHA = 160


class PredictionPlot(ProfilePlot):
    """Points, and the line 1:1; it computes nothing."""

    def __init__(self, *, height: int = 220) -> None:
        super().__init__(x_label="reference", y_label="predicted", height=height)
        self.setMaximumHeight(height)
        from pyqtgraph import PlotDataItem, ScatterPlotItem

        self._line: Any = PlotDataItem()
        brush = QColor(COLOURS[0])
        brush.setAlpha(_ALPHA)
        self._points: Any = ScatterPlotItem(size=7, pen=None, brush=brush)
        for item in (self._line, self._points):
            self._plot.addItem(item)
        self._follow_theme()

    @property
    def points(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Reference and predicted values that are shown."""
        values, predictions = self._points.getData()
        return values, predictions

    def show_points(self, values: NDArray[Any], predictions: NDArray[Any], *, output: str, unit: str) -> None:
        """Show the predictions of one output."""
        self._points.setData(values, predictions)
        both = np.concatenate([values, predictions])
        ends = np.array([both.min(), both.max()]) if both.size else np.empty(0)
        self._line.setData(ends, ends)
        self.set_x_label(label_with_unit(f"{output}, reference", unit))
        self._plot.setLabel("left", label_with_unit("predicted", unit))
        self._plot.getPlotItem().enableAutoRange()

    def _wear(self, text: QColor, background: QColor) -> None:
        super()._wear(text, background)
        if hasattr(self, "_line"):
            pen = QPen(text, 1.0, Qt.PenStyle.DashLine)
            pen.setCosmetic(True)
            self._line.setPen(pen)
