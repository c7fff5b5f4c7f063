"""Two windows on a plot that a person drags: by an edge, or as a whole.

What a person can do: move one of the four edges, or carry a window, whose
width is then kept. What stops the drag: the end of the axis, the other edge
of the same window, and the neighbouring window, which it may touch but never
pushes nor passes. So the lower window stays the lower one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyqtgraph import LinearRegionItem
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QColor
from superqt.utils import QSignalThrottler

__all__ = ["AnchorWindow", "AnchorWindows", "Anchors"]

Interval = tuple[float, float]
Anchors = tuple[Interval, Interval]
#: A listener hears of a drag at most this often, however fast the mouse is.
PACE_MS = 16
_EDGE_WIDTH, _GRABBED_WIDTH = 1, 5  # the wider one is also how near a mouse has to come
_ALPHA, _GRABBED_ALPHA = 40, 80
_ABOVE_CURVES = 10


class AnchorWindow(LinearRegionItem):  # type: ignore[misc]
    """A closed interval that stays within limits, and keeps its width when it is carried."""

    def __init__(self) -> None:
        super().__init__(swapMode="block")
        self.limits: Interval = (-math.inf, math.inf)
        self.setZValue(_ABOVE_CURVES)
        for edge in self.lines:
            edge.setCursor(Qt.CursorShape.SizeHorCursor)

    def place(self, low: float, high: float) -> None:
        """Stand there, wherever the limits are; no signal."""
        self.setBounds((None, None))
        self._put(low, high)

    def set_limits(self, floor: float, ceiling: float) -> None:
        """Stop drags there; who stands beyond already may stay, but get no farther."""
        low, high = self.getRegion()
        self.limits = min(floor, low), max(ceiling, high)
        self.setBounds(self.limits)

    def mouseDragEvent(self, event: Any) -> None:
        """Carry the window: pyqtgraph itself would squeeze it against a limit."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        if event.isStart():
            self.startPositions = [edge.pos() for edge in self.lines]
            self.moving = True
        if not self.moving:  # a click of the other button took it back
            return
        low, high = (start.x() for start in self.startPositions)
        way = event.pos().x() - event.buttonDownPos().x()
        way = min(max(way, self.limits[0] - low), self.limits[1] - high)
        self._put(low + way, high + way)
        self.moving = not event.isFinish()
        (self.sigRegionChanged if self.moving else self.sigRegionChangeFinished).emit(self)

    def _put(self, low: float, high: float) -> None:
        self.blockLineSignal = True
        for edge, position in zip(self.lines, (low, high), strict=True):
            edge.setPos(position)
        self.blockLineSignal = False
        self.prepareGeometryChange()

    def wear(self, colour: QColor) -> None:
        """Take on a colour."""
        self.setBrush(_thinned(colour, _ALPHA))
        self.setHoverBrush(_thinned(colour, _GRABBED_ALPHA))
        for edge in self.lines:
            edge.setPen(colour, width=_EDGE_WIDTH)
            edge.setHoverPen(colour, width=_GRABBED_WIDTH)


class AnchorWindows(QObject):
    """The two windows of a plot, the lower first."""

    dragged = Signal(object)
    released = Signal(object)

    def __init__(self, plot: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._axis_range: Interval = (-math.inf, math.inf)
        self._throttler = QSignalThrottler(parent=self)
        self._throttler.setTimeout(PACE_MS)
        self._throttler.triggered.connect(self._tell_dragged)
        self._windows = (AnchorWindow(), AnchorWindow())
        for window in self._windows:
            window.hide()
            window.sigRegionChanged.connect(self._on_changed)
            window.sigRegionChangeFinished.connect(self._on_finished)
            plot.addItem(window, ignoreBounds=True)

    @property
    def anchors(self) -> Anchors | None:
        """Where they stand; None while there are none."""
        lower, upper = (self._interval(window) for window in self._windows)
        return (lower, upper) if self._windows[0].isVisible() else None

    def set_anchors(self, anchors: Anchors | None) -> None:
        """Show the windows there, or none; no signal."""
        placed = None if anchors is None else _check_anchors(anchors)
        self._throttler.cancel()
        for number, window in enumerate(self._windows):
            if placed is not None:
                window.place(*placed[number])
            window.setVisible(placed is not None)
        self._limit()

    def set_axis_range(self, low: float, high: float) -> None:
        """Let no drag leave this range."""
        self._axis_range = low, high
        self._limit()

    def wear(self, text: QColor, _background: QColor) -> None:
        """Take on the colours of a plot."""
        for window in self._windows:
            window.wear(text)

    def _limit(self) -> None:
        lower, upper = self._windows
        floor, ceiling = self._axis_range
        lower.set_limits(floor, upper.getRegion()[0])
        upper.set_limits(lower.getRegion()[1], ceiling)

    def _on_changed(self, _window: AnchorWindow) -> None:
        self._limit()
        self._throttler.throttle()

    def _on_finished(self, _window: AnchorWindow) -> None:
        self._throttler.cancel()
        self._limit()
        self.released.emit(self.anchors)

    def _tell_dragged(self) -> None:
        self.dragged.emit(self.anchors)

    @staticmethod
    def _interval(window: AnchorWindow) -> Interval:
        low, high = window.getRegion()
        return float(low), float(high)


def _check_anchors(anchors: Anchors) -> Anchors:
    """Put edges and windows in ascending order."""
    values = np.asarray(anchors, np.float64)
    if values.shape != (2, 2) or not np.isfinite(values).all():
        msg = f"'anchors' must be two windows (low, high) of finite positions; found {anchors}."
        raise ValueError(msg)
    lower, upper = sorted(tuple(sorted(window)) for window in values.tolist())
    return lower, upper


def _thinned(colour: QColor, alpha: int) -> QColor:
    thinned = QColor(colour)
    thinned.setAlpha(alpha)
    return thinned
