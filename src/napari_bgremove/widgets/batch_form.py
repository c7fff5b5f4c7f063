"""Whole stacks and folders: what to separate, how far it is, and a table to walk through."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QProgressBar, QVBoxLayout, QWidget

from napari_bgremove.widgets.batch_table import BatchTable
from napari_bgremove.widgets.parts.fields import make_button

__all__ = ["BatchForm"]

KEYS_HINT = "While a labels, points or shapes layer is active, P is napari's: Page Down and Page Up always work."


class BatchForm(QWidget):
    """Values in, wishes out; it knows no viewer."""

    stack_requested = Signal()
    folder_requested = Signal(str)
    stop_requested = Signal()
    verdict_given = Signal(str)  # "accepted" or "rejected", of the chosen row
    export_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.results = QLineEdit()
        self.results.setPlaceholderText("results: beside the images")
        self.results.setToolTip(
            "Folder of the result files. Without one: that of the preferences, or 'separated' beside the images; for a "
            "layer that is no file, a folder of this program. The place is said at the end."
        )
        self.stack_button = make_button("All frames", self.stack_requested.emit, tip="Of the chosen image.")
        self.folder_button = make_button("A folder...", self._ask_for_folder, tip="Every image in it.")
        self.stop_button = make_button("Stop", self.stop_requested.emit, tip="After the frame at hand.")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.table = BatchTable()
        self._triage = QWidget()
        self._lay_out()
        self.set_running(False)
        self.set_filled(False)

    def set_running(self, on: bool) -> None:
        """While a run goes on it can be stopped, and no other started."""
        for button in (self.stack_button, self.folder_button):
            button.setEnabled(not on)
        self.stop_button.setEnabled(on)
        self.bar.setVisible(on)

    def set_filled(self, on: bool) -> None:
        """The table appears with its first row."""
        self._triage.setVisible(on)

    def keyPressEvent(self, event: Any) -> None:
        """The keys of the table work wherever in the form a person has clicked."""
        if not self.table.walk(event):
            super().keyPressEvent(event)

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose a folder of images")
        if path:
            self.folder_requested.emit(path)

    def _ask_for_results(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose the folder of the results")
        if path:
            self.results.setText(path)

    def _ask_for_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", "frames.csv", "Tables (*.csv)")
        if path:
            self.export_requested.emit(path)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(_row(self.results, make_button("...", self._ask_for_results)))
        layout.addLayout(_row(self.stack_button, self.folder_button, self.stop_button))
        layout.addWidget(self.status)
        layout.addWidget(self.bar)
        below = QVBoxLayout(self._triage)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.table)
        below.addLayout(
            _row(
                make_button("Previous (P)", lambda: self.table.step(-1), tip=f"P or Page Up. {KEYS_HINT}"),
                make_button("Next (N)", lambda: self.table.step(1), tip=f"N or Page Down. {KEYS_HINT}"),
                make_button("Accept", lambda: self.verdict_given.emit("accepted")),
                make_button("Reject", lambda: self.verdict_given.emit("rejected")),
            )
        )
        hint = QLabel("Walk: N and P, or Page Down and Page Up.")
        hint.setToolTip(KEYS_HINT)
        below.addWidget(hint)
        below.addWidget(make_button("Export table...", self._ask_for_export, tip="With what was accepted."))
        layout.addWidget(self._triage)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
