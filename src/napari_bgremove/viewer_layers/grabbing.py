"""Drag something that is drawn on an image, and leave every other press to napari."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

__all__ = ["GRAB_PIXELS", "drag_when_near"]

GRAB_PIXELS = 8  # on the screen
_FREE = "pan_zoom"  # in every other mode of the active layer the mouse belongs to the person

Move = Callable[[Sequence[float]], None]


def drag_when_near(
    viewer: Any, event: Any, grab: Callable[[Sequence[float]], Move | None]
) -> Generator[None, None, None]:
    """Handle one press of the mouse: drag what is grabbed, or nothing.

    Parameters
    ----------
    viewer : napari.Viewer
    event : napari mouse event
        Of the press; napari puts the following ones into it.
    grab : callable
        Gets the place of the press in the world. Returns what is to be called
        with each place of the mouse until it is let go, or None when there is
        nothing of ours near.
    """
    active = viewer.layers.selection.active
    if active is not None and str(getattr(active, "mode", _FREE)) != _FREE:
        return
    move = grab(event.position)
    if move is None:
        return
    camera = viewer.scene.camera
    before, camera.mouse_pan = camera.mouse_pan, False
    event.handled = True
    yield
    while event.type == "mouse_move":
        move(event.position)
        event.handled = True
        yield
    camera.mouse_pan = before
