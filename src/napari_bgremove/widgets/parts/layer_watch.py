"""Follows the layer that is chosen, whichever it is, while a person works on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.layer_combo import LayerCombo

__all__ = ["MASK_EDITS", "watch_chosen"]

# What a labels layer says while it is painted, edited, or taken back.
MASK_EDITS = ("set_data", "paint", "labels_update")


def watch_chosen(
    choice: LayerCombo, events: Sequence[str], connections: Connections, changed: Callable[[], Any]
) -> None:
    """Call `changed()` now, whenever another layer is chosen, and at these events of the chosen one.

    Parameters
    ----------
    choice : LayerCombo
    events : sequence of str
        Names of napari's layer events.
    connections : Connections
        Of the panel: cut when it goes.
    changed : callable
        Called often while a person paints: it puts off what takes long.
    """
    watched: list[Any] = []

    def on_event(_event: Any = None) -> None:
        changed()

    def on_chosen(layer: Any | None) -> None:
        connections.disconnect_from(*watched)
        watched[:] = [] if layer is None else [getattr(layer.events, name) for name in events]
        for emitter in watched:
            connections.connect(emitter, on_event)
        changed()

    choice.layer_changed.connect(on_chosen)
    on_chosen(choice.layer)
