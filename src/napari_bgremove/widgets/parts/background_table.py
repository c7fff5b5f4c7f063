"""A table of backgrounds: one row per line and method, with the area above it and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QItemSelectionModel, QModelIndex, Signal
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QTableView

from napari_bgremove.widgets.parts.background_rows import COLUMNS, BackgroundRow, BackgroundRows
from napari_bgremove.widgets.parts.theme_colours import warning_colour

__all__ = ["BackgroundRow", "BackgroundTable"]

Key = tuple[str, str]
_WIDEST_NUMBER = "-1.2346e+05"


class BackgroundTable(QTableView):
    """Rows that are updated in place; Ctrl+C copies the selected ones.

    Attributes
    ----------
    selected : Signal of tuple
        (line, method) of the row a person goes to.
    """

    selected = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._rows = BackgroundRows()
        self._rows.warning = warning_colour(self.palette())
        self.setModel(self._rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(100)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setStretchLastSection(True)
        width = self.fontMetrics().horizontalAdvance(_WIDEST_NUMBER) + 12
        for number, column in enumerate(COLUMNS):
            if column.is_number:
                self.setColumnWidth(number, width)
        self._is_person = True
        self.selectionModel().currentRowChanged.connect(self._on_row_changed)

    @property
    def rows(self) -> tuple[BackgroundRow, ...]:
        """What is shown, from top to bottom."""
        return self._rows.rows

    @property
    def current(self) -> Key | None:
        """Line and method of the row at hand."""
        row = self.currentIndex().row()
        return self.rows[row].key if row >= 0 else None

    def set_rows(self, rows: Sequence[BackgroundRow]) -> None:
        """Show these rows; no signal.

        Parameters
        ----------
        rows : sequence of BackgroundRow
            The methods of a line in the order of the plot, since their place
            decides their stroke. With the keys that are there already, only
            the cells change; else the row at hand stays it where it can, and
            so do the selected ones.

        Raises
        ------
        ValueError
            When two rows have the same line and method.
        """
        keys = [row.key for row in rows]
        _check_keys(keys)
        if keys == [row.key for row in self.rows]:
            self._rows.update(rows)
            return
        current, selected = self.current, {self.rows[row].key for row in self._selected_rows()}
        self._is_person = False
        self._rows.replace(rows)
        if current in keys:
            at_hand = self._rows.index(keys.index(current), 0)
            self.selectionModel().setCurrentIndex(at_hand, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._select([number for number, key in enumerate(keys) if key in selected])
        self._is_person = True
        self.resizeColumnToContents(0)
        self.resizeColumnToContents(1)

    def as_columns(self) -> dict[str, NDArray[Any]]:
        """Give the table as `write_columns` takes it: numbers in full, NaN where there is none."""
        return {"line" if column.field == "name" else column.field: column.values(self.rows) for column in COLUMNS}

    def copy(self) -> None:
        """Put the selected rows on the clipboard as they stand, cells apart by tabs."""
        lines = ["\t".join(column.show(self.rows[row]) for column in COLUMNS) for row in self._selected_rows()]
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))

    def keyPressEvent(self, event: Any) -> None:
        """Qt itself would copy one cell."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        """Warn in a colour that stands out in the theme."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._rows.warning = warning_colour(self.palette())

    def _selected_rows(self) -> list[int]:
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def _select(self, rows: Sequence[int]) -> None:
        flags = QItemSelectionModel.SelectionFlag
        for row in rows:
            self.selectionModel().select(self._rows.index(row, 0), flags.Select | flags.Rows)

    def _on_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if self._is_person and current.row() >= 0:
            self.selected.emit(self.rows[current.row()].key)


def _check_keys(keys: Sequence[Key]) -> None:
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        msg = (
            f"'rows' must each have a line and a method of their own; found {keys.count(twice)} of {', '.join(twice)}."
        )
        raise ValueError(msg)
