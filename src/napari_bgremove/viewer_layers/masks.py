"""Masks as Labels layers a person paints in.

A person's mask is sacred. It is changed in place, through the layer's own edit
history and in one step, so that one Ctrl+Z brings it back; its `data` is never
replaced, and a mask that does not fit its image is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.viewer_layers.geometry import frame_shape, geometry_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer, Shapes

__all__ = [
    "MASK_SUFFIX",
    "add_mask_layer",
    "add_restored_mask",
    "edit_mask",
    "hide_preview",
    "mask_of",
    "rasterize_shapes",
    "show_preview",
]

Mask = NDArray[np.bool_]
MASK_SUFFIX = "signal mask"
_PREVIEW_ROLE = "mask preview"


def add_mask_layer(
    viewer: Viewer | ViewerModel, image: Image, mask: Mask | None = None, *, name: str | None = None
) -> Labels:
    """Add a mask for the frames of an image layer, empty unless given, and return it."""
    shape = frame_shape(image)
    values = np.zeros(shape, np.uint8) if mask is None else _fitting(mask, shape, image.name).astype(np.uint8)
    return viewer.add_labels(
        values, name=name or f"{image.name} - {MASK_SUFFIX}", opacity=0.4,
        metadata={"napari_bgremove": {"role": "signal_mask", "of": image.name}},
        **geometry_of(image, ndim=2),
    )  # fmt: skip


def add_restored_mask(viewer: Viewer | ViewerModel, mask: Mask, *, name: str, **geometry: Any) -> Labels:
    """Add a mask that was kept on disk, where it lay before."""
    return viewer.add_labels(
        mask.astype(np.uint8), name=f"{name} (restored)", opacity=0.4,
        metadata={"napari_bgremove": {"role": "signal_mask"}}, **geometry,
    )  # fmt: skip


def mask_of(labels: Labels, shape: tuple[int, int] | None = None) -> Mask:
    """Return a copy of a mask: True where any label is.

    Parameters
    ----------
    labels : napari.layers.Labels
    shape : (rows, columns), optional
        Of the image it has to fit.

    Raises
    ------
    ValueError
        When the mask is a stack, or of another shape.
    """
    mask: Mask = np.asarray(labels.data) != 0
    return mask if shape is None else _fitting(mask, shape, labels.name)


def edit_mask(labels: Labels, mask: Mask) -> bool:
    """Change a mask layer to `mask` as one step of its edit history.

    Labels of other values stay what they are where the mask stays.

    Returns
    -------
    bool
        False when there was nothing to change.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    before = mask_of(labels)
    after = _fitting(mask, before.shape, labels.name)
    changed = np.nonzero(before != after)
    if changed[0].size == 0:
        return False
    labels.data_setitem(changed, after[changed].astype(labels.data.dtype))
    return True


def rasterize_shapes(shapes: Shapes, image: Layer) -> Mask:
    """Return the pixels of an image that lie in the shapes of a layer.

    The corners go through the world: the two layers may have different scales
    and places. Lines and paths have no inside and are left out. Ellipses are
    taken as their polygon.
    """
    from skimage.draw import polygon2mask

    rows, columns = frame_shape(image)
    mask = np.zeros((rows, columns), bool)
    for corners, kind in zip(shapes.data, shapes.shape_type, strict=True):
        if kind in ("line", "path"):
            continue
        outline = _ellipse_outline(corners) if kind == "ellipse" else np.asarray(corners)
        world = np.array([shapes.data_to_world(point) for point in outline])
        pixels = np.array([np.asarray(image.world_to_data(_padded(point, image.ndim)))[-2:] for point in world])
        mask |= polygon2mask((rows, columns), pixels)
    return mask


def show_preview(viewer: Viewer | ViewerModel, image: Image, mask: Mask) -> Labels:
    """Show a mask that is not made yet, in a layer of its own that is reused."""
    layer = _find_preview(viewer)
    if layer is not None and layer.data.shape == mask.shape:
        layer.data = mask.astype(np.uint8)
        layer.scale, layer.translate = image.scale[-2:], image.translate[-2:]
        return layer
    hide_preview(viewer)
    selection = set(viewer.layers.selection)
    layer = viewer.add_labels(
        mask.astype(np.uint8), name="Mask preview", opacity=0.7, metadata={"napari_bgremove": {"role": _PREVIEW_ROLE}},
        colormap=_preview_colormap(), **geometry_of(image, ndim=2),
    )  # fmt: skip
    layer.editable = False
    viewer.layers.selection = selection  # painting goes on where it was
    return layer


def hide_preview(viewer: Viewer | ViewerModel) -> None:
    """Take the preview away, if there is one."""
    layer = _find_preview(viewer)
    if layer is not None:
        viewer.layers.remove(layer)


def _find_preview(viewer: Viewer | ViewerModel) -> Labels | None:
    for layer in viewer.layers:
        if layer.metadata.get("napari_bgremove", {}).get("role") == _PREVIEW_ROLE:
            return layer
    return None


def _preview_colormap() -> dict[int | None, str]:
    return {None: "transparent", 0: "transparent", 1: "yellow"}


def _fitting(mask: Mask, shape: tuple[int, ...], name: str) -> Mask:
    if mask.shape != tuple(shape):
        msg = (
            f"The mask must have the shape of '{name}' ({describe_shape(shape)}); found {describe_shape(mask.shape)}. "
            "Choose the mask that was made for this image, or make a new one."
        )
        raise ValueError(msg)
    return mask


def _ellipse_outline(corners: NDArray[np.floating]) -> NDArray[np.float64]:
    centre = np.mean(corners, axis=0)
    half_axes = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 181)[:-1, None]
    return np.asarray(centre + np.cos(angle) * half_axes[0] + np.sin(angle) * half_axes[1])


def _padded(point: NDArray[np.floating], ndim: int) -> NDArray[np.floating]:
    """Fill in leading zeros, so that a 2-D point can be asked of a stack."""
    return np.concatenate([np.zeros(max(ndim - len(point), 0)), point])[-max(ndim, len(point)) :]
