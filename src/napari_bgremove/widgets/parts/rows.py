"""Widgets side by side."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QWidget

__all__ = ["make_row"]


def make_row(*widgets: QWidget) -> QHBoxLayout:
    """Put widgets side by side; the first takes the room there is."""
    row = QHBoxLayout()
    for number, widget in enumerate(widgets):
        row.addWidget(widget, 1 if number == 0 else 0)
    return row
