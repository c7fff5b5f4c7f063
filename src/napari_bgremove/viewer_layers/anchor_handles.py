"""The anchor windows of a spectrum as handles on the line it was read along."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.viewer_layers.geometry import geometry_of
from napari_bgremove.viewer_layers.grabbing import GRAB_PIXELS, drag_when_near

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["AnchorHandles"]


class AnchorHandles:
    """Points on an image that can be dragged while no layer's own tool is in use.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
        The places of the handles are pixels of it.
    dragged : callable
        Gets the number of the handle and where it was dragged to, (row, column).
    """

    def __init__(
        self, viewer: Viewer | ViewerModel, image: Image, dragged: Callable[[int, NDArray[np.float64]], None]
    ) -> None:
        self._viewer, self._dragged = viewer, dragged
        selection = set(viewer.layers.selection)
        self.layer = unwrapped(
            viewer.add_points(
                np.empty((0, 2)), size=8, symbol="diamond", face_color="white", border_color="black",
                canvas_size_limits=(8, 14), name=f"{image.name} - anchors",
                metadata={"napari_bgremove": {"role": "anchors"}}, **geometry_of(image, ndim=2),
            )
        )  # fmt: skip
        self.layer.editable = False
        viewer.layers.selection = selection
        viewer.mouse_drag_callbacks.append(self._on_drag)

    @property
    def is_alive(self) -> bool:
        """False once a person has removed them."""
        return self.layer in self._viewer.layers

    def move(self, places: NDArray[np.float64]) -> None:
        """Put the handles at (row, column) places, shape (k, 2)."""
        if not self.is_alive or np.array_equal(self.layer.data, places):
            return
        if self.layer.data.shape != places.shape:
            self.layer.data = places
            return
        # In place: told of new data, napari would measure all layers anew for its sliders, which no handle of an
        # image moves; their picture in the list of layers is not worth drawing with every move, and none is selected.
        self.layer.data[:] = places
        self.layer.refresh(thumbnail=False, highlight=False)

    def close(self) -> None:
        """Take them away."""
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        if self.is_alive:
            self._viewer.layers.remove(self.layer)

    def _on_drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        return drag_when_near(viewer, event, self._grab)

    def _grab(self, position: Sequence[float]) -> Callable[[Sequence[float]], None] | None:
        if not self.is_alive or not self.layer.visible or len(self.layer.data) == 0:
            return None
        on_screen = np.asarray(self.layer.scale[-2:]) * self._viewer.scene.camera.zoom
        distances = np.hypot(*((np.asarray(self.layer.data)[:, -2:] - self._place(position)) * on_screen).T)
        nearest = int(np.argmin(distances))
        return partial(self._drag_to, nearest) if distances[nearest] <= GRAB_PIXELS else None

    def _drag_to(self, number: int, position: Sequence[float]) -> None:
        self._dragged(number, self._place(position))

    def _place(self, position: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(self.layer.world_to_data(position), np.float64)[-2:]
