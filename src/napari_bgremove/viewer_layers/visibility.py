"""Show only some layers for a while, and bring back what was shown before."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["show_in_grid", "show_only"]


def show_only(
    viewer: Viewer | ViewerModel, shown: Collection[Layer], *, among: Collection[Layer] | None = None
) -> Callable[[], None]:
    """Show these layers and hide the others.

    Parameters
    ----------
    viewer : napari.Viewer
    shown : collection of layers
    among : collection of layers, optional
        Leave all but these as they are.

    Returns
    -------
    callable
        Brings back what was shown before; layers that came or went meanwhile
        are left alone.
    """
    before = {layer: layer.visible for layer in (viewer.layers if among is None else among)}
    for layer in before:
        layer.visible = layer in shown

    def restore() -> None:
        for layer, visible in before.items():
            if layer in viewer.layers:
                layer.visible = visible

    return restore


def show_in_grid(viewer: Viewer | ViewerModel, shown: Collection[Layer]) -> Callable[[], None]:
    """Show only these layers, side by side; what is returned brings back what was shown, and how."""
    grid, restore_layers = viewer.canvas.grid, show_only(viewer, shown)
    was_on, grid.enabled = grid.enabled, True

    def restore() -> None:
        grid.enabled = was_on
        restore_layers()

    return restore
