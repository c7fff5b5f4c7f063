"""A before/after curtain: one image left of a line, another right of it; the line is dragged.

A 2-D image cannot be clipped on the screen, so the curtain is a layer of its
own that shows the left columns of the upper image: a view, no copy.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove._validation import check_same_shape
from napari_bgremove.viewer_layers.geometry import current_frame, geometry_of, shifted
from napari_bgremove.viewer_layers.grabbing import GRAB_PIXELS, drag_when_near
from napari_bgremove.viewer_layers.visibility import show_only

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

__all__ = ["Curtain"]


class Curtain:
    """Shows `left` over `right` up to a column that the mouse drags.

    Parameters
    ----------
    viewer : napari.Viewer
    left, right : napari.layers.Image
        Of one frame shape; frames of stacks follow the sliders.

    Raises
    ------
    ValueError
        When the frames have different shapes.
    """

    def __init__(self, viewer: Viewer | ViewerModel, left: Image, right: Image) -> None:
        self._viewer, self._left = viewer, unwrapped(left)
        self._frame = current_frame(viewer, left)
        check_same_shape("left", self._frame, "right", current_frame(viewer, right))
        self._width = int(self._frame.shape[1])
        self._split: int = self._width // 2
        right = unwrapped(right)
        # Only the right image lies under the curtain; what else is shown would cover it.
        images = [layer for layer in viewer.layers if hasattr(layer, "contrast_limits")]
        self._restore = show_only(viewer, [right], among=images)
        selection = set(viewer.layers.selection)
        self._geometry = geometry = geometry_of(left, ndim=2)
        self.layer: Image = viewer.add_image(
            self._frame[:, : self._split], name=f"Curtain: {left.name} | {right.name}", colormap=left.colormap,
            contrast_limits=left.contrast_limits, gamma=left.gamma, opacity=1.0, blending="opaque",
            metadata={"napari_bgremove": {"role": "curtain"}}, **geometry,
        )  # fmt: skip
        edge = [[-0.5, -0.5], [self._frame.shape[0] - 0.5, -0.5]]  # of the column at which the right image begins
        self.line: Shapes = viewer.add_shapes(
            [edge], shape_type="line", edge_width=max(1.0, self._width / 400), edge_color="yellow",
            name="Curtain line", metadata={"napari_bgremove": {"role": "curtain"}}, **self._place_of_line(),
        )  # fmt: skip
        self.layer.editable = self.line.editable = False
        viewer.layers.selection = selection
        self._linked = ("contrast_limits", "gamma", "colormap")
        for name in self._linked:
            getattr(self._left.events, name).connect(self._on_display_changed)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.dims.events.current_step.connect(self._on_frame_changed)

    @property
    def split(self) -> int:
        """First column that shows the right image, 1 to width - 1."""
        return self._split

    @split.setter
    def split(self, column: float) -> None:
        new = int(np.clip(round(column), 1, self._width - 1))
        if new == self._split:
            return
        self._split = new
        self.layer.data = self._frame[:, :new]
        # Moved, not drawn anew: napari takes longer over new shapes than over all the rest of a frame.
        self.line.translate = self._place_of_line()["translate"]

    @property
    def is_alive(self) -> bool:
        """False once a person has removed one of its layers."""
        return self.layer in self._viewer.layers and self.line in self._viewer.layers

    def close(self) -> None:
        """Take the curtain away; the compared images are as they were."""
        for name in self._linked:
            getattr(self._left.events, name).disconnect(self._on_display_changed)
        self._viewer.dims.events.current_step.disconnect(self._on_frame_changed)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        for layer in (self.layer, self.line):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._restore()

    def _place_of_line(self) -> dict[str, Any]:
        return shifted(self._geometry, (0, self._split))

    def _column_at(self, position: Any) -> float:
        return float(self.layer.world_to_data(position)[-1]) + 0.5

    def _on_drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        return drag_when_near(viewer, event, self._grab)

    def _grab(self, position: Sequence[float]) -> Callable[[Sequence[float]], None] | None:
        on_screen = float(self.layer.scale[-1]) * self._viewer.scene.camera.zoom
        if not self.is_alive or abs(self._column_at(position) - self._split) * on_screen > GRAB_PIXELS:
            return None
        return self._move_to

    def _move_to(self, position: Sequence[float]) -> None:
        self.split = self._column_at(position)

    def _on_display_changed(self, event: Any) -> None:
        if self.is_alive:
            setattr(self.layer, event.type, getattr(self._left, event.type))

    def _on_frame_changed(self, _event: Any = None) -> None:
        if self.is_alive and self._left in self._viewer.layers:
            self._frame = current_frame(self._viewer, self._left)
            self.layer.data = self._frame[:, : self._split]
