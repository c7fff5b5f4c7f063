"""The forms of the mask panel: they know no viewer and say what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGridLayout, QHBoxLayout, QPushButton, QWidget

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.mask_rules import MaskRules, find_hot_pixels
from napari_bgremove.images.masks import estimate_signal_mask
from napari_bgremove.widgets.parts.fields import OptionalNumber, make_button, whole_number, with_decimals

__all__ = ["EditForm", "ImprintForm", "MaskRequest", "ProposalForm", "RulesForm"]


@dataclass(frozen=True)
class MaskRequest:
    """What the panel wants to see: a proposal, rules, or both."""

    propose: bool
    threshold: float
    window: int
    grow: int
    minimum_size: int
    leave_out_hot_pixels: bool
    rules: MaskRules

    @property
    def is_empty(self) -> bool:
        """True when nothing is ticked."""
        return not self.propose and self.rules.is_empty

    @property
    def numbers(self) -> dict[str, float]:
        """What `estimate_signal_mask` is told."""
        return {
            "threshold": self.threshold, "window": self.window, "grow": self.grow, "minimum_size": self.minimum_size,
        }  # fmt: skip

    def compute(self, image: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Return the mask that is asked for."""
        mask = self.rules.find(image)
        if self.propose:
            hot = find_hot_pixels(image) if self.leave_out_hot_pixels else None
            gated = gate_image(image, valid_mask=None if hot is None else ~hot)
            mask |= estimate_signal_mask(gated.values, **self.numbers)  # type: ignore[arg-type]  # whole where it must be
        return mask


class ProposalForm(QWidget):
    """The automatic proposal: a threshold above the local background."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tick = QCheckBox("Show the proposal")
        self.tick.setToolTip("The yellow preview is not in the mask until you apply it.")
        self.threshold = with_decimals(
            4.0, 0.1, 1000, tip="Height above the local background, in units of the background's scatter."
        )
        self.window_size = whole_number(
            257, 16, 4096, suffix="px", step=16,
            tip="Side of the window of the local background. Wider than the signal regions, or they become their "
            "own background.",
        )  # fmt: skip
        self.grow = whole_number(
            8, -50, 200, suffix="px", tip="Grow the mask by this radius (signal fades slowly); below zero it shrinks."
        )
        self.minimum_size = whole_number(
            64, 1, 10**6, suffix="px", step=16, tip="Smaller regions, before growing, are dropped."
        )
        self.hot_pixels = QCheckBox("Leave out hot pixels")
        self.hot_pixels.setToolTip("A single hot pixel, smoothed and grown, would become a disc of the mask.")
        self.hot_pixels.setChecked(True)
        form = _form(self)
        form.addRow(self.tick)
        form.addRow("Threshold", self.threshold)
        form.addRow("Window", self.window_size)
        form.addRow("Grow / shrink", self.grow)
        form.addRow("Smallest region", self.minimum_size)
        form.addRow(self.hot_pixels)
        for tick in (self.tick, self.hot_pixels):
            tick.toggled.connect(lambda _: self.changed.emit())
        for box in (self.threshold, self.window_size, self.grow, self.minimum_size):
            box.valueChanged.connect(lambda _: self.changed.emit())

    def untick(self) -> None:
        """Propose nothing."""
        self.tick.setChecked(False)


class RulesForm(QWidget):
    """Rules, ticked one by one."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        unit = "In the unit of the image."
        self.above = OptionalNumber("At or above", 1000.0, tip=unit)
        self.below = OptionalNumber("At or below", 0.0, tip=unit)
        self.between = OptionalNumber("Between", 0.0, tip=unit)
        self.between_high = with_decimals(1.0, tip=unit)
        self.gaps = QCheckBox("Gaps and dead pixels")
        self.gaps.setToolTip(
            "NaN, Inf, 2^22-1, 2^32-1; in integer images whose only negatives are -1 and -2, those too."
        )
        self.saturated = OptionalNumber("Saturated from", 65535.0, tip=unit)
        self.hot = OptionalNumber("Hot pixels", 8.0, tip="Height above the neighbours, in units of their scatter.")
        form = _form(self)
        for row in (self.above, self.below, self.between):
            form.addRow(row)
        form.addRow("... and", self.between_high)
        form.addRow(self.gaps)
        for row in (self.saturated, self.hot):
            form.addRow(row)
        for part in (self.above, self.below, self.between, self.saturated, self.hot):
            part.changed.connect(self.changed)
        self.gaps.toggled.connect(lambda _: self.changed.emit())
        self.between_high.valueChanged.connect(lambda _: self.between.value is not None and self.changed.emit())

    @property
    def rules(self) -> MaskRules:
        """What is ticked."""
        low = self.between.value
        return MaskRules(
            above=self.above.value,
            below=self.below.value,
            between=None if low is None else (low, self.between_high.value()),
            gaps=self.gaps.isChecked(),
            saturation=self.saturated.value,
            hot_pixels=self.hot.value,
        )

    def untick(self) -> None:
        """Switch every rule off."""
        for part in (self.above, self.below, self.between, self.saturated, self.hot):
            part.tick.setChecked(False)
        self.gaps.setChecked(False)


class ImprintForm(QWidget):
    """Put drawn shapes, or another mask, into the mask."""

    shapes_requested = Signal()
    other_mask_requested = Signal()

    def __init__(self, shapes_choice: QWidget, other_choice: QWidget) -> None:
        super().__init__()
        form = _form(self)
        for title, choice, text, signal in (
            ("Shapes", shapes_choice, "Imprint", self.shapes_requested),
            ("Other mask", other_choice, "Combine", self.other_mask_requested),
        ):
            row = QHBoxLayout()
            row.addWidget(choice, 1)
            row.addWidget(make_button(text, signal.emit))
            form.addRow(title, row)


class EditForm(QWidget):
    """What is done to a whole mask."""

    invert_requested = Signal()
    clear_requested = Signal()
    grow_requested = Signal(int)
    load_requested = Signal()
    save_requested = Signal()
    patch_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.radius = whole_number(2, 1, 200, suffix="px", tip="Radius for growing and shrinking.")
        self.patch = whole_number(
            128, 8, 1024, suffix="px", step=8, tip="Side of the patches whose free positions are counted."
        )
        self.patch.valueChanged.connect(lambda _: self.patch_changed.emit())
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(make_button("Invert", self.invert_requested.emit), 0, 0)
        grid.addWidget(make_button("Clear", self.clear_requested.emit), 0, 1)
        for column, (text, sign) in enumerate((("Grow", 1), ("Shrink", -1))):
            button = QPushButton(text)
            button.clicked.connect(lambda _=False, sign=sign: self.grow_requested.emit(sign * self.radius.value()))
            grid.addWidget(button, 1, column)
        grid.addWidget(self.radius, 1, 2)
        grid.addWidget(make_button("Load...", self.load_requested.emit), 2, 0)
        grid.addWidget(make_button("Save...", self.save_requested.emit), 2, 1)
        grid.addWidget(self.patch, 2, 2)


def _form(parent: QWidget) -> QFormLayout:
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    return form
