"""The spectra of a set on a plot, target by target: as measured, and as each method takes them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_bgremove._validation import label_with_unit
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.parts.separations_plot import Parts, SeparationsPlot
from napari_bgremove.widgets.parts.signal_marks import Bands
from napari_bgremove.widgets.spectra_loading import LoadedSet

__all__ = ["SpectraView"]

_SWITCHES = {
    "measured": ("Measured", "What was recorded."),
    "signal": ("Signal", "What each method leaves."),
    "background": ("Background", "What each method takes away."),
}
_LONG_ROW = "location 1, shot 10"
_MARK_TIP = "A window to drag: what stands in it is signal for every method, also lines that all targets have."


class SpectraView(QWidget):
    """Shows one spectrum, or the mean of a target; and lets a person mark signal.

    Attributes
    ----------
    marked : Signal
        The marks are others now.
    """

    marked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.target, self.row, self._row_text = QComboBox(), QSlider(Qt.Orientation.Horizontal), QLabel("-")
        self.target.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.target.setMinimumContentsLength(12)
        self.row.setToolTip("At the left end the mean of the target, then its spectra one by one.")
        self.plot = SeparationsPlot()
        self._row_text.setMinimumWidth(self._row_text.fontMetrics().horizontalAdvance(_LONG_ROW))
        self.marks_text = QLabel()
        self.marks_text.setWordWrap(True)
        self._loaded: LoadedSet | None = None
        self._parts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = {}
        self._lay_out()
        self.target.currentIndexChanged.connect(self._on_target_chosen)
        self.row.valueChanged.connect(self._draw)
        self.plot.marks.changed.connect(self._on_marked)
        self._say_marks()

    @property
    def bands(self) -> Bands:
        """What is marked as signal."""
        return self.plot.marks.bands

    def show_set(self, loaded: LoadedSet) -> Bands:
        """Show another set; marks stay as far as they lie on its axis, the others are taken away and returned."""
        spectra = loaded.spectra
        low, high = float(spectra.axis.min()), float(spectra.axis.max())
        kept = tuple(band for band in self.bands if low <= band[0] and band[1] <= high)
        lost = tuple(band for band in self.bands if band not in kept)
        self._loaded, self._parts = loaded, {}
        self.plot.set_axis(
            spectra.axis, breaks=loaded.breaks, x_label=_axis_label(spectra.axis_unit), y_label=spectra.value_unit
        )
        self.plot.marks.set_bands(kept)
        self._say_marks()
        chosen = self.target.currentText()
        self.target.blockSignals(True)
        self.target.clear()
        self.target.addItems(list(loaded.rows))
        self.target.setCurrentIndex(max(self.target.findText(chosen), 0))
        self.target.blockSignals(False)
        self._on_target_chosen()
        return lost

    def show_parts(self, parts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> None:
        """Show signal and background of these methods, each in the shape of the set."""
        self._parts = parts
        self._draw()

    def mark_bands(self, bands: Bands) -> None:
        """Mark these bands and no others."""
        self.plot.marks.set_bands(bands)
        self._on_marked()

    def mark(self) -> None:
        """Add a mark in the middle of what is in view."""
        if self._loaded is not None:
            self.plot.marks.add()

    def _on_target_chosen(self, _index: int = 0) -> None:
        self.row.blockSignals(True)
        self.row.setMaximum(len(self._rows) if len(self._rows) > 1 else 0)
        self.row.setValue(0)
        self.row.setEnabled(len(self._rows) > 1)
        self.row.blockSignals(False)
        self._draw()

    @property
    def _rows(self) -> NDArray[np.intp]:
        return self._loaded.rows[self.target.currentText()] if self._loaded is not None else np.empty(0, np.intp)

    def _draw(self, _value: int = 0) -> None:
        if self._loaded is None:
            return
        rows, number = self._rows, self.row.value()
        spectra = self._loaded.spectra
        if number == 0:
            taken: Any = rows
            self._row_text.setText(f"mean of {len(rows)}" if len(rows) > 1 else "1 spectrum")
        else:
            taken = rows[number - 1 : number]
            row = int(taken[0])
            self._row_text.setText(f"location {spectra.locations[row]}, shot {spectra.shots[row]}")
        parts = {
            name: Parts(*(_mean(part, taken) for part in both))
            for name, both in self._parts.items()
        }  # fmt: skip
        self.plot.show_spectrum(_mean(spectra.spectra, taken), parts)

    def _on_marked(self) -> None:
        self._say_marks()
        self.marked.emit()

    def _say_marks(self) -> None:
        unit = self._loaded.spectra.axis_unit if self._loaded is not None else ""
        said = ", ".join(f"{low:.5g} to {high:.5g}" for low, high in self.bands)
        self.marks_text.setText(f"Marked as signal: {said} {unit}" if said else "Nothing is marked as signal.")
        self.remove_button.setEnabled(self.plot.marks.current is not None)

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.addWidget(self.target, 2)
        where.addWidget(self.row, 2)
        where.addWidget(self._row_text)
        switches = QHBoxLayout()
        for kind, (text, tip) in _SWITCHES.items():
            box = QCheckBox(text)
            box.setToolTip(tip)
            box.setChecked(True)
            box.toggled.connect(lambda on, kind=kind: self.plot.show_kind(kind, on))
            switches.addWidget(box)
        switches.addStretch(1)
        self.remove_button = make_button(
            "Remove mark", self.plot.marks.remove, tip="The one in another colour: click a mark to choose it."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(where)
        layout.addWidget(self.plot)
        layout.addLayout(switches)
        layout.addLayout(
            make_row(self.marks_text, make_button("Mark signal", self.mark, tip=_MARK_TIP), self.remove_button)
        )


def _mean(values: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(values[rows], axis=0, dtype=float)
    return mean


def _axis_label(unit: str) -> str:
    return label_with_unit("wavelength" if unit == "nm" else "axis", unit)
