"""A table of calibrations: how well each representation of the spectra predicts each output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_bgremove._validation import label_with_unit

__all__ = ["CalibrationTable"]

_HEADS = {
    "output": ("Output", "What is predicted."),
    "representation": ("Spectra", "As measured, or what a cleaning left of them."),
    "rmse_nested": ("RMSE", "Of standards left out; settings chosen within the others. The lowest is bold."),
    "rmse_best": ("Best", "With the settings that are best in hindsight: optimistic."),
    "ratio": ("Times raw (95 %)", "RMSE over that of the raw spectra; below 1 throughout, the gain is no chance."),
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CalibrationTable(QTableWidget):
    """Rows as `tabulate_calibrations` gives them.

    Attributes
    ----------
    row_chosen : Signal of int
        A person, or the table itself when it is filled, has gone to this row.
    """

    row_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADS))
        self.columns: Mapping[str, Sequence[Any]] = {}
        for column, (text, tip) in enumerate(_HEADS.values()):
            head = QTableWidgetItem(text)
            head.setToolTip(tip)
            self.setHorizontalHeaderItem(column, head)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(140)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setStretchLastSection(True)
        self.currentCellChanged.connect(self._on_cell_changed)

    def show_columns(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Show another table, and go to its first row."""
        self.columns = columns
        count = len(columns["output"]) if columns else 0
        self.setRowCount(0)
        self.setRowCount(count)
        for row in range(count):
            for column, text in enumerate(_texts(columns, row)):
                item = QTableWidgetItem(text)
                if column >= 2:
                    item.setTextAlignment(_RIGHT)
                if column == 2 and _is_lowest(columns, row):
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(row, column, item)
        self.resizeColumnsToContents()
        if count:
            self.setCurrentCell(0, 0)

    def _on_cell_changed(self, row: int, _column: int, before: int, _column_before: int) -> None:
        if row >= 0 and row != before:
            self.row_chosen.emit(row)


def _texts(columns: Mapping[str, Sequence[Any]], row: int) -> list[str]:
    values = {name: column[row] for name, column in columns.items()}
    return [
        label_with_unit(values["output"], values["unit"]),
        str(values["representation"]),
        f"{values['rmse_nested']:#.3g}",
        f"{values['rmse_best']:#.3g}",
        f"{values['ratio']:.2f} ({values['ratio_low']:.2f} to {values['ratio_high']:.2f})",
    ]


def _is_lowest(columns: Mapping[str, Sequence[Any]], row: int) -> bool:
    pairs = zip(columns["output"], columns["rmse_nested"], strict=True)
    return bool(columns["rmse_nested"][row] <= min(rmse for output, rmse in pairs if output == columns["output"][row]))
