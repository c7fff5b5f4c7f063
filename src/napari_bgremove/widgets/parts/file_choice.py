"""A file that may be chosen, and let go of again."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_bgremove.widgets.parts.fields import make_button

__all__ = ["FileChoice"]


class FileChoice(QWidget):
    """The name of a file, a button that asks for one, a button that forgets it.

    Parameters
    ----------
    question : str
        Title of the dialog.
    kinds : str
        As Qt's dialogs filter files.
    nothing : str
        What is shown while there is none.
    tip : str

    Attributes
    ----------
    changed : Signal
    """

    changed = Signal()

    def __init__(self, question: str, *, kinds: str = "All files (*)", nothing: str = "none", tip: str = "") -> None:
        super().__init__()
        self._question, self._kinds, self._nothing = question, kinds, nothing
        self.path: str | None = None
        self._text = QLabel()
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # names may be long
        self._forget = make_button("Clear", lambda: self.choose(None), tip="Forget it; the file stays.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(make_button("Choose...", self._ask, tip=tip))
        row.addWidget(self._forget)
        self._show()

    def choose(self, path: str | Path | None) -> None:
        """Take this file, or none."""
        chosen = None if path is None else str(path)
        if chosen != self.path:
            self.path = chosen
            self._show()
            self.changed.emit()

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._question, filter=self._kinds)
        if path:
            self.choose(path)

    def _show(self) -> None:
        self._text.setText(Path(self.path).name if self.path else self._nothing)
        self._text.setToolTip(self.path or "")
        self._forget.setEnabled(self.path is not None)
