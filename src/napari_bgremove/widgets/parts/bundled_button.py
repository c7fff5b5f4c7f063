"""A choice among the models that come along."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from napari_bgremove.io.bundled import BUNDLED_MODELS

__all__ = ["BundledButton"]

_IN_WORDS = {"bundled": "accurate", "fast": "fast"}


class BundledButton(QPushButton):
    """Opens a menu of the bundled models.

    Attributes
    ----------
    chosen : Signal(str)
        The file.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Bundled", parent)
        self.setToolTip("A model for images that comes along.")
        menu = QMenu(self)
        for word, file in BUNDLED_MODELS.items():
            action = menu.addAction(f"{file.stem} ({_IN_WORDS[word]})")
            action.triggered.connect(partial(self._choose, str(file)))
        self.setMenu(menu)

    def _choose(self, file: str, _checked: bool = False) -> None:
        self.chosen.emit(file)
