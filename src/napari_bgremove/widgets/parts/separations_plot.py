"""A plot of one spectrum and what several methods made of it: measured, and a signal and a background of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QColor, QPen

from napari_bgremove.widgets.parts.curve_pens import background_pen, measured_pen
from napari_bgremove.widgets.parts.profile_plot import COLOURS, ProfilePlot
from napari_bgremove.widgets.parts.signal_marks import SignalMarks

__all__ = ["Parts", "SeparationsPlot"]

Array = NDArray[Any]
_PALE = 110
_SPARE = 60  # of a window that is high enough


class Parts(NamedTuple):
    """What a method made of a spectrum."""

    signal: Array
    background: Array


class SeparationsPlot(ProfilePlot):
    """Curves are broken where one spectrometer ends and the next begins. It computes nothing.

    Attributes
    ----------
    marks : SignalMarks
        Where a person has said that signal stands.
    """

    def __init__(self, *, height: int = 260) -> None:
        super().__init__(x_label="", y_label="", height=height)
        self.setMaximumHeight(height + _SPARE)
        self.marks = SignalMarks(self._plot, self)
        self._kinds = {"measured": True, "signal": True, "background": True}
        self._given: dict[str, tuple[str, Array, QPen | None]] = {}
        self._axis: Array = np.empty(0)
        self._breaks: list[int] = []
        # What is drawn are lines of thousands of channels: as many points as the screen has room for are enough.
        self._plot.getPlotItem().setDownsampling(auto=True, mode="peak")

    def set_axis(self, axis: Array, *, breaks: Sequence[int], x_label: str, y_label: str) -> None:
        """Begin with another axis; curves and marks of the one before go.

        Parameters
        ----------
        axis : ndarray, shape (n_channels,)
        breaks : sequence of int
            First channels of all blocks but the first.
        x_label, y_label : str
        """
        self._given = {}
        self._breaks = list(breaks)
        # A point that is drawn nowhere, behind the last one of each block.
        self._axis = np.insert(axis, self._breaks, axis[np.array(self._breaks, int) - 1])
        self.marks.set_bands(())
        self.marks.set_axis_range(float(axis.min()), float(axis.max()))
        self.set_x_label(x_label)
        self._plot.setLabel("left", y_label)
        self._draw()
        self._plot.getPlotItem().enableAutoRange()

    def show_spectrum(self, measured: Array, parts: Mapping[str, Parts]) -> None:
        """Show a spectrum of that axis and its parts by the name of their method."""
        self._given = {"measured": ("measured", measured, None)}
        for number, (name, part) in enumerate(parts.items()):
            colour = COLOURS[number % len(COLOURS)]
            self._given[f"{name}, signal"] = "signal", part.signal, measured_pen(colour)
            self._given[f"{name}, background"] = "background", part.background, background_pen(colour, 0)
        self._draw()

    def show_kind(self, kind: str, on: bool) -> None:
        """Show the curves of a kind, "measured", "signal" or "background", or do not."""
        self._kinds[kind] = on
        self._draw()

    def _draw(self) -> None:
        shown = {name: (values, pen) for name, (kind, values, pen) in self._given.items() if self._kinds[kind]}
        self.set_curves({
            name: (self._axis, np.insert(np.asarray(values, float), self._breaks, np.nan))
            for name, (values, _) in shown.items()
        })  # fmt: skip
        for name, (_, pen) in shown.items():
            self._curves[name].setPen(pen if pen is not None else self._measured_pen)

    def _wear(self, text: QColor, background: QColor) -> None:
        super()._wear(text, background)
        pale = QColor(text)
        pale.setAlpha(_PALE)
        self._measured_pen = measured_pen(pale.name(QColor.NameFormat.HexArgb))
        if "measured" in self._curves:
            self._curves["measured"].setPen(self._measured_pen)
