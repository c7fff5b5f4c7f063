"""A list of layers with tick boxes, bound to layer objects."""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_bgremove.widgets.parts.connections import Connections

__all__ = ["LayerChecks"]


class LayerChecks(QListWidget):
    """Tick any number of the layers of given kinds; layers we made for a purpose are not offered."""

    ticked_changed = Signal()

    def __init__(self, layers: Any, kinds: tuple[type, ...]) -> None:
        super().__init__()
        self._layers, self._kinds = layers, kinds
        self._offered: list[weakref.ref[Any]] = []
        self._ticked: weakref.WeakSet[Any] = weakref.WeakSet()
        self._connections = Connections()
        self.setMaximumHeight(64)
        for emitter in (layers.events.inserted, layers.events.removed, layers.events.reordered, layers.events.renamed):
            self._connections.connect(emitter, self._on_layers_changed)
        self.itemChanged.connect(self._on_item_changed)
        self.destroyed.connect(self._connections.disconnect_all)
        self._on_layers_changed()

    @property
    def ticked(self) -> list[Any]:
        """The ticked layers, in the order of the list."""
        return [layer for ref in self._offered if (layer := ref()) is not None and layer in self._ticked]

    def tick(self, layer: Any, *, on: bool = True) -> None:
        """Tick a layer, or take the tick away."""
        wanted = getattr(layer, "__wrapped__", layer)
        for index, offered in enumerate(self._offered):
            if offered() is wanted:
                self.item(index).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _on_layers_changed(self) -> None:
        fitting = [layer for layer in reversed(self._layers) if self._fits(layer)]
        self.blockSignals(True)
        self.clear()
        self._offered = [weakref.ref(layer) for layer in fitting]
        for layer in fitting:
            item = QListWidgetItem(layer.name)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked if layer in self._ticked else Qt.CheckState.Unchecked)
            self.addItem(item)
        self.blockSignals(False)
        self.ticked_changed.emit()

    def _fits(self, layer: Any) -> bool:
        is_kind = isinstance(layer, self._kinds)
        return is_kind and not getattr(layer, "rgb", False) and "role" not in layer.metadata.get("napari_bgremove", {})

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        layer = self._offered[self.row(item)]()
        if layer is None:
            return
        if item.checkState() == Qt.CheckState.Checked:
            self._ticked.add(layer)
        else:
            self._ticked.discard(layer)
        self.ticked_changed.emit()
