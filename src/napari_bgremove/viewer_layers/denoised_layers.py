"""Denoised rows of an image, a map or a stack as layers beside the measured one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.viewer_layers.geometry import geometry_of
from napari_bgremove.viewer_layers.results import link_display, put_image

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["DENOISED_ROLE", "NOISE_ROLE", "put_denoised"]

DENOISED_ROLE, NOISE_ROLE = "denoised", "noise"
# Of normal noise 99.7 % is shown.
_SIGMAS_SHOWN = 3.0


def put_denoised(
    viewer: Viewer | ViewerModel,
    image: Image,
    denoised: NDArray[np.float32],
    noise: NDArray[np.float32],
    *,
    method: str,
    record: dict[str, Any],
) -> tuple[Image, Image]:
    """Show what is left of a layer without its noise, and the noise, below it and hidden.

    Each method has layers of its own; those of an earlier run are updated.

    Parameters
    ----------
    image : napari.layers.Image
        The measured layer: geometry, contrast and colormap are taken from it.
    denoised, noise : ndarray
        In its shape. They are handed over, not copied.
    method : str
        Ends the names of the layers.
    record : dict
        Provenance, plain JSON values.

    Returns
    -------
    denoised, noise : napari.layers.Image
    """
    record = {**record, "of": image.name, "of_layer": str(image.unique_id)}
    geometry = geometry_of(image)
    alike = {"colormap": image.colormap, "contrast_limits": image.contrast_limits, "gamma": image.gamma}
    limit = _SIGMAS_SHOWN * float(np.sqrt(np.nanmean(np.square(noise)))) or 1.0
    hidden = {"colormap": "gray", "contrast_limits": (-limit, limit), "visible": False}
    taken = put_image(
        viewer, f"{image.name} - noise, {method}", noise, role=NOISE_ROLE, record=record, copy=False,
        **geometry, **hidden,
    )  # fmt: skip
    left = put_image(
        viewer, f"{image.name} - denoised, {method}", denoised, role=DENOISED_ROLE, record=record, copy=False,
        **geometry, **alike,
    )  # fmt: skip
    link_display(viewer, [image, left])
    return left, taken
