"""What a table of backgrounds says: its rows, its columns, and both as Qt asks for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QPixmap

from napari_bgremove.widgets.parts.curve_pens import background_pen, pen_mark
from napari_bgremove.widgets.parts.number_text import number_text

__all__ = ["COLUMNS", "BackgroundRow", "BackgroundRows", "Column"]

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class BackgroundRow:
    """One background of one line; NaN where the method does not say.

    Attributes
    ----------
    name, method : str
        Of the line and of the background: together the key of the row.
    colour : str
        Of the line, as on the plot.
    area, sigma_area : float
        Net area and its standard error.
    kappa : float
        (I1 - I2) / net area, per unit of the axis.
    level_low, level_high : float
        The end levels I1 and I2, at the lower and the higher end of the axis.
    status : str
        "ok", or what became of it.
    explain : callable
        Says why, and what to change; called when a person asks for it, and not with every step of a drag.
    """

    name: str
    method: str
    colour: str
    area: float = math.nan
    sigma_area: float = math.nan
    kappa: float = math.nan
    level_low: float = math.nan
    level_high: float = math.nan
    status: str = "ok"
    explain: Callable[[], str] = field(default=str, compare=False)

    @property
    def sentence(self) -> str:
        """Why, and what to change."""
        return self.explain()

    @property
    def key(self) -> Key:
        """Line and method."""
        return self.name, self.method


@dataclass(frozen=True)
class Column:
    """One thing that is said of every row."""

    head: str
    tip: str
    field: str
    text: Callable[[Any], str] = str

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, or texts."""
        return self.text is number_text

    def show(self, row: BackgroundRow) -> str:
        """Say it as the cell does."""
        return self.text(getattr(row, self.field))

    def values(self, rows: Sequence[BackgroundRow]) -> NDArray[Any]:
        """Give it of all rows, in full."""
        return np.array([getattr(row, self.field) for row in rows], np.float64 if self.is_number else np.str_)


def _say_status(status: str) -> str:
    return status.replace("_", " ")


COLUMNS = (
    Column("Line", "Drawn on the image in this colour, and on the plot with this stroke.", "name"),
    Column("Method", "How the background was found.", "method"),
    Column("Area", "Of what is left above the background.", "area", number_text),
    Column("± sigma", "Standard error of the area.", "sigma_area", number_text),
    Column("kappa", "Difference of the end levels over the area.", "kappa", number_text),
    Column("Low end", "Level of the background at the lower end of the axis.", "level_low", number_text),
    Column("High end", "Level of the background at the higher end of the axis.", "level_high", number_text),
    Column("Status", "Whether there is such a background; why not, in the tooltip of the row.", "status", _say_status),
)


class BackgroundRows(QAbstractTableModel):
    """The rows as a model; `warning` is the colour of those that are not ok."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[BackgroundRow, ...] = ()
        self.warning = QColor()
        self._marks: list[QPixmap] = []

    def replace(self, rows: Sequence[BackgroundRow]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self._marks = _make_marks(rows)
        self.endResetModel()

    def update(self, rows: Sequence[BackgroundRow]) -> None:
        """Show the same rows with other values."""
        before, self.rows = self.rows, tuple(rows)
        if [row.colour for row in before] != [row.colour for row in rows]:
            self._marks = _make_marks(rows)
        for number, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(COLUMNS) - 1))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many rows."""
        return len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """How many columns."""
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Name and tip of a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].head
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return COLUMNS[section].tip
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """What a cell shows, and how."""
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.show(row)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return self._marks[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole and column.is_number:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.sentence
        if role == Qt.ItemDataRole.ForegroundRole and row.status != "ok":
            return self.warning
        return None


def _make_marks(rows: Sequence[BackgroundRow]) -> list[QPixmap]:
    """Draw a piece of every curve; the n-th method of a line has the stroke it has on the plot."""
    seen: Counter[str] = Counter()
    marks = []
    for row in rows:
        marks.append(pen_mark(background_pen(row.colour, seen[row.name])))
        seen[row.name] += 1
    return marks
