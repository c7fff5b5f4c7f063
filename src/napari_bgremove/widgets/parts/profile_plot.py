"""A plot of curves over one axis; curves are updated, never made anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QVBoxLayout, QWidget

__all__ = ["ProfilePlot"]

COLOURS = ("#1f77b4", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd")


class ProfilePlot(QWidget):
    """Curves with a legend, in the colours of the window it lies in; NaN is a gap."""

    def __init__(self, *, x_label: str, y_label: str, height: int = 180) -> None:
        super().__init__()
        import pyqtgraph

        self._plot: Any = pyqtgraph.PlotWidget()
        self._plot.setMinimumHeight(height)
        for side in ("bottom", "left", "top", "right"):  # axes that are not shown work out a prefix as well
            self._plot.getAxis(side).enableAutoSIPrefix(False)  # "loss (x0.001)" is no unit
        for side in ("bottom", "left"):
            axis = self._plot.getAxis(side)
            axis.setStyle(maxTickLevel=1)  # ticks every few pixels say nothing, and take as long as a curve
        self._plot.setLabel("bottom", x_label)
        self._plot.setLabel("left", y_label)
        self._legend = self._plot.addLegend(offset=(-5, 5))
        self._plot.setMenuEnabled(False)
        self._curves: dict[str, Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self._follow_theme()

    @property
    def curves(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """What is shown, by name."""
        return {name: curve.getData() for name, curve in self._curves.items()}

    def set_curves(self, curves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
        """Show these curves; those of other names go."""
        for name in [name for name in self._curves if name not in curves]:
            self._plot.removeItem(self._curves.pop(name))
        for number, (name, (x, y)) in enumerate(curves.items()):
            if name not in self._curves:
                pen = {"color": COLOURS[number % len(COLOURS)], "width": 1.5}
                self._curves[name] = self._plot.plot([], [], name=name, pen=pen, connect="finite")
            self._curves[name].setData(x, y)

    def set_x_label(self, text: str) -> None:
        """Name the axis."""
        self._plot.setLabel("bottom", text)

    def set_y_label(self, text: str) -> None:
        """Name the values."""
        self._plot.setLabel("left", text)

    def use_logarithm(self, on: bool) -> None:
        """Show the values on a logarithmic axis, or a linear one."""
        self._plot.setLogMode(y=on)

    def changeEvent(self, event: QEvent | None) -> None:
        """A theme of napari arrives as a style sheet of the window, and that as other colours of this widget."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._follow_theme()

    def _follow_theme(self) -> None:
        palette = self.palette()
        self._wear(palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window))

    def _wear(self, text: QColor, background: QColor) -> None:
        """Take on these colours; a picture for paper is not in those of the window."""
        self._plot.setBackground(background)
        self._legend.setLabelTextColor(text)
        for _, label in self._legend.items:  # a label that is there already takes a colour only with its text
            label.setText(label.text)
        for side in ("bottom", "left"):
            axis = self._plot.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
