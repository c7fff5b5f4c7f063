"""Numbers a person types, with a unit, a range and a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QSpinBox, QWidget
from superqt import QCollapsible

__all__ = ["OptionalNumber", "make_button", "make_section", "whole_number", "with_decimals"]

LARGEST = 1e9
Box = TypeVar("Box", QSpinBox, QDoubleSpinBox)


def whole_number(value: int, low: int, high: int, *, tip: str = "", suffix: str = "", step: int = 1) -> QSpinBox:
    """Make a spin box for a whole number."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    return _finished(box, tip, suffix)


def with_decimals(
    value: float, low: float = -LARGEST, high: float = LARGEST, *, tip: str = "", suffix: str = "", decimals: int = 2
) -> QDoubleSpinBox:
    """Make a spin box whose step follows the size of its value."""
    box = QDoubleSpinBox()
    box.setDecimals(decimals)
    box.setRange(low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setValue(value)
    return _finished(box, tip, suffix)


class OptionalNumber(QWidget):
    """A tick box and a number that counts only when ticked."""

    changed = Signal()

    def __init__(self, text: str, value: float, *, tip: str = "", suffix: str = "", decimals: int = 2) -> None:
        super().__init__()
        self.tick = QCheckBox(text)
        self.tick.setToolTip(tip)
        self.number = with_decimals(value, tip=tip, suffix=suffix, decimals=decimals)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.tick, 1)
        row.addWidget(self.number)
        self.tick.toggled.connect(lambda _: self.changed.emit())
        self.number.valueChanged.connect(lambda _: self.tick.isChecked() and self.changed.emit())

    @property
    def value(self) -> float | None:
        """The number, or None when not ticked."""
        return self.number.value() if self.tick.isChecked() else None


def make_button(text: str, slot: Callable[[], Any], *, tip: str = "") -> QPushButton:
    """Make a button that calls `slot()`."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda: slot())
    return button


def make_section(title: str, content: QWidget, *, is_open: bool = False) -> QCollapsible:
    """Put a widget below a title that folds it away."""
    section = QCollapsible(title)
    section.addWidget(content)
    if is_open:
        section.expand(animate=False)
    return section


def _finished(box: Box, tip: str, suffix: str) -> Box:
    box.setToolTip(tip)
    box.setSuffix(f" {suffix}" if suffix else "")
    box.setKeyboardTracking(False)  # a half-typed number is no number
    return box
