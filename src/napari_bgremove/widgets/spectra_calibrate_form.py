"""Which cleaning predicts standards best that its calibration has not seen: a table, and a 1:1 plot of a row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QVBoxLayout, QWidget

from napari_bgremove.io.columns import write_columns
from napari_bgremove.spectra.cleaning import CLEANERS
from napari_bgremove.widgets.parts.calibration_table import CalibrationTable
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.prediction_plot import PredictionPlot
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.spectra_progress import SpectraProgress

__all__ = ["BUTTON", "NO_VALUES", "CalibrateForm"]

BUTTON = "Compare"
NO_VALUES = "A calibration needs reference values: choose their table above."


class CalibrateForm(QWidget):
    """Asks for a comparison and shows what came out.

    Attributes
    ----------
    compare_requested : Signal
    save_requested : Signal of str
        The table is wanted in this file.
    """

    compare_requested = Signal()
    save_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.ticks = {name: QCheckBox(cleaner.label) for name, cleaner in CLEANERS.items()}
        self.table, self.plot, self.progress = CalibrationTable(), PredictionPlot(), SpectraProgress()
        self.button = make_button(BUTTON, self.compare_requested.emit)
        self.save_button = make_button("Save table...", self._ask_and_save, tip="As CSV, with where it comes from.")
        self._points: Mapping[str, NDArray[Any]] = {}
        self._record: Mapping[str, Any] = {}
        text = QLabel("The raw spectra, every cleaning that was made above, and:")
        text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(text)
        layout.addLayout(make_row(*self.ticks.values()))
        layout.addLayout(make_row(self.button, self.save_button))
        layout.addWidget(self.progress)
        layout.addWidget(self.table)
        layout.addWidget(self.plot)
        self.table.row_chosen.connect(self._on_row_chosen)
        self.clear()
        self.allow(has_values=False)

    @property
    def ticked(self) -> list[str]:
        """Classical methods that are to be compared, too."""
        return [name for name, box in self.ticks.items() if box.isChecked()]

    def show_result(
        self, columns: Mapping[str, Any], points: Mapping[str, NDArray[Any]], record: Mapping[str, Any]
    ) -> None:
        """Show a table of `tabulate_calibrations`; of its row k "points k" are the reference and predicted values."""
        self._points, self._record = points, record
        for widget in (self.table, self.plot, self.save_button):
            widget.show()
        self.table.show_columns(columns)

    def clear(self) -> None:
        """Forget a result of another set."""
        self._points = {}
        self.progress.say("")
        self.table.show_columns({})
        for widget in (self.table, self.plot, self.save_button):
            widget.hide()

    def allow(self, *, has_values: bool, is_busy: bool = False, unless: str = "") -> None:
        """Let a person begin when there are reference values and nothing is going on, `unless` something forbids it."""
        self.button.setEnabled(has_values and not is_busy and not unless)
        self.button.setText("Comparing..." if is_busy else BUTTON)
        tip = "Leaves each standard out and predicts it from all others." if has_values else NO_VALUES
        self.button.setToolTip(unless or tip)
        self.progress.set_running(is_busy)

    def save(self, path: str | Path) -> None:
        """Write the table as CSV."""
        write_columns(path, self.table.columns, provenance=self._record)

    def _on_row_chosen(self, row: int) -> None:
        values, predictions = self._points[f"points {row}"]
        columns = self.table.columns
        self.plot.show_points(values, predictions, output=columns["output"][row], unit=columns["unit"][row])

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", "calibration.csv", "Tables (*.csv)")
        if path:
            self.save_requested.emit(path)
