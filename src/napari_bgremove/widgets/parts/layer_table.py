"""A table of the hidden layers of a model, or of two beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

__all__ = ["LayerRow", "LayerTable"]

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TIPS = {
    "Layer": "What lies between two convolutions of one block; its units can be taken out.",
    "Shape": "Width before, of and behind the layer, and what a unit of it is.",
    "SNR": "Power of the peaks over that of the background, mean of both sides. Alone it is no evidence.",
    "PR": "Participation ratio: 1 where all units carry the same, 1 / units where one carries everything.",
    "Alive": "Units above 1 % of the rms on both sides: an estimate of what can be kept at no cost.",
}
_FIXED = ("Layer", "Shape")
_EACH = ("SNR", "PR", "Alive")
_ROW_HEIGHT, _MOST_ROWS = 22, 8
_LONGEST = 7  # letters of a model's name above a narrow column


@dataclass(frozen=True)
class LayerRow:
    """A layer of one model, in numbers."""

    name: str
    shape: str
    units: int
    snr: float
    participation_ratio: float
    alive: int

    @property
    def texts(self) -> tuple[str, str, str]:
        """SNR, participation ratio and kept estimate, as the table writes them."""
        return f"{self.snr:.3g}", f"{self.participation_ratio:.2f}", f"{self.alive} / {self.units}"


class LayerTable(QTableWidget):
    """Rows are layers, and each model has its columns.

    Attributes
    ----------
    layer_chosen : Signal of str
        A person, or the table itself when it is filled, has gone to the layer of this name.
    """

    layer_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.currentCellChanged.connect(self._on_cell_changed)
        self._set_size((*_FIXED, *_EACH), 0)

    @property
    def layer(self) -> str:
        """Name of the layer that is chosen; empty where there is none."""
        row = self.currentRow()
        return self._names[row] if 0 <= row < len(self._names) else ""

    def show_models(self, models: Mapping[str, Sequence[LayerRow]]) -> None:
        """Show the layers of models by name, those of the first in its order; the chosen one stays if it is there.

        A layer that another model has not got has nothing in its columns.
        """
        chosen = self.layer
        first = next(iter(models.values()), ())
        of = [f"\n{_shorten(name)}" for name in models] if len(models) > 1 else [""]
        heads = [*_FIXED, *(f"{head}{name}" for name in of for head in _EACH)]
        self.blockSignals(True)
        self._names = [row.name for row in first]
        self._set_size(heads, len(first))
        others = [{row.name: row for row in rows} for rows in models.values()]
        for number, row in enumerate(first):
            texts = [text for rows in others for text in (rows[row.name].texts if row.name in rows else ("", "", ""))]
            for column, text in enumerate([row.name, row.shape, *texts]):
                self.setItem(number, column, _item(text, right=column >= len(_FIXED)))
        self.setCurrentCell(self._names.index(chosen) if chosen in self._names else 0, 0)
        self.blockSignals(False)
        if self._names:
            self.layer_chosen.emit(self.layer)

    def _set_size(self, heads: Sequence[str], count: int) -> None:
        self.clear()
        self.setRowCount(count)
        self.setColumnCount(len(heads))
        for column, text in enumerate(heads):
            head = QTableWidgetItem(text)
            head.setToolTip(_TIPS[text.partition("\n")[0]])
            self.setHorizontalHeaderItem(column, head)
        for column in range(len(_FIXED)):
            self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        height = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(height + _ROW_HEIGHT * min(max(count, 1), _MOST_ROWS) + 2 * self.frameWidth())

    def _on_cell_changed(self, row: int, _column: int, before: int, _column_before: int) -> None:
        if row >= 0 and row != before:
            self.layer_chosen.emit(self.layer)


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _item(text: str, *, right: bool) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    if right:
        item.setTextAlignment(_RIGHT)
    return item
