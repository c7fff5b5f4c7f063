"""The rectangles of extracted patches in the viewer, for as long as image and panel are what they were."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.patches import PatchSet
from napari_bgremove.viewer_layers.geometry import frame_shape
from napari_bgremove.viewer_layers.patches import patch_at, show_patches

__all__ = ["Key", "PatchDrawings"]

Key = tuple[str, str]  # role, and the name the image had when it was asked for


class PatchDrawings:
    """One shapes layer for each image and role; a click into a rectangle is handed on.

    Parameters
    ----------
    viewer : napari.Viewer
    clicked : callable
        Gets the key of the drawing and the number of the patch.
    """

    def __init__(self, viewer: Any, clicked: Callable[[Key, int], None]) -> None:
        self._viewer, self._clicked = viewer, clicked
        # Names are changed, and given again to others; arrays are replaced.
        self._images: dict[str, tuple[weakref.ref[Any], tuple[int, int]]] = {}
        self._drawn: dict[Key, weakref.ref[Any]] = {}

    def remember(self, images: Iterable[Any]) -> None:
        """Remember which images the next patches are cut from."""
        self._images = {image.name: (weakref.ref(image), frame_shape(image)) for image in images}

    def image(self, name: str) -> Any | None:
        """Return the image of that name at the time; None when it is gone, or now shows something else."""
        reference, shape = self._images.get(name, (None, None))
        image = None if reference is None else reference()
        return image if image in self._viewer.layers and frame_shape(image) == shape else None

    def draw(self, key: Key, patches: PatchSet, keep: NDArray[np.bool_]) -> None:
        """Draw the patches of an image, unless it is gone."""
        image = self.image(key[1])
        if image is None:
            return
        drawing = show_patches(self._viewer, image, patches, keep)
        drawing = getattr(drawing, "__wrapped__", drawing)

        def hand_on(shapes: Any, event: Any) -> None:
            number = patch_at(shapes, event.position)
            if number is not None:
                self._clicked(key, number)

        drawing.mouse_drag_callbacks[:] = [hand_on]
        self._drawn[key] = weakref.ref(drawing)

    def keep_only(self, keys: Collection[Key]) -> None:
        """Take away the drawings of an earlier extraction."""
        for key in [key for key in self._drawn if key not in keys]:
            drawing = self._drawn.pop(key)()
            if drawing is not None and drawing in self._viewer.layers:
                self._viewer.layers.remove(drawing)

    def let_go(self) -> None:
        """Leave the drawings to themselves: nobody hears a click any more."""
        for reference in self._drawn.values():
            drawing = reference()
            if drawing is not None:
                drawing.mouse_drag_callbacks[:] = []
        self._drawn.clear()
