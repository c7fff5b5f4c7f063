"""Sample data for the viewer's menu: one generated experiment, two shots.

The truth of the full shot comes along, hidden, under the names that a
separation gives its layers, so that a result can be held against it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.synthetic.saxs import Shot, make_full_shot, make_xray_only_shot

__all__ = ["make_full_sample", "make_xray_only_sample"]

LayerData = tuple[NDArray[np.float32], dict[str, Any], str]

SAMPLE_SEED = 1


def make_xray_only_sample() -> list[LayerData]:
    """Make the layer "X-ray-only shot"."""
    shot = make_xray_only_shot(SAMPLE_SEED)
    return [_image_layer("X-ray-only shot", shot.measured, shot)]


def make_full_sample() -> list[LayerData]:
    """Make the layer "Full shot" and, hidden, what it was made of."""
    shot = make_full_shot(SAMPLE_SEED)
    return [
        _image_layer("Full shot - background (noise), truth", shot.background, shot, visible=False),
        _image_layer("Full shot - signal, truth", shot.signal, shot, visible=False),
        _image_layer("Full shot", shot.measured, shot),
    ]


def _image_layer(name: str, values: NDArray[np.float32], shot: Shot, *, visible: bool = True) -> LayerData:
    # Bad pixels are blank; all layers of a shot share the contrast, so that they can be compared.
    values = np.where(shot.valid_mask, values, np.float32(np.nan))
    limits = measure_percentile_range(shot.measured[shot.valid_mask])
    attributes = {
        "name": name,
        "visible": visible,
        "contrast_limits": (float(limits.low), float(limits.high)),
        "metadata": {"napari_bgremove": {"generator": shot.metadata}},
    }
    return values, attributes, "image"
