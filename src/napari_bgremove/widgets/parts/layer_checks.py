"""A list of the layers of a viewer with tick boxes."""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_bgremove.widgets.parts.offered_layers import OfferedLayers

__all__ = ["LayerChecks"]


class LayerChecks(QListWidget):
    """Tick any number of layers; the parameters are those of `OfferedLayers`."""

    ticked_changed = Signal()

    def __init__(self, layers: Any, kinds: tuple[type, ...]) -> None:
        super().__init__()
        self._offered = OfferedLayers(layers, kinds)
        self._ticked: weakref.WeakSet[Any] = weakref.WeakSet()
        self.setMaximumHeight(64)
        self._offered.on_change(self.refresh)
        self.itemChanged.connect(self._on_item_changed)
        self.destroyed.connect(self._offered.connections.disconnect_all)
        self.refresh()

    @property
    def ticked(self) -> list[Any]:
        """The ticked layers, in the order of the list."""
        return [layer for layer in self._offered.alive() if layer in self._ticked]

    def tick(self, layer: Any, *, on: bool = True) -> None:
        """Tick a layer, or take the tick away."""
        index = self._offered.index(layer)
        if index is not None:
            self.item(index).setCheckState(_state(on))

    def refresh(self) -> None:
        """Offer what is there now and keep the ticks."""
        fitting = self._offered.refresh()
        self.blockSignals(True)
        self.clear()
        for layer in fitting:
            item = QListWidgetItem(layer.name)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(_state(layer in self._ticked))
            self.addItem(item)
        self.blockSignals(False)
        self.ticked_changed.emit()

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        layer = self._offered[self.row(item)]
        if layer is None:
            return
        if item.checkState() == Qt.CheckState.Checked:
            self._ticked.add(layer)
        else:
            self._ticked.discard(layer)
        self.ticked_changed.emit()


def _state(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
