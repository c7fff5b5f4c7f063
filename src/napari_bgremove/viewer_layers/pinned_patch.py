"""The pinned validation patch of a training, as a layer: what the network made of it after an epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_bgremove.viewer_layers.results import put_image

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel

__all__ = ["show_pinned_patch"]

NAME = "Pinned patch (input | signal | background | their truth below)"
ROWS = (("measured", "predicted_signal", "predicted_background"), ("measured", "signal", "background"))


def show_pinned_patch(viewer: Viewer | ViewerModel, file: Path) -> None:
    """Show the preview file of an epoch in our layer."""
    with np.load(file, allow_pickle=False) as arrays:
        picture = np.concatenate([np.concatenate([arrays[name] for name in row], axis=1) for row in ROWS])
    put_image(viewer, NAME, picture, role="pinned", colormap="magma", contrast_limits=(0, 1))
