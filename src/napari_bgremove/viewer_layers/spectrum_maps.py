"""The parts of an image of spectra as layers, with a status of each spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.viewer_layers.geometry import geometry_of
from napari_bgremove.viewer_layers.results import find_layer, put_separation

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

__all__ = ["put_spectrum_map"]

_SUFFIX = ", spectra"
_STATUS_ROLE = "spectrum_status"


def put_spectrum_map(
    viewer: Viewer | ViewerModel,
    image: Image,
    parts: dict[str, NDArray[Any]],
    status: NDArray[np.uint8],
    *,
    record: dict[str, Any],
) -> dict[str, Any]:
    """Show signal and background of all spectra of a layer, and where there is none.

    Parameters
    ----------
    image : napari.layers.Image
        The measured layer.
    parts : dict of str to array
        "signal" and "background", in its shape.
    status : ndarray of uint8
        In its shape; 0 where all is well, and nothing is drawn.
    record : dict
        Provenance, plain JSON values.

    Returns
    -------
    dict of str to layer
    """
    layers: dict[str, Any] = dict(put_separation(viewer, image, parts, record=record, ndim=image.ndim, suffix=_SUFFIX))
    layers["status"] = _put_status(viewer, image, status, record)
    return layers


def _put_status(
    viewer: Viewer | ViewerModel, image: Image, status: NDArray[np.uint8], record: dict[str, Any]
) -> Labels:
    name = f"{image.name} - status{_SUFFIX}"
    layer = find_layer(viewer, name, role=_STATUS_ROLE)
    if layer is not None and layer.data.shape == status.shape:
        layer.data = status  # ours, and never painted in: it is not editable
        return layer
    if layer is not None:
        viewer.layers.remove(layer)
    selection = set(viewer.layers.selection)
    layer = viewer.add_labels(
        status, name=name, opacity=0.5, metadata={"napari_bgremove": {**record, "role": _STATUS_ROLE}},
        **geometry_of(image),
    )  # fmt: skip
    layer.editable = False
    viewer.layers.selection = selection
    return layer
