"""Windows on a plot that say: what stands here is signal. Added, dragged, taken away; they may overlap."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QColor

from napari_bgremove.widgets.parts.anchor_windows import AnchorWindow

__all__ = ["Bands", "SignalMarks"]

Bands = tuple[tuple[float, float], ...]
# Of what is in view.
_NEW_SHARE = 0.04
_COLOUR, _CURRENT_COLOUR = QColor("#8a8a8a"), QColor("#e0a000")


class _Mark(AnchorWindow):
    """A window that can be clicked."""

    clicked = Signal(object)

    def mouseClickEvent(self, event: Any) -> None:
        """Come to hand by a click."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.clicked.emit(self)


class SignalMarks(QObject):
    """The marks of a plot; one of them is at hand, and is the one that is removed.

    Attributes
    ----------
    changed : Signal
        When a mark came, went, or a drag ended.
    """

    changed = Signal()

    def __init__(self, plot: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._plot = plot
        self._axis_range = (-math.inf, math.inf)
        self._marks: list[_Mark] = []
        self._current: _Mark | None = None

    @property
    def bands(self) -> Bands:
        """The marked intervals, ascending."""
        regions = (mark.getRegion() for mark in self._marks)
        return tuple(sorted((float(low), float(high)) for low, high in regions))

    @property
    def current(self) -> tuple[float, float] | None:
        """The one at hand."""
        if self._current is None:
            return None
        low, high = self._current.getRegion()
        return float(low), float(high)

    def set_bands(self, bands: Bands) -> None:
        """Show these marks and no others; no signal."""
        for mark in self._marks:
            self._plot.removeItem(mark)
        self._marks = []
        self._current = None
        for low, high in bands:
            self._take(self._put(low, high))

    def add(self) -> None:
        """Add a mark in the middle of what is in view, at hand."""
        left, right = sorted(self._plot.getViewBox().viewRange()[0])
        low, high = max(left, self._axis_range[0]), min(right, self._axis_range[1])
        if not low < high:  # the view lies beside the axis
            low, high = self._axis_range
        middle, half = (low + high) / 2, _NEW_SHARE * (high - low) / 2
        self._take(self._put(middle - half, middle + half))
        self.changed.emit()

    def remove(self) -> None:
        """Take the mark at hand away; the newest of the others is then at hand."""
        if self._current is not None:
            self._marks.remove(self._current)
            self._plot.removeItem(self._current)
            self._take(self._marks[-1] if self._marks else None)
            self.changed.emit()

    def set_axis_range(self, low: float, high: float) -> None:
        """Let no drag leave this range."""
        self._axis_range = low, high
        for mark in self._marks:
            mark.set_limits(low, high)

    def _put(self, low: float, high: float) -> _Mark:
        mark = _Mark()
        mark.place(low, high)
        mark.set_limits(*self._axis_range)
        mark.wear(_COLOUR)
        mark.sigRegionChanged.connect(self._take)
        mark.sigRegionChangeFinished.connect(self._on_released)
        mark.clicked.connect(self._take)
        self._plot.addItem(mark, ignoreBounds=True)
        self._marks.append(mark)
        return mark

    def _take(self, mark: _Mark | None) -> None:
        if mark is not self._current:
            self._current = mark
            for each in self._marks:
                each.wear(_CURRENT_COLOUR if each is mark else _COLOUR)

    def _on_released(self, _mark: _Mark) -> None:
        self.changed.emit()
