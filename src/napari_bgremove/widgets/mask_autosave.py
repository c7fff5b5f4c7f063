"""Keeps the masks of a viewer on disk while a person works, and offers back what a crash left."""

from __future__ import annotations

import atexit
import time
from typing import Any

import napari.layers
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_bgremove._validation import describe_shape
from napari_bgremove.io.autosave import Autosave, SavedMask, find_left_behind
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.fields import make_button

__all__ = ["MaskKeeper", "RestoreBar"]

INTERVAL_MS = 30_000
STROKES = 20


class MaskKeeper(QObject):
    """Saves every signal mask of a viewer each half minute, or after twenty strokes."""

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._layers = viewer.layers
        self._autosave = Autosave()
        atexit.register(self._autosave.close)
        self._strokes: dict[str, int] = {}
        self._connections = Connections()
        self._connections.connect(self._layers.events.inserted, self._on_inserted)
        for layer in self._layers:
            self._watch(layer)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.save_all)
        self._timer.start()
        self.destroyed.connect(self._connections.disconnect_all)

    def save_all(self) -> None:
        """Save every mask that changed, unless a person prefers not; the disk is written to in a thread."""
        from napari.qt.threading import create_worker

        if not read_preferences().autosave_masks:
            return
        for layer in self._layers:
            if _is_mask(layer) and self._strokes.get(str(layer.unique_id), 1):
                self._strokes[str(layer.unique_id)] = 0
                details = {"scale": list(map(float, layer.scale)), "translate": list(map(float, layer.translate))}
                create_worker(self._autosave.save, str(layer.unique_id), layer.name, mask_of(layer), **details).start()

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _watch(self, layer: Any) -> None:
        if not _is_mask(layer):
            return
        key = str(layer.unique_id)

        def count(_event: Any = None) -> None:
            self._strokes[key] = self._strokes.get(key, 0) + 1
            if self._strokes[key] >= STROKES:
                self.save_all()

        self._connections.connect(layer.events.paint, count)
        self._connections.connect(layer.events.labels_update, count)


class RestoreBar(QWidget):
    """Offers the masks that sessions left which did not end in order."""

    restore_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._saved = find_left_behind()
        self._choice = QComboBox()
        self._choice.addItems([_describe(saved) for saved in self._saved])
        row = QHBoxLayout()
        row.addWidget(self._choice, 1)
        for text, slot in (("Restore", self._restore), ("Discard", self._discard)):
            row.addWidget(make_button(text, slot))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Masks of a session that ended unexpectedly:"))
        column.addLayout(row)
        self.setVisible(bool(self._saved))

    def forget(self, saved: SavedMask) -> None:
        """Take a mask off the list, and off the disk."""
        saved.forget()
        index = self._saved.index(saved)
        del self._saved[index]
        self._choice.removeItem(index)
        self.setVisible(bool(self._saved))

    def _restore(self) -> None:
        self.restore_requested.emit(self._saved[self._choice.currentIndex()])

    def _discard(self) -> None:
        self.forget(self._saved[self._choice.currentIndex()])


def _describe(saved: SavedMask) -> str:
    minutes = max(0, round((time.time() - saved.saved) / 60))
    age = f"{minutes} min ago" if minutes < 120 else f"{minutes / 60:.0f} h ago"
    return f"{saved.name} ({describe_shape(saved.shape)}, {age})"


def _is_mask(layer: Any) -> bool:
    role = layer.metadata.get("napari_bgremove", {}).get("role")
    return isinstance(layer, napari.layers.Labels) and layer.ndim == 2 and role == "signal_mask"
