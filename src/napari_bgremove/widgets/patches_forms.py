"""The forms of the patches panel."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSlider, QWidget

from napari_bgremove.images.normalization import NORMALIZATIONS
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.widgets.parts.fields import OptionalNumber, whole_number, with_decimals
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.patches_work import PatchNumbers

__all__ = ["NumbersForm", "PairForm"]

STEPS = 10  # of the slider, in a decade
LARGEST_DECADES = 6
RANGE_TIP = (
    "Powers of ten the signal patch is multiplied by, -1 to 1 is x 0.1 to x 10. The training draws from its own."
)


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
        self.lowest, self.highest = (
            with_decimals(decades, -LARGEST_DECADES, LARGEST_DECADES, decimals=1, tip=RANGE_TIP)
            for decades in SaxsUnetRecipe.amplitude_decades
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("The signal patch is multiplied by this before the background patch is added.")
        self._text = QLabel()
        self.choice = QComboBox()
        self.choice.addItems(NORMALIZATIONS)
        self.choice.setToolTip("Literal, as published: both labels are shifted and clipped, and do not add up.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Decades from", make_row(self.lowest, QLabel("to"), self.highest))
        form.addRow("Amplitude", make_row(self.slider, self._text))
        form.addRow("Normalisation", self.choice)
        self._on_range_changed()
        self._on_slider_moved()
        for box in (self.lowest, self.highest):
            box.setStepType(QDoubleSpinBox.StepType.DefaultStepType)
            box.setSingleStep(1 / STEPS)
            box.valueChanged.connect(lambda _: self._on_range_changed())
        self.slider.valueChanged.connect(lambda _: self._on_slider_moved())
        self.choice.currentTextChanged.connect(lambda _: self.changed.emit())

    @property
    def amplitude(self) -> float:
        """Factor on the signal patch."""
        return float(10 ** (self.slider.value() / STEPS))

    @property
    def amplitude_decades(self) -> tuple[float, float]:
        """The range of the amplitudes, as powers of ten."""
        return self.lowest.value(), self.highest.value()

    @property
    def normalization(self) -> str:
        """Name of the normalisation."""
        return self.choice.currentText()

    def _on_range_changed(self) -> None:
        """Let neither end pass the other, and the slider run from one to the other."""
        self.lowest.setMaximum(self.highest.value())
        self.highest.setMinimum(self.lowest.value())
        self.slider.setRange(*(round(STEPS * decades) for decades in self.amplitude_decades))

    def _on_slider_moved(self) -> None:
        self._text.setText(f"x {self.amplitude:.3g}")
        self.changed.emit()
