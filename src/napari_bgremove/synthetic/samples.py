"""Sample data for the viewer's menu, all generated.

The truth of the full shot comes along, hidden, under the names that a
separation gives its layers, so that a result can be held against it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.spectra.pictures import brightness_of_picture, place_of_picture
from napari_bgremove.spectra.set_records import labels_of_set
from napari_bgremove.synthetic.core_levels import CoreLevelImage, make_core_level_image
from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.libs import make_chemcam_set
from napari_bgremove.synthetic.saxs import Shot, make_full_shot, make_shot_pair, make_xray_only_shot
from napari_bgremove.synthetic.scattering import Scattering

__all__ = [
    "make_chemcam_sample",
    "make_core_level_sample",
    "make_full_sample",
    "make_spectrum_sample",
    "make_training_sample",
    "make_xray_only_sample",
]

LayerData = tuple[NDArray[np.float32], dict[str, Any], str]

SAMPLE_SEED = 1
TRAINING_SEEDS = (7, 8)
STRIP_ROWS = 32
ROCKS, SHOTS_PER_ROCK = 12, 5
# A steep pattern near one end leaves the rest of the detector for background patches.
TRAINING = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)


def make_xray_only_sample() -> list[LayerData]:
    """Make the layer "X-ray-only shot"."""
    shot = make_xray_only_shot(SAMPLE_SEED)
    return [_image_layer("X-ray-only shot", "measured", shot)]


def make_full_sample() -> list[LayerData]:
    """Make the layer "Full shot" and, hidden, what it was made of."""
    shot = make_full_shot(SAMPLE_SEED)
    return [
        _image_layer("Full shot - background (noise), truth", "background", shot, visible=False),
        _image_layer("Full shot - signal, truth", "signal", shot, visible=False),
        _image_layer("Full shot", "measured", shot),
    ]


def make_training_sample() -> list[LayerData]:
    """Make two x-ray-only shots and the full shots that belong to them: enough to train on.

    Two, because validation is on shots of its own.
    """
    layers = []
    for number, seed in enumerate(TRAINING_SEEDS, start=1):
        pair = make_shot_pair(seed, scattering=TRAINING, hits=Hits(rate=0.05))
        for kind, shot in zip(("X-ray only", "Full"), pair, strict=True):
            layers.append(_image_layer(f"{kind} {number}", "measured", shot))
            layers[-1][1]["metadata"]["napari_bgremove"]["part"] = f"{kind} {number}"
    return layers


def make_core_level_sample() -> list[LayerData]:
    """Make the layer "Core level": a photoelectron spectrum in every row of a detector, energy along the columns."""
    return [_spectra_layer("Core level", make_core_level_image(SAMPLE_SEED))]


def make_spectrum_sample() -> list[LayerData]:
    """Make the layer "XPS spectrum": one spectrum, as a strip on which a line is drawn."""
    image = make_core_level_image(SAMPLE_SEED, shape=(1, 601), peak=20_000.0, floor=4000.0, dead_rows=0)
    return [_spectra_layer("XPS spectrum", image, height=STRIP_ROWS)]


def make_chemcam_sample() -> list[LayerData]:
    """Make the layer "ChemCam shots", a spectrum of a rock in each row, and, hidden, what it was made of."""
    made = make_chemcam_set(n_targets=ROCKS, shots=SHOTS_PER_ROCK, darks=1, seed=SAMPLE_SEED)
    scale, translate = place_of_picture(made.set.axis, made.set.n_spectra)
    about = {"generator": dict(made.set.provenance), "spectra": labels_of_set(made.set)}
    parts = {
        "background": ("ChemCam shots - background (noise), truth", made.background),
        "signal": ("ChemCam shots - signal, truth", made.signal),
        "measured": ("ChemCam shots", made.set.spectra),
    }
    attributes = {
        "scale": scale, "translate": translate, "contrast_limits": brightness_of_picture(made.set.spectra),
    }  # fmt: skip
    return [
        (values, {**attributes, "name": name, "visible": part == "measured",
                  "metadata": {"napari_bgremove": {**about, "part": part}}}, "image")
        for part, (name, values) in parts.items()
    ]  # fmt: skip


def _spectra_layer(name: str, image: CoreLevelImage, *, height: int = 1) -> LayerData:
    step = float(image.energy[1] - image.energy[0])
    attributes = {
        "name": name,
        "scale": (step, step),  # square pixels on the screen; only the columns are energies
        "translate": (0.0, float(image.energy[0])),
        "metadata": {"napari_bgremove": {"generator": image.metadata, "part": "measured"}},
    }
    return np.repeat(image.measured, height, axis=0), attributes, "image"


def _image_layer(name: str, part: str, shot: Shot, *, visible: bool = True) -> LayerData:
    # Bad pixels are blank; all layers of a shot share the contrast, so that they can be compared.
    values = np.where(shot.valid_mask, getattr(shot, part), np.float32(np.nan))
    limits = measure_percentile_range(shot.measured[shot.valid_mask])
    attributes = {
        "name": name,
        "visible": visible,
        "contrast_limits": (float(limits.low), float(limits.high)),
        "metadata": {"napari_bgremove": {"generator": shot.metadata, "part": part}},
    }
    return values, attributes, "image"
