"""Where the pixels of a layer lie in the world, for layers made from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

__all__ = ["current_frame", "frame_index", "frame_shape", "geometry_of", "shifted", "view_of"]


def geometry_of(layer: Layer, *, ndim: int | None = None) -> dict[str, Any]:
    """Return the keyword arguments that put another layer where this one is.

    Parameters
    ----------
    layer : napari layer
    ndim : int, optional
        Keep the last so many axes: 2 for one frame of a stack.
    """
    n = layer.ndim if ndim is None else ndim
    geometry: dict[str, Any] = {
        "scale": tuple(layer.scale[-n:]),
        "translate": tuple(layer.translate[-n:]),
        "units": tuple(layer.units[-n:]),
        "axis_labels": tuple(layer.axis_labels[-n:]),
        "rotate": np.asarray(layer.rotate)[-n:, -n:],
        "affine": np.asarray(layer.affine)[np.ix_((*range(-n - 1, -1), -1), (*range(-n - 1, -1), -1))],
    }
    if n == layer.ndim:  # the packed triangle of a stack does not hold that of its frame
        geometry["shear"] = np.asarray(layer.shear)
    return geometry


def frame_shape(layer: Layer) -> tuple[int, int]:
    """Return rows and columns of an image or labels layer."""
    rows, columns = layer.data.shape[-2:]
    return int(rows), int(columns)


def frame_index(viewer: Viewer | ViewerModel, layer: Layer) -> tuple[int, ...]:
    """Return which frame of a stack the sliders show; () for a single image."""
    extra = layer.ndim - 2
    if extra == 0:
        return ()
    position = np.round(np.asarray(layer.world_to_data(viewer.dims.point))[:extra]).astype(int)
    return tuple(int(i) for i in np.clip(position, 0, np.asarray(layer.data.shape[:extra]) - 1))


def current_frame(viewer: Viewer | ViewerModel, layer: Image) -> NDArray[Any]:
    """Return the frame the sliders show, as recorded: one plane is read, never a stack."""
    return np.asarray(layer.data[frame_index(viewer, layer)])


def view_of(layer: Image, *, least: int = 128) -> tuple[slice, slice]:
    """Return the rows and columns of the shown frame that are on the screen, at least so many of each where there are.

    Before the layer was drawn for the first time, that is the whole frame.
    """
    shape = frame_shape(layer)
    corners = np.asarray(layer.corner_pixels)[:, -2:]
    spans = []
    for (start, last), size in zip(corners.T, shape, strict=True):
        start, stop = max(int(start), 0), min(int(last) + 1, size)
        if stop <= start or stop - start == 1:
            start, stop = 0, size
        missing = max(0, min(least, size) - (stop - start))
        start = max(0, min(start - missing // 2, size - min(least, size)))
        spans.append(slice(start, max(stop, min(start + least, size))))
    return spans[0], spans[1]


def shifted(geometry: dict[str, Any], corner: Sequence[float]) -> dict[str, Any]:
    """Return the geometry of the part of an image that begins at a pixel.

    Parameters
    ----------
    geometry : dict
        From `geometry_of`.
    corner : sequence of float
        First pixel of the part, on the last axes.
    """
    from napari.utils.transforms import Affine

    fields = ("scale", "rotate", "shear")
    turn = Affine(**{name: geometry[name] for name in fields if name in geometry}, ndim=len(geometry["scale"]))
    offset = np.zeros(len(geometry["scale"]))
    offset[-len(corner) :] = corner
    return {**geometry, "translate": tuple(np.asarray(geometry["translate"]) + turn.linear_matrix @ offset)}
