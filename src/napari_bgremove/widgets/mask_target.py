"""The mask a person works on: made when there is none, changed in one step, kept on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.io.autosave import SavedMask
from napari_bgremove.viewer_layers.geometry import frame_shape
from napari_bgremove.viewer_layers.masks import add_mask_layer, add_restored_mask, edit_mask, mask_of
from napari_bgremove.widgets.mask_autosave import keeper_of
from napari_bgremove.widgets.parts.layer_combo import LayerCombo

__all__ = ["MaskTarget"]

Mask = NDArray[np.bool_]


class MaskTarget:
    """The chosen mask of the chosen image.

    Parameters
    ----------
    viewer : napari.Viewer
    image_choice, mask_choice : LayerCombo
    """

    def __init__(self, viewer: Any, image_choice: LayerCombo, mask_choice: LayerCombo) -> None:
        self._viewer, self._image_choice, self._mask_choice = viewer, image_choice, mask_choice
        self.keeper = keeper_of(viewer)
        mask_choice.layer_changed.connect(self._on_chosen)
        self._on_chosen(mask_choice.layer)

    @property
    def image(self) -> Any:
        """The chosen image; ValueError when there is none."""
        if self._image_choice.layer is None:
            msg = "There is no image: open an x-ray-only image first."
            raise ValueError(msg)
        return self._image_choice.layer

    @property
    def mask(self) -> Mask:
        """A copy of the mask; ValueError when it does not fit the image."""
        image = self._image_choice.layer
        return mask_of(self._layer(), None if image is None else frame_shape(image))

    def add(self) -> None:
        """Add an empty mask for the chosen image, and choose it."""
        self._mask_choice.layer = add_mask_layer(self._viewer, self.image)

    def add_restored(self, saved: SavedMask) -> None:
        """Add a mask that was left by a crash as a layer of its own, and choose it."""
        self._mask_choice.layer = add_restored_mask(self._viewer, saved.read(), name=saved.name, **saved.details)

    def edit(self, mask: Mask) -> None:
        """Change the mask as one step of its history; its layer becomes active so that Ctrl+Z is its undo."""
        layer = self._layer()
        self.keeper.watch(layer)
        edit_mask(layer, mask)
        self._viewer.layers.selection.active = layer

    def _layer(self) -> Any:
        if self._mask_choice.layer is None:
            self.add()
        return self._mask_choice.layer

    def _on_chosen(self, layer: Any | None) -> None:
        if layer is not None:
            self.keeper.watch(layer, worked_on=False)
