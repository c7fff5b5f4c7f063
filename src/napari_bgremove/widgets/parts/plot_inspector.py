"""A line that follows the mouse over a plot, and says what the curves are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QObject, QPointF
from qtpy.QtGui import QBrush, QColor

from napari_bgremove.widgets.parts.number_text import number_text
from napari_bgremove.widgets.parts.shown_spectrum import ShownSpectrum

__all__ = ["PlotInspector", "describe_position"]

_ABOVE_WINDOWS = 20
# Where the text hangs on the line: to its right while that is in the left half of the plot, and the other way round.
_SIDES = [(0, 0), (1, 0)]


class PlotInspector(QObject):
    """It stands on a sample: values between samples would be made up."""

    def __init__(self, plot: Any, parent: QObject) -> None:
        super().__init__(parent)
        from pyqtgraph import InfiniteLine

        self._box = plot.getViewBox()
        self._is_on = False
        self._spectra: Sequence[ShownSpectrum] = ()
        self._x_label = ""
        self._mouse: float | None = None
        self._line: Any = InfiniteLine(angle=90, label="", labelOpts={"position": 0.98, "anchors": _SIDES})
        self._line.setZValue(_ABOVE_WINDOWS)
        self._line.hide()
        plot.addItem(self._line, ignoreBounds=True)
        plot.scene().sigMouseMoved.connect(self._on_mouse_moved)

    @property
    def text(self) -> str:
        """What it says; empty while it is not shown."""
        return str(self._line.label.toPlainText()) if self._line.isVisible() else ""

    def switch(self, on: bool) -> None:
        """Follow the mouse, or do not."""
        self._is_on = on
        self._refresh()

    def show_spectra(self, spectra: Sequence[ShownSpectrum], x_label: str) -> None:
        """Speak of these spectra from now on."""
        self._spectra, self._x_label = spectra, x_label
        self._refresh()

    def leave(self) -> None:
        """Hide until the mouse is back."""
        self._mouse = None
        self._refresh()

    def mirror(self, on: bool) -> None:
        """Hang the text on the other side, on an axis that rises to the left."""
        self._line.label.anchors = _SIDES[::-1] if on else _SIDES
        self._line.label.updatePosition()

    def wear(self, text: QColor, background: QColor) -> None:
        """Take on the colours of a plot."""
        self._line.setPen(text)
        self._line.label.setColor(text)
        self._line.label.fill = QBrush(background)

    def _on_mouse_moved(self, place: QPointF) -> None:
        inside = self._box.sceneBoundingRect().contains(place)
        self._mouse = self._box.mapSceneToView(place).x() if inside else None
        if self._is_on:
            self._refresh()

    def _refresh(self) -> None:
        found = None
        if self._is_on and self._mouse is not None:
            found = describe_position(self._spectra, self._mouse, x_label=self._x_label)
        self._line.setVisible(found is not None)
        if found is not None:
            self._line.setPos(found[0])
            self._say(found[1])

    def _say(self, text: str) -> None:
        """Wrap the text so that it fits beside the line, which has at least half of the plot there."""
        label = self._line.label
        label.setText(text)
        label.setTextWidth(-1)
        label.setTextWidth(min(label.textItem.document().idealWidth(), self._box.width() / 2))


def describe_position(spectra: Sequence[ShownSpectrum], position: float, *, x_label: str) -> tuple[float, str] | None:
    """Say what the spectra are at the sample nearest to a position.

    Parameters
    ----------
    spectra : sequence of ShownSpectrum
        Those whose axis does not reach the position are left out. The first
        of the others lends its nearest sample, each says its own nearest one
        to that.
    position : float
        On the axis.
    x_label : str
        Name of the axis.

    Returns
    -------
    tuple of float and str, or None
        The position of the sample, and one line of text per spectrum; None
        where there is none.
    """
    there = [spectrum for spectrum in spectra if spectrum.covers(position)]
    if not there:
        return None
    at = float(there[0].axis[there[0].nearest(position)])
    lines = [f"{x_label} {number_text(at)}".strip(), *(each.describe(each.nearest(at)) for each in there)]
    return at, "\n".join(lines)
