"""The forms of the spectrum panel: how a line is read, what its length means, which backgrounds are drawn."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QGridLayout, QLabel, QLineEdit, QWidget

from napari_bgremove.images.axis_calibration import USUAL_UNITS
from napari_bgremove.images.line_profiles import REDUCTIONS
from napari_bgremove.images.sampling import ORDERS
from napari_bgremove.spectra.backgrounds import METHODS
from napari_bgremove.widgets.parts.fields import whole_number, with_decimals
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.profile_work import AxisChoice, BandChoice

__all__ = ["AxisForm", "BandForm", "MethodsForm"]

SOURCES = {
    "length": "length along the line",
    "columns": "scale of the image along its columns",
    "rows": "scale of the image along its rows",
    "points": "two known points",
}
NOISES = {
    "none": "none",
    "band": "scatter across the band",
    "poisson": "counting statistics",
    "scatter": "scatter in the anchors",
}
SIDES = ("first side", "second side")


class BandForm(QWidget):
    """How wide the band across a line is, and what becomes of it."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.width_px = whole_number(
            5, 1, 1000, suffix="px", tip="Lines of samples beside each other, one pixel apart."
        )
        self.reduce = _choice({name: name for name in REDUCTIONS}, "What becomes of the samples across the band.")
        self.order = _choice({str(n): str(n) for n in ORDERS}, "0: nearest pixel, 1: bilinear, 2 to 5: splines.")
        self.order.setCurrentIndex(1)
        self.side = _choice(dict(zip("01", SIDES, strict=True)), "Of a rectangle: the side the spectrum runs along.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Band", make_row(self.width_px, self.reduce))
        form.addRow("Order", make_row(self.order, QLabel("rectangle"), self.side))
        self.width_px.valueChanged.connect(lambda _: self.changed.emit())
        for box in (self.reduce, self.order, self.side):
            box.currentIndexChanged.connect(lambda _: self.changed.emit())

    @property
    def choice(self) -> BandChoice:
        """What the form says."""
        order, side = int(self.order.currentData()), int(self.side.currentData())
        return BandChoice(float(self.width_px.value()), str(self.reduce.currentData()), order, side)


class AxisForm(QWidget):
    """What the length along a line stands for."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.source = _choice(SOURCES, "Where the numbers on the axis come from.")
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.addItems(list(USUAL_UNITS))
        self.name.setCurrentText("pixel")
        self.unit = QLineEdit()
        self.unit.setPlaceholderText("usual")
        self.unit.setMaximumWidth(60)
        self.points = [(_number("At this length."), _number("Is this value.")) for _ in range(2)]
        self.points[1][0].setValue(100.0)
        self.points[1][1].setValue(100.0)
        self._known = QWidget()
        grid = QGridLayout(self._known)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, (position, value) in enumerate(self.points):
            for column, widget in enumerate((QLabel("length"), position, QLabel("is"), value)):
                grid.addWidget(widget, row, column)
        self._known.setVisible(False)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Axis", self.source)
        form.addRow("Named", make_row(self.name, QLabel("in"), self.unit))
        form.addRow(self._known)
        self.source.currentIndexChanged.connect(self._on_source_changed)
        self.name.currentTextChanged.connect(lambda _: self.changed.emit())
        self.unit.editingFinished.connect(self.changed.emit)
        for box in (box for pair in self.points for box in pair):
            box.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def choice(self) -> AxisChoice:
        """What the form says."""
        first, second = ((position.value(), value.value()) for position, value in self.points)
        name = self.name.currentText().strip() or "pixel"
        return AxisChoice(str(self.source.currentData()), name, self.unit.text().strip(), (first, second))

    def _on_source_changed(self, _index: int) -> None:
        self._known.setVisible(self.source.currentData() == "points")
        self.changed.emit()


class MethodsForm(QWidget):
    """Which backgrounds are drawn, and where the standard errors come from."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.ticks = {name: QCheckBox(method.label) for name, method in METHODS.items()}
        self.noise = _choice(NOISES, "Standard error of each sample, from which that of the area follows.")
        self.noise.setCurrentIndex(list(NOISES).index("scatter"))
        grid = QGridLayout()
        for number, (name, tick) in enumerate(self.ticks.items()):
            tick.setToolTip(METHODS[name].summary)
            tick.toggled.connect(lambda _: self.changed.emit())
            grid.addWidget(tick, number // 3, number % 3)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(grid)
        form.addRow("Errors", self.noise)
        self.noise.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.ticks["direct"].setChecked(True)

    @property
    def methods(self) -> list[str]:
        """Those that are ticked."""
        return [name for name, tick in self.ticks.items() if tick.isChecked()]


def _choice(texts: dict[str, str], tip: str) -> QComboBox:
    box = QComboBox()
    for key, text in texts.items():
        box.addItem(text, key)
    box.setToolTip(tip)
    return box


def _number(tip: str) -> QDoubleSpinBox:
    return with_decimals(0.0, decimals=4, tip=tip)
