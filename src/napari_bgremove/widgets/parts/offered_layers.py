"""Which layers of a viewer a choice offers; bound to layer objects, not to names."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.widgets.parts.connections import Connections

__all__ = ["OfferedLayers"]


class OfferedLayers:
    """The layers of given kinds, newest first, kept up to date.

    Parameters
    ----------
    layers : napari LayerList
    kinds : tuple of type
        napari layer classes that are offered; colour images never are.
    roles : tuple of str
        Layers we made carry a role in their metadata; only these are offered.
    """

    def __init__(self, layers: Any, kinds: tuple[type, ...], roles: tuple[str, ...] = ()) -> None:
        self._layers, self._kinds, self._roles = layers, kinds, roles
        self._offered: list[weakref.ref[Any]] = []
        self.connections = Connections()

    def __contains__(self, layer: Any) -> bool:
        return layer in self._layers

    def __getitem__(self, index: int) -> Any | None:
        return self._offered[index]() if 0 <= index < len(self._offered) else None

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever a layer comes, goes, moves or is renamed."""
        events = self._layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            self.connections.connect(emitter, callback)

    def refresh(self) -> list[Any]:
        """Look again, and return what is offered now."""
        fitting = [layer for layer in reversed(self._layers) if self._fits(layer)]
        self._offered = [weakref.ref(layer) for layer in fitting]
        return fitting

    def index(self, layer: Any) -> int | None:
        """Return the place of a layer, None when it is not offered."""
        wanted = unwrapped(layer)
        return next((i for i, offered in enumerate(self._offered) if offered() is wanted), None)

    def alive(self) -> list[Any]:
        """Return the offered layers that still exist."""
        return [layer for offered in self._offered if (layer := offered()) is not None]

    def _fits(self, layer: Any) -> bool:
        is_kind = isinstance(layer, self._kinds)
        role = layer.metadata.get("napari_bgremove", {}).get("role")
        return is_kind and not getattr(layer, "rgb", False) and (role is None or role in self._roles)
