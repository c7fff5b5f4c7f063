"""A paragraph that explains, with links that open."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel

__all__ = ["make_help"]


def make_help(text: str) -> QLabel:
    """Make a label of rich text that wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setOpenExternalLinks(True)
    return label
