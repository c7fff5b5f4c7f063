"""How a measured curve, its backgrounds and its net are drawn: one colour, told apart by the stroke.

Pens are in pixels of the screen, whatever the scale of the axes.
"""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap

__all__ = ["background_pen", "denoised_pen", "measured_pen", "net_pen", "pen_mark"]

_STROKES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
)
_MARK = QSize(24, 12)
_NET_ALPHA = 150
_FAINT_ALPHA = 90  # of what was measured, below what was made of it


def measured_pen(colour: str, *, is_faint: bool = False) -> QPen:
    """Draw what was measured: a thin line, since there are many samples; faint below a denoised one."""
    drawn = QColor(colour)
    drawn.setAlpha(_FAINT_ALPHA if is_faint else drawn.alpha())
    return _pen(drawn, 1.0, _STROKES[0])


def denoised_pen(colour: str, number: int) -> QPen:
    """Draw what is left without the noise; the second of two is dashed."""
    return _pen(QColor(colour), 1.5, _STROKES[number % len(_STROKES)])


def background_pen(colour: str, number: int) -> QPen:
    """Draw the background of this number, counted from 0 within its spectrum: the first is solid."""
    return _pen(QColor(colour), 2.0, _STROKES[number % len(_STROKES)])


def net_pen(colour: str) -> QPen:
    """Draw what is left when the background is taken away."""
    paler = QColor(colour)
    paler.setAlpha(_NET_ALPHA)
    return _pen(paler, 1.0, _STROKES[0])


def pen_mark(pen: QPen) -> QPixmap:
    """Draw a short piece of a curve, to stand beside its name."""
    mark = QPixmap(_MARK)
    mark.fill(Qt.GlobalColor.transparent)
    painter = QPainter(mark)
    painter.setPen(pen)
    middle = _MARK.height() // 2
    painter.drawLine(0, middle, _MARK.width(), middle)
    painter.end()
    return mark


def _pen(colour: QColor, width: float, stroke: Qt.PenStyle) -> QPen:
    pen = QPen(colour, width, stroke)
    pen.setCosmetic(True)
    return pen
