"""A combo box of the layers of a viewer."""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from napari_bgremove.widgets.parts.offered_layers import OfferedLayers

__all__ = ["LayerCombo"]


class LayerCombo(QComboBox):
    """Choose one layer; the parameters are those of `OfferedLayers`."""

    layer_changed = Signal(object)

    def __init__(self, layers: Any, kinds: tuple[type, ...], *, roles: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._offered = OfferedLayers(layers, kinds, roles)
        self._current: weakref.ref[Any] | None = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self._offered.on_change(self.refresh)
        self.currentIndexChanged.connect(self._on_index_changed)
        self.destroyed.connect(self._offered.connections.disconnect_all)
        self.refresh()

    @property
    def layer(self) -> Any | None:
        """The chosen layer, or None; never one that is gone from the viewer."""
        layer = self._current() if self._current is not None else None
        return layer if layer is not None and layer in self._offered else None

    @layer.setter
    def layer(self, layer: Any) -> None:
        index = self._offered.index(layer)
        if index is not None:
            self.setCurrentIndex(index)

    def refresh(self) -> None:
        """Offer what is there now and keep the choice."""
        before = self.layer
        fitting = self._offered.refresh()
        self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in fitting])
        chosen = before if before in fitting else (fitting[0] if fitting else None)
        if chosen is not None:
            self.setCurrentIndex(fitting.index(chosen))
        self.blockSignals(False)
        self._choose(chosen, before)

    def _choose(self, layer: Any | None, before: Any | None) -> None:
        self._current = None if layer is None else weakref.ref(layer)
        if layer is not before:
            self.layer_changed.emit(layer)

    def _on_index_changed(self, index: int) -> None:
        self._choose(self._offered[index], self.layer)
