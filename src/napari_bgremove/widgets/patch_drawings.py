"""The rectangles of extracted patches in the viewer, for as long as image and panel are what they were."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Generator, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.viewer_layers.geometry import frame_shape
from napari_bgremove.viewer_layers.patches import patch_under, show_patches, show_too_dark
from napari_bgremove.widgets.patch_selection import Key

__all__ = ["PatchDrawings"]

CLICK_PIXELS = 4  # on the screen; a press that goes farther moves the view
LEFT = 1
# Two panels may show patches of one image; a click is for the one that drew last.
_drawn_by: weakref.WeakKeyDictionary[Any, PatchDrawings] = weakref.WeakKeyDictionary()


class PatchDrawings:
    """One shapes layer for each image and role; a click into a rectangle is handed on.

    Beside the patches stand the places that were too dark for one; nobody can click those.

    The click is listened for on the whole viewer: napari tells a layer of the
    mouse only while it is the active one, and the active one is the person's.

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
        viewer.mouse_drag_callbacks.append(self._on_press)

    def remember(self, images: Iterable[Any]) -> None:
        """Remember which images the next patches are cut from."""
        self._images = {image.name: (weakref.ref(image), frame_shape(image)) for image in images}

    @property
    def are_of_files(self) -> bool:
        """True when no layer was among what the patches were cut from."""
        return not self._images

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
        if len(patches.too_dark):
            self._drawn["too dark", key[1]] = weakref.ref(unwrapped(show_too_dark(self._viewer, image, patches)))
        drawing = unwrapped(show_patches(self._viewer, image, patches, keep))
        self._drawn[key] = weakref.ref(drawing)
        _drawn_by[drawing] = self

    def keep_only(self, keys: Collection[Key]) -> None:
        """Take away the drawings of an earlier extraction."""
        for key in [key for key in self._drawn if key not in keys]:
            drawing = self._drawn.pop(key)()
            if drawing is not None and drawing in self._viewer.layers:
                self._viewer.layers.remove(drawing)

    def let_go(self) -> None:
        """Leave the drawings to themselves: nobody hears a click any more."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)
        for drawing in self._ours():
            del _drawn_by[drawing]
        self._drawn.clear()

    def _ours(self) -> dict[Any, Key]:
        found = {drawing: key for key, reference in self._drawn.items() if (drawing := reference()) is not None}
        return {drawing: key for drawing, key in found.items() if _drawn_by.get(drawing) is self}

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Hand on a click: a press and a release in one place, while the mouse is no tool of a layer."""
        active = viewer.layers.selection.active
        is_tool = active is not None and str(active.mode) != "pan_zoom"
        if is_tool or event.button != LEFT or event.modifiers or event.handled:
            return
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(np.asarray(event.pos) - start) > CLICK_PIXELS:
                return
            yield
        ours = {drawing: key for drawing, key in self._ours().items() if drawing.visible and drawing in viewer.layers}
        found = patch_under(ours, event.position)
        if found is not None:
            drawing, number = found
            self._clicked(ours[drawing], number)
