"""The anchors of a spectrum, mirrored as handles on the line it was read along."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.viewer_layers.anchor_handles import AnchorHandles
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.profile_fits import Fit

__all__ = ["LineHandles"]


class LineHandles(QObject):
    """Follows a fit; makes its layer when there is one to follow.

    Parameters
    ----------
    viewer : napari.Viewer
    connections : Connections
        Of the panel: the handles go with it.
    """

    dragged = Signal(object)  # the windows, as the plot tells them

    def __init__(self, viewer: Any, connections: Connections, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._connections = viewer, connections
        self._handles: AnchorHandles | None = None
        self._fit: Fit | None = None
        self._later = QTimer(self)  # what changes on napari's canvas must not hold up the plot
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._place)

    def follow(self, image: Any, fit: Fit | None) -> None:
        """Put the handles where the windows of a fit are, once the plot is drawn; without a fit take them away."""
        self._fit = fit
        self._later.stop()
        if fit is None or (self._handles is not None and not self._handles.is_alive):
            self.close()
        if fit is None:
            return
        if self._handles is None:
            self._handles = AnchorHandles(self._viewer, image, self._on_dragged)
            self._connections.at_the_end(self._handles.close)
            self._place()
        self._later.start()

    def _place(self) -> None:
        fit = self._fit
        if fit is None or self._handles is None:
            return
        positions = fit.axis.to_positions(np.ravel(fit.windows))
        along = [np.interp(positions, fit.profile.position, fit.profile.points[:, k]) for k in (0, 1)]
        self._handles.move(np.stack(along, axis=1))

    def close(self) -> None:
        """Take them away."""
        self._later.stop()
        if self._handles is not None:
            self._connections.forget(self._handles.close)
            self._handles.close()
            self._handles = None

    def _on_dragged(self, number: int, place: NDArray[np.float64]) -> None:
        fit = self._fit
        if fit is None:
            return
        nearest = int(np.argmin(np.hypot(*(fit.profile.points - place).T)))
        edges = [edge for window in fit.windows for edge in window]
        edges[number] = float(fit.values[nearest])
        first, second = sorted(edges[:2]), sorted(edges[2:])
        if first[1] < second[0]:  # they never pass each other
            self.dragged.emit(((first[0], first[1]), (second[0], second[1])))
