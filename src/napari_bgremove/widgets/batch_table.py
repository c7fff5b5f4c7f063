"""A table of separated frames, the most suspicious on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QTableView

from napari_bgremove.evaluation.triage import TriagedFrame

__all__ = ["WALKING_KEYS", "BatchTable"]

Key = tuple[str, int]
# Two pairs: napari's own P (paint, add points, draw a polygon) wins in the canvas while such a layer is active.
WALKING_KEYS = {"N": 1, "P": -1, "PageDown": 1, "PageUp": -1}
_STEPS: dict[int, int] = {getattr(Qt.Key, f"Key_{name}"): by for name, by in WALKING_KEYS.items()}
# Head, tip, and what a cell says.
COLUMNS: tuple[tuple[str, str, Callable[[TriagedFrame], str]], ...] = (
    ("Frame", "File or layer, and the frame in it, counted from 0.", lambda f: f"{f.name} [{f.frame}]"),
    ("Unsure", "Disagreement of the four grids, as a share of what was measured.", lambda f: _cell(f, "unsure_share")),
    ("Residual", "What neither part explains, as a share.", lambda f: _cell(f, "residual_share")),
    ("Taken", "Background, as a share.", lambda f: _cell(f, "background_share")),
    ("Hit", "Share of the pixels that were hit, measured as on the training patches.", lambda f: _cell(f, "hit_share")),
)
_SIGNS = {"accepted": "✓ ", "rejected": "✗ "}
_LOOK = QColor("#d98c00")


class BatchTable(QTableView):
    """Rows to walk through, with a verdict each."""

    frame_chosen = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self._rows = _Rows()
        self.setModel(self._rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(140)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setResizeContentsPrecision(0)  # only rows in sight: a poll shows a thousand anew
        self._choosing = True
        self.selectionModel().currentRowChanged.connect(self._on_row_changed)

    @property
    def chosen(self) -> Key | None:
        """Name and frame of the row at hand."""
        row = self.currentIndex().row()
        return self._rows.key(row) if row >= 0 else None

    def show_frames(self, frames: Sequence[TriagedFrame], verdicts: Mapping[Key, str]) -> None:
        """Show these frames in this order; the chosen one stays chosen."""
        kept = self.chosen
        self._choosing = False
        self._rows.show(frames, verdicts)
        if kept is not None and (row := self._rows.row(kept)) is not None:
            self.selectRow(row)
        self._choosing = True
        self.resizeColumnToContents(0)

    def step(self, by: int) -> None:
        """Choose the next row, or the one before; at the ends nothing happens."""
        count = self._rows.rowCount()
        if count:
            self.selectRow(min(max(self.currentIndex().row() + by, 0), count - 1))

    def walk(self, event: QKeyEvent) -> bool:
        """Step as a key says; False when it says nothing of it."""
        if event.key() not in _STEPS or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return False
        self.step(_STEPS[event.key()])
        return True

    def keyPressEvent(self, event: Any) -> None:
        """Qt itself would look for a row that begins with the letter."""
        if not self.walk(event):
            super().keyPressEvent(event)

    def _on_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if self._choosing and current.row() >= 0:
            self.frame_chosen.emit(*self._rows.key(current.row()))


class _Rows(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._frames: Sequence[TriagedFrame] = ()
        self._verdicts: Mapping[Key, str] = {}

    def show(self, frames: Sequence[TriagedFrame], verdicts: Mapping[Key, str]) -> None:
        self.beginResetModel()
        self._frames, self._verdicts = frames, verdicts
        self.endResetModel()

    def key(self, row: int) -> Key:
        return self._frames[row].name, self._frames[row].frame

    def row(self, key: Key) -> int | None:
        return next((i for i in range(len(self._frames)) if self.key(i) == key), None)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return len(self._frames)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section][0]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return COLUMNS[section][1]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        frame = self._frames[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            sign = _SIGNS.get(self._verdicts.get(self.key(index.row()), ""), "") if index.column() == 0 else ""
            return sign + COLUMNS[index.column()][2](frame)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "; ".join(frame.reasons)
        if role == Qt.ItemDataRole.ForegroundRole and frame.reasons:
            return _LOOK
        return None


def _cell(frame: TriagedFrame, figure: str) -> str:
    return f"{frame.figures[figure]:.1%}" if figure in frame.figures else "-"
