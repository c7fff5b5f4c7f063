"""Keeps the masks of a viewer on disk while a person works, and offers back what a crash left."""

from __future__ import annotations

import atexit
import time
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import napari.layers
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove._validation import describe_shape
from napari_bgremove.io.autosave import Autosave, SavedMask, autosave_folder, find_left_behind
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.latest_call import LatestCall

__all__ = ["MaskKeeper", "RestoreBar", "keeper_of"]

INTERVAL_MS = 30_000
STROKES = 20
_keepers: weakref.WeakKeyDictionary[Any, MaskKeeper] = weakref.WeakKeyDictionary()


def keeper_of(viewer: Any) -> MaskKeeper:
    """Return the keeper of a viewer: masks are kept on when the panel that made them is closed."""
    model = unwrapped(viewer)
    if model not in _keepers:
        _keepers[model] = MaskKeeper(model.layers)
    return _keepers[model]


@cache
def _autosave(folder: Path) -> Autosave:
    """Return the autosave of this process; it goes when the process ends in order."""
    autosave = Autosave(folder)
    atexit.register(autosave.close)
    return autosave


class MaskKeeper(QObject):
    """Saves the masks under work half a minute after a change, or after twenty strokes.

    Parameters
    ----------
    layers : napari LayerList
        Signal masks in it are kept from now on; other masks once they are
        given to `watch`.
    """

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self._layers = weakref.ref(layers)
        self._autosave = _autosave(autosave_folder())
        self._unsaved: dict[str, int] = {}  # strokes that are on no disk yet, by the layer's id
        self._write = LatestCall(_save, delay_ms=0, parent=self)
        self._write.returned.connect(self._on_saved)
        self._write.failed.connect(self._on_failed)
        self._has_failed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.save_all)
        self._connections = Connections()
        self._connections.connect(layers.events.inserted, self._on_inserted)
        self._connections.connect(layers.events.removed, self._on_removed)
        for layer in layers:
            self._watch_ours(layer)

    @property
    def is_saving(self) -> bool:
        """True while the disk is being written to."""
        return self._write.is_busy

    def watch(self, layer: Any, *, worked_on: bool = True) -> None:
        """Keep a mask from now on; one that nobody has worked on yet from its first stroke."""
        layer = unwrapped(layer)
        key = str(layer.unique_id)
        if key not in self._unsaved:
            self._unsaved[key] = 0
            for emitter in (layer.events.paint, layer.events.labels_update):
                self._connections.connect(emitter, self._on_stroke)
        if worked_on and not self._unsaved[key]:
            self._unsaved[key] = 1
            self._timer.start()

    def save_all(self) -> None:
        """Save every mask that changed, unless a person prefers not; the disk is written to in a thread."""
        if not read_preferences().autosave_masks:
            return
        if self.is_saving:  # what is written now may be older than what is asked for
            self._timer.start()
            return
        changed = [layer for layer in self._layers() or () if self._unsaved.get(str(layer.unique_id))]
        # A mask that became a stack meanwhile is none any more.
        masks = [_to_save(layer) for layer in changed if isinstance(layer, napari.layers.Labels) and layer.ndim == 2]
        if masks:
            self._write(self._autosave, masks, {key: self._unsaved[key] for key, *_ in masks})

    def _on_saved(self, strokes: dict[str, int]) -> None:
        """What was painted while the disk was written to is still to be saved."""
        self._has_failed = False
        for key in strokes.keys() & self._unsaved.keys():
            self._unsaved[key] -= strokes[key]

    def _on_failed(self, error: Exception) -> None:
        """Try again, and say so once: the mask is still in the window, and can be saved elsewhere."""
        self._timer.start()
        if not self._has_failed:
            show_warning(
                f"The masks under work cannot be kept in '{self._autosave.folder}' ({error}). It is tried again every "
                f"{INTERVAL_MS // 1000} s; until then, save them with 'Save...' in the Mask panel."
            )
        self._has_failed = True

    def _on_stroke(self, event: Any) -> None:
        key = str(event.source.unique_id)
        if key not in self._unsaved:
            return
        self._unsaved[key] += 1
        if self._unsaved[key] >= STROKES and not self._has_failed:
            self.save_all()
        elif not self._timer.isActive():
            self._timer.start()

    def _on_inserted(self, event: Any) -> None:
        self._watch_ours(event.value)

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        if self._unsaved.pop(str(layer.unique_id), None) is not None:
            self._connections.disconnect_from(layer.events.paint, layer.events.labels_update)
        if not self._unsaved:
            self._timer.stop()

    def _watch_ours(self, layer: Any) -> None:
        role = layer.metadata.get("napari_bgremove", {}).get("role")
        if isinstance(layer, napari.layers.Labels) and layer.ndim == 2 and role == "signal_mask":
            self.watch(layer)


def _to_save(layer: Any) -> tuple[str, str, Any, dict[str, Any]]:
    geometry = {"scale": list(map(float, layer.scale)), "translate": list(map(float, layer.translate))}
    return str(layer.unique_id), str(layer.name), mask_of(layer), geometry


def _save(
    autosave: Autosave, masks: list[tuple[str, str, Any, dict[str, Any]]], strokes: dict[str, int]
) -> dict[str, int]:
    """Save masks; return how many strokes of each are on the disk now."""
    for key, name, mask, geometry in masks:
        autosave.save(key, name, mask, **geometry)
    return strokes


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
