"""Results as layers: new ones, or our own updated in place; never a person's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.viewer_layers.geometry import geometry_of, shifted

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

__all__ = ["PARTS", "find_layer", "link_display", "put_image", "put_separation"]

# Part of a separation: how its layer is called after the name of the measured one.
PARTS = {
    "signal": "signal",
    "background": "background (noise)",
    "uncertainty": "uncertainty",
    "residual": "residual",
}

# What of a layer says where it lies.
PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def find_layer(viewer: Viewer | ViewerModel, name: str, *, role: str) -> Layer | None:
    """Return the layer of that name if we made it for that role."""
    for layer in viewer.layers:
        if layer.name == name and layer.metadata.get("napari_bgremove", {}).get("role") == role:
            return layer
    return None


def put_image(
    viewer: Viewer | ViewerModel, name: str, values: Any, *, role: str, record: dict[str, Any] | None = None,
    copy: bool = True, **options: Any,
) -> Image:  # fmt: skip
    """Show an array, numpy or dask, in our layer of that name and role; made when it is not there.

    A layer that is updated keeps its contrast, and the selection stays. Large
    arrays that nobody else holds need no `copy`, which holds the window.
    """
    metadata = {"napari_bgremove": {**(record or {}), "role": role}}
    layer = find_layer(viewer, name, role=role)
    # napari shares the memory of what it is given; a lazy array stays lazy.
    values = np.array(values) if copy and isinstance(values, np.ndarray) else values
    if layer is not None and layer.ndim == values.ndim:
        layer.data = values
        layer.metadata = metadata
        for place in options.keys() & PLACE:  # the measured image may have been moved meanwhile
            setattr(layer, place, options[place])
        return layer
    if layer is not None:
        viewer.layers.remove(layer)
    selection = set(viewer.layers.selection)
    layer = viewer.add_image(values, name=name, metadata=metadata, **options)
    viewer.layers.selection = selection or {layer}
    return layer


def put_separation(
    viewer: Viewer | ViewerModel, image: Image, parts: Mapping[str, Any], *, record: dict[str, Any],
    ndim: int = 2, suffix: str = "", corner: Sequence[int] = (), copy: bool = True,
) -> dict[str, Image]:  # fmt: skip
    """Show the parts of an image as layers called after it; ours of an earlier run are updated in place.

    Parameters
    ----------
    image : napari.layers.Image
        The measured layer: geometry and display are taken from it.
    parts : mapping of str to array
        Keys of `PARTS`; numpy or dask.
    record : dict
        Provenance, plain JSON values.
    ndim : int
        2 for one frame, otherwise that of the layer.
    suffix : str
        Ends the names of the layers, so that the parts of a stack and of one
        of its frames stand beside each other.
    corner : sequence of int
        First row and column of the part of the frame that was separated; ()
        for all of it.
    copy : bool
        As in `put_image`.
    """
    layers, geometry = {}, geometry_of(image, ndim=ndim)
    # The name for people and files, the number for as long as the viewer lives: names change.
    origin = {"of": image.name, "of_layer": str(image.unique_id)}
    for part, values in parts.items():
        shared = part in ("signal", "background")
        options: dict[str, Any] = shifted(geometry, corner) if corner else dict(geometry)
        if shared:
            options |= {"colormap": image.colormap, "contrast_limits": image.contrast_limits, "gamma": image.gamma}
        else:
            options |= {"colormap": "viridis", "visible": False}
        name = f"{image.name} - {PARTS[part]}{suffix}"
        layers[part] = put_image(viewer, name, values, role=part, record={**record, **origin}, copy=copy, **options)
    link_display(viewer, [image, *(layers[part] for part in ("signal", "background") if part in layers)])
    return layers


def link_display(viewer: Viewer | ViewerModel, layers: Sequence[Image]) -> None:
    """Let the layers share contrast, gamma and colormap, so that what is compared looks alike."""
    viewer.layers.link_layers([unwrapped(layer) for layer in layers],
                              attributes=("contrast_limits", "gamma", "colormap"))  # fmt: skip
