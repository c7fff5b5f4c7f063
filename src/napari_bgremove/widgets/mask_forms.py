"""The forms of the mask panel: they know no viewer and say what is asked for."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QHBoxLayout, QWidget

from napari_bgremove.images.mask_rules import MaskRules
from napari_bgremove.widgets.mask_work import MaskRequest
from napari_bgremove.widgets.parts.fields import OptionalNumber, make_button, whole_number, with_decimals

__all__ = ["EditForm", "ImprintForm", "MaskRequest", "ProposalForm", "RulesForm", "request_of"]

FILE_KINDS = "Masks (*.tif *.tiff *.npy *.edf *.h5);;All files (*)"


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
    load_requested = Signal(str)
    save_requested = Signal(str)
    patch_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.radius = whole_number(2, 1, 200, suffix="px", tip="By how much the mask grows or shrinks.")
        self.patch = whole_number(
            128, 8, 1024, suffix="px", step=8, tip="Side of the patches whose free positions are counted."
        )
        self.patch.valueChanged.connect(lambda _: self.patch_changed.emit())
        form = _form(self)
        form.addRow(
            _row(make_button("Invert", self.invert_requested.emit), make_button("Clear", self.clear_requested.emit))
        )
        form.addRow("Radius", _row(self.radius, self._grower("Grow", 1), self._grower("Shrink", -1)))
        form.addRow("Patch side", self.patch)
        form.addRow(_row(make_button("Load...", self._ask_and_load), make_button("Save...", self._ask_and_save)))

    def _ask_and_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a mask", filter=FILE_KINDS)
        if path:
            self.load_requested.emit(path)

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the mask", "signal-mask.tif", FILE_KINDS)
        if path:
            self.save_requested.emit(path)

    def _grower(self, text: str, sign: int) -> QWidget:
        return make_button(text, lambda: self.grow_requested.emit(sign * self.radius.value()))


def request_of(proposal: ProposalForm, rules: RulesForm) -> MaskRequest:
    """Return what is ticked in the two forms."""
    return MaskRequest(
        proposal.tick.isChecked(), proposal.threshold.value(), proposal.window_size.value(), proposal.grow.value(),
        proposal.minimum_size.value(), proposal.hot_pixels.isChecked(), rules.rules,
    )  # fmt: skip


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def _form(parent: QWidget) -> QFormLayout:
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    return form
