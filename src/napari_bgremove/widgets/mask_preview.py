"""The live preview of a mask: computed off the window's thread, shown in a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.viewer_layers.geometry import frame_index, frame_shape
from napari_bgremove.viewer_layers.masks import hide_preview, show_preview
from napari_bgremove.widgets.mask_work import MaskRequest
from napari_bgremove.widgets.parts.latest_call import LatestCall

__all__ = ["MaskPreview"]

Mask = NDArray[np.bool_]


class MaskPreview(QObject):
    """What is asked for, shown before it is in the mask; of many requests the newest counts.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
    """

    changed = Signal()  # asked for, there, or gone
    failed = Signal(object)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: Any = None
        self._is_shown = False
        self.is_busy = False  # while a mask is still to come
        self.mask: Mask | None = None
        self._call = LatestCall(MaskRequest.compute, parent=self)
        self._call.returned.connect(self._on_computed)
        self._call.failed.connect(self._on_failed)

    def show(self, request: MaskRequest, image: Any) -> None:
        """Ask for the mask of the shown frame; until it is there, `mask` is None and the last one stays in view."""
        self._image, self.mask, self.is_busy = image, None, True
        self._call(request, image.data[frame_index(self._viewer, image)])  # a lazy frame is read in the thread
        self.changed.emit()

    def hide(self) -> None:
        """Take the preview away; another panel's stays."""
        self._call.cancel()
        self._image, self.mask, self.is_busy = None, None, False
        if self._is_shown:
            hide_preview(self._viewer)
        self._is_shown = False
        self.changed.emit()

    def _on_computed(self, mask: Mask) -> None:
        self.is_busy = False
        if self._image in self._viewer.layers and mask.shape == frame_shape(self._image):
            self.mask, self._is_shown = mask, True
            show_preview(self._viewer, self._image, mask)
        self.changed.emit()

    def _on_failed(self, error: BaseException) -> None:
        self.is_busy = False
        self.changed.emit()
        self.failed.emit(error)
