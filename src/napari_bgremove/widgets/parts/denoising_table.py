"""How much noise spectra have, how much was taken away, and how much is left, curve by curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_bgremove.widgets.parts.curve_pens import denoised_pen, pen_mark
from napari_bgremove.widgets.parts.number_text import number_text

__all__ = ["DenoisedCurve", "DenoisedRow", "DenoisingTable"]

_TIPS = {
    "Line": "The spectrum, in its colour.",
    "Noise": "Standard deviation of the noise, as estimated from the spectrum.",
    "taken away": "Root mean square of what was taken away. Above the noise: signal has gone with it.",
    "left": "Noise that is left, estimated in the same way.",
}
_ROW_HEIGHT, _MOST_ROWS = 22, 6


@dataclass(frozen=True)
class DenoisedCurve:
    """What a denoised curve has lost and kept of its noise; NaN while it is awaited."""

    taken_away: float = math.nan
    left: float = math.nan


_NOTHING = DenoisedCurve()


@dataclass(frozen=True)
class DenoisedRow:
    """What became of one spectrum.

    Attributes
    ----------
    name, colour : str
        As on the plot.
    sigma : float
        Its noise before.
    curves : mapping of str to DenoisedCurve
        By label, in the order of the plot.
    """

    name: str
    colour: str
    sigma: float
    curves: Mapping[str, DenoisedCurve] = field(default_factory=dict)


class DenoisingTable(QTableWidget):
    """A row per spectrum; of a network both modes stand side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._heads: tuple[str, ...] = ()
        self._shown: tuple[DenoisedRow, ...] = ()

    @property
    def rows(self) -> tuple[DenoisedRow, ...]:
        """What is shown, from top to bottom."""
        return self._shown

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._heads

    def set_rows(self, rows: Sequence[DenoisedRow]) -> None:
        """Show these rows."""
        if tuple(rows) == self._shown:
            return
        labels = list(dict.fromkeys(label for row in rows for label in row.curves))
        heads = _heads_of(labels)
        if (heads, len(rows)) != (self._heads, self.rowCount()):
            self._set_size(heads, len(rows))
        marks = [row.colour for row in self._shown]
        self._shown = tuple(rows)
        for number, row in enumerate(rows):
            curves = [row.curves.get(label, _NOTHING) for label in labels]
            numbers = [row.sigma, *(number for curve in curves for number in (curve.taken_away, curve.left))]
            for column, text in enumerate([row.name, *map(number_text, numbers)]):
                self._say(number, column, text)
            if marks[number : number + 1] != [row.colour]:
                self._item(number, 0).setIcon(QIcon(pen_mark(denoised_pen(row.colour, 0))))

    def _set_size(self, heads: tuple[str, ...], count: int) -> None:
        self._heads = heads
        self.setRowCount(count)
        self.setColumnCount(len(heads))
        for column, text in enumerate(heads):
            item = QTableWidgetItem(text)
            item.setToolTip(next((tip for name, tip in _TIPS.items() if text.endswith(name)), ""))
            self.setHorizontalHeaderItem(column, item)
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(head + _ROW_HEIGHT * min(max(count, 1), _MOST_ROWS) + 2 * self.frameWidth())

    def _say(self, row: int, column: int, text: str) -> None:
        item = self._item(row, column)
        if item.text() != text:
            item.setText(text)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, column, item)
        return item


def _heads_of(labels: Sequence[str]) -> tuple[str, ...]:
    of = [f"{label}:\n" for label in labels] if len(labels) > 1 else [""] * len(labels)
    return ("Line", "Noise", *(f"{label}{what}" for label in of for what in ("taken away", "left")))
