"""A model file or a run folder: from a list of known ones, from the disk, or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy, QVBoxLayout, QWidget

from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.model_names import name_model
from napari_bgremove.widgets.parts.rows import make_row

__all__ = ["ModelChoice"]

_MODELS = "Models (*.safetensors)"


class ModelChoice(QWidget):
    """Names in a list, each of which stands for a path.

    Parameters
    ----------
    nothing : str, optional
        First in the list, where no model is a choice, too.

    Attributes
    ----------
    changed : Signal
        Another path is chosen.
    """

    changed = Signal()

    def __init__(self, *, nothing: str | None = None, tip: str = "") -> None:
        super().__init__()
        self._nothing = nothing
        self._known: dict[str, str] = {}  # label by path
        self._opened: dict[str, str] = {}
        self._path: str | None = None
        self.setAcceptDrops(True)
        self.combo = QComboBox()
        self.combo.setToolTip(tip)
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # names may be long
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        file = make_button("File...", self._ask_for_file, tip="A model file; or drop it here.")
        run = make_button("Run...", self._ask_for_run, tip="The folder of a training; or drop it here.")
        layout.addLayout(make_row(self.combo, file, run))
        self.combo.activated.connect(lambda _: self.choose(self.combo.currentData()))
        self._fill()

    @property
    def path(self) -> str | None:
        """What is chosen."""
        return self._path

    def set_known(self, known: Mapping[str, str]) -> None:
        """Offer these, labels by path, before those a person has opened; what is chosen stays chosen."""
        if self._path in self._known and self._path not in known:
            self._opened.setdefault(self._path, name_model(self._path))
        self._known = dict(known)
        self._fill()

    def choose(self, path: str | Path | None) -> None:
        """Choose a path, and offer it from now on."""
        chosen = None if path is None else str(path)
        if chosen is not None and chosen not in self._known:
            self._opened.setdefault(chosen, _label(chosen))
        is_other, self._path = chosen != self._path, chosen
        self._fill()
        if is_other:
            self.changed.emit()

    def dragEnterEvent(self, event: Any) -> None:
        """Take models and folders."""
        if _dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Choose what was dropped."""
        path = _dropped(event)
        if path is not None:
            event.acceptProposedAction()
            self.choose(path)

    def _fill(self) -> None:
        self.combo.clear()
        if self._nothing is not None:
            self.combo.addItem(self._nothing, None)
        opened = {path: label for path, label in self._opened.items() if path not in self._known}
        for path, label in {**self._known, **opened}.items():
            self.combo.addItem(label, path)
            self.combo.setItemData(self.combo.count() - 1, path, 3)  # Qt's tool tip
        self.combo.setCurrentIndex(self.combo.findData(self._path) if self._path is not None else 0)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter=_MODELS)
        if path:
            self.choose(path)

    def _ask_for_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose the folder of the run")
        if path:
            self.choose(path)


def _label(path: str) -> str:
    return f"run {Path(path).name}" if Path(path).is_dir() else name_model(path)


def _dropped(event: Any) -> str | None:
    """Return what is dropped, if it can be a model."""
    urls = event.mimeData().urls()
    path = Path(urls[0].toLocalFile()) if len(urls) == 1 else None
    return str(path) if path is not None and (path.is_dir() or path.suffix == ".safetensors") else None
