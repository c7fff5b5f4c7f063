"""What the mask and patches panels put on the clipboard makes the same masks and patches."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal

from napari_bgremove.images.mask_rules import MaskRules
from napari_bgremove.io.masks import read_mask, write_mask
from napari_bgremove.io.patch_sets import read_patch_set
from napari_bgremove.widgets import copies
from napari_bgremove.widgets.mask_forms import MaskRequest
from napari_bgremove.widgets.patches_work import PatchNumbers, SourceImage, extract

SHAPE = (120, 150)


@pytest.fixture
def viewer(tmp_path: Path) -> Any:
    """Layers that come from files, as napari makes them."""
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    spot = 200 * np.exp(-((rows - 60) ** 2 + (columns - 30) ** 2) / 200)
    for name, level in (("xray", 2.0), ("full", 30.0)):
        values = rng.poisson(spot + level).astype(np.float32)
        values[5, 100] = 1e4
        np.save(tmp_path / f"{name}.npy", values)
        layer = napari.layers.Image(values, name=name)
        layer._set_source(layer.source.model_copy(update={"path": str(tmp_path / f"{name}.npy")}))
        viewer.add_layer(layer)
    return viewer


def _python(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)


def _command(text: str, folder: Path) -> None:
    words = shlex.split(text)
    assert words[0] == "bgremove"
    subprocess.run([sys.executable, "-m", "napari_bgremove", *words[1:]], check=True, cwd=folder, capture_output=True)


def test_a_mask(viewer: Any, tmp_path: Path) -> None:
    image = viewer.layers["xray"]
    request = MaskRequest(True, 5.0, 65, 3, 16, True, MaskRules())
    expected = request.compute(image.data)
    assert 0 < expected.mean() < 1
    _command(copies.mask_as_command(image, request), tmp_path)
    assert_array_equal(read_mask(tmp_path / "masks" / "xray-signal-mask.tif"), expected)
    ruled = MaskRequest(True, 5.0, 65, 3, 16, True, MaskRules(above=40.0, between=(1.0, 2.0)))
    _python(f"{copies.mask_as_python(viewer, image, ruled)}\nimport numpy\nnumpy.save('mask.npy', mask)", tmp_path)
    assert_array_equal(np.load(tmp_path / "mask.npy"), ruled.compute(image.data))


@pytest.mark.parametrize("any_angle", [True, False])
def test_patches(viewer: Any, tmp_path: Path, any_angle: bool) -> None:
    xray, full = viewer.layers["xray"], viewer.layers["full"]
    mask = MaskRequest(True, 5.0, 65, 3, 16, True, MaskRules()).compute(xray.data)
    labels = viewer.add_labels(mask.astype(np.uint8), name="drawn")
    write_mask(tmp_path / "drawn.tif", mask, role="signal")
    numbers = PatchNumbers(32, 4, 5, None, any_angle, 11)
    expected = extract([SourceImage("xray", xray.data)], [SourceImage("full", full.data, mask)], numbers)
    sources = [xray], [full]
    _python(copies.patches_as_python(viewer, sources, labels, numbers), tmp_path)
    _command(copies.patches_as_command(sources, labels, numbers), tmp_path)
    for folder in (tmp_path, tmp_path / "patches"):
        assert_array_equal(read_patch_set(folder / "signal.npz").patches, expected.signal["xray"].patches)
        assert_array_equal(read_patch_set(folder / "background.npz").patches, expected.background["full"].patches)
