"""Colours that mean something, on the ground of the window they stand in."""

from __future__ import annotations

from qtpy.QtGui import QColor, QPalette

__all__ = ["warning_colour"]

# The amber of napari's themes; on a light ground a darker one, or nobody could read it.
_ON_DARK, _ON_LIGHT = "#e3b617", "#7a4f00"


def warning_colour(palette: QPalette) -> QColor:
    """Colour of a text that asks for attention."""
    is_dark = palette.color(QPalette.ColorRole.Window).lightness() < 128
    return QColor(_ON_DARK if is_dark else _ON_LIGHT)
