"""A plot of curves over one axis; curves are updated, never made anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QVBoxLayout, QWidget

__all__ = ["ProfilePlot"]

COLOURS = ("#1f77b4", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd")


class ProfilePlot(QWidget):
    """Curves with a legend; NaN is a gap."""

    def __init__(self, *, x_label: str, y_label: str, height: int = 180) -> None:
        super().__init__()
        import pyqtgraph

        self._plot: Any = pyqtgraph.PlotWidget()
        self._plot.setMinimumHeight(height)
        self._plot.setLabel("bottom", x_label)
        self._plot.setLabel("left", y_label)
        self._plot.addLegend(offset=(-5, 5))
        self._plot.setMenuEnabled(False)
        self._curves: dict[str, Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

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

    def use_logarithm(self, on: bool) -> None:
        """Show the values on a logarithmic axis, or a linear one."""
        self._plot.setLogMode(y=on)
