"""A combo box of the layers of a viewer, bound to layer objects, not to names."""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_bgremove.widgets.parts.connections import Connections

__all__ = ["LayerCombo"]


class LayerCombo(QComboBox):
    """Choose one of the layers of given kinds.

    Parameters
    ----------
    layers : napari LayerList
    kinds : tuple of type
        napari layer classes that are offered.
    role, roles : str, tuple of str, optional
        Layers whose metadata give them a role are offered only for that role,
        or for any of several.
    """

    layer_changed = Signal(object)

    def __init__(
        self, layers: Any, kinds: tuple[type, ...], *, role: str | None = None, roles: tuple[str, ...] = (),
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._layers, self._kinds = layers, kinds
        self._roles = (*roles, *((role,) if role is not None else ()))
        self._offered: list[weakref.ref[Any]] = []
        self._current: weakref.ref[Any] | None = None
        self._connections = Connections()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        for emitter in (layers.events.inserted, layers.events.removed, layers.events.reordered, layers.events.renamed):
            self._connections.connect(emitter, self._on_layers_changed)
        self.currentIndexChanged.connect(self._on_index_changed)
        self.destroyed.connect(self._connections.disconnect_all)
        self.refresh()

    @property
    def layer(self) -> Any | None:
        """The chosen layer, or None; never one that is gone from the viewer."""
        layer = self._current() if self._current is not None else None
        return layer if layer is not None and layer in self._layers else None

    @layer.setter
    def layer(self, layer: Any) -> None:
        # Plugins get layers in a wrapper, a new one each time; the list holds the layers themselves.
        wanted = getattr(layer, "__wrapped__", layer)
        for index, offered in enumerate(self._offered):
            if offered() is wanted:
                self.setCurrentIndex(index)

    def refresh(self) -> None:
        """Offer what is there now and keep the choice."""
        before = self.layer
        fitting = [layer for layer in reversed(self._layers) if self._fits(layer)]
        self.blockSignals(True)
        self.clear()
        self._offered = [weakref.ref(layer) for layer in fitting]
        self.addItems([layer.name for layer in fitting])
        chosen = before if before in fitting else (fitting[0] if fitting else None)
        if chosen is not None:
            self.setCurrentIndex(fitting.index(chosen))
        self.blockSignals(False)
        self._choose(chosen, before)

    def _fits(self, layer: Any) -> bool:
        is_kind = isinstance(layer, self._kinds)
        if not is_kind or getattr(layer, "rgb", False):
            return False
        role = layer.metadata.get("napari_bgremove", {}).get("role")
        return role is None or role in self._roles

    def _choose(self, layer: Any | None, before: Any | None) -> None:
        self._current = None if layer is None else weakref.ref(layer)
        if layer is not before:
            self.layer_changed.emit(layer)

    def _on_layers_changed(self) -> None:
        self.refresh()

    def _on_index_changed(self, index: int) -> None:
        before = self.layer
        self._choose(self._offered[index]() if 0 <= index < len(self._offered) else None, before)
