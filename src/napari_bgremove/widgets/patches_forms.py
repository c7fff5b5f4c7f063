"""The forms of the patches panel."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QSlider, QWidget

from napari_bgremove.images.normalization import NORMALIZATIONS
from napari_bgremove.widgets.parts.fields import OptionalNumber, whole_number
from napari_bgremove.widgets.patches_work import PatchNumbers

__all__ = ["NumbersForm", "PairForm"]


class NumbersForm(QWidget):
    """How many patches, how large, how bright."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = whole_number(128, 8, 1024, suffix="px", step=8, tip="Side of a patch; the paper takes 128.")
        self.signal_count = whole_number(60, 1, 100_000, step=10, tip="Signal patches from each x-ray-only image.")
        self.background_count = whole_number(60, 1, 100_000, step=10, tip="Background patches from each full shot.")
        self.min_intensity = OptionalNumber(
            "Smallest intensity", 1000.0, tip="Integrated over a patch; by default a tenth of an average patch."
        )
        self.any_angle = QCheckBox("Turn signal patches by any angle")
        self.any_angle.setToolTip("Otherwise by multiples of 90 degrees, which keep the pixels as they are.")
        self.any_angle.setChecked(True)
        self.seed = whole_number(0, 0, 2**31 - 1, tip="The same seed cuts the same patches.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Side", self.patch)
        form.addRow("Signal", self.signal_count)
        form.addRow("Background", self.background_count)
        form.addRow(self.min_intensity)
        form.addRow(self.any_angle)
        form.addRow("Seed", self.seed)

    @property
    def numbers(self) -> PatchNumbers:
        """What the form says."""
        return PatchNumbers(
            self.patch.value(), self.signal_count.value(), self.background_count.value(), self.min_intensity.value,
            self.any_angle.isChecked(), self.seed.value(),
        )  # fmt: skip


class PairForm(QWidget):
    """How a signal and a background patch are mixed into a training input."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(-30, 30)  # tenths of a decade
        self.slider.setToolTip("The signal patch is multiplied by this before the background patch is added.")
        self._text = QLabel()
        self.choice = QComboBox()
        self.choice.addItems(NORMALIZATIONS)
        self.choice.setToolTip("Literal, as published: both labels are shifted and clipped, and do not add up.")
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self._text)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Amplitude", row)
        form.addRow("Normalisation", self.choice)
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.choice.currentTextChanged.connect(lambda _: self.changed.emit())
        self._on_slider_moved()

    @property
    def amplitude(self) -> float:
        """Factor on the signal patch."""
        return float(10 ** (self.slider.value() / 10))

    @property
    def normalization(self) -> str:
        """Name of the normalisation."""
        return self.choice.currentText()

    def _on_slider_moved(self) -> None:
        self._text.setText(f"x {self.amplitude:.3g}")
        self.changed.emit()
