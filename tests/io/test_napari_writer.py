"""What napari saves through this package comes back: pixels, dtype, place and origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import npe2
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from numpy.typing import NDArray

import napari_bgremove
from napari_bgremove.contributions.geometry import recorded_geometry
from napari_bgremove.contributions.writers import write_image_layer, write_mask_layer
from napari_bgremove.io.masks import read_mask, read_mask_role
from napari_bgremove.io.results import read_provenance

MANIFEST = Path(napari_bgremove.__file__).parent / "napari.yaml"
STACK = np.random.default_rng(2).normal(9, 3, (3, 12, 10)).astype(np.float32)
RECORD = {"unit": "keV", "kev_per_unit": 1.0, "method": "mine", "role": "signal", "of": "shot", "seed": 3}
IN_PLANE = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]  # as a rotation, of the frames only
SUFFIXES = [".tif", ".tiff", ".h5", ".hdf5"]


@pytest.fixture
def viewer(npe2pm: Any) -> Any:
    """A viewer without a window that knows this plugin alone."""
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        yield ViewerModel()


def save(layer: Any, path: Path) -> Path:
    (written,) = npe2.write(str(path), [layer], plugin_name="napari-bgremove")
    return Path(written)


def reopen(viewer: ViewerModel, path: Path) -> Any:
    (layer,) = viewer.open(str(path), plugin="napari-bgremove")
    return layer


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("values", [STACK, STACK[0]], ids=["stack", "image"])
def test_pixels_and_dtype_come_back(
    viewer: ViewerModel, tmp_path: Path, suffix: str, dtype: str, values: NDArray[Any]
) -> None:
    values = np.abs(values).astype(dtype)
    layer = viewer.add_image(values, name="mine", metadata={"napari_bgremove": RECORD})
    back = reopen(viewer, save(layer, tmp_path / f"saved{suffix}"))
    assert back.data.dtype == values.dtype
    np.testing.assert_array_equal(np.asarray(back.data), values)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_origin_and_place_come_back(viewer: ViewerModel, tmp_path: Path, suffix: str) -> None:
    layer = viewer.add_image(
        STACK, name="shot - signal", metadata={"napari_bgremove": RECORD}, scale=(2, 75, 55), translate=(0, 10, 20),
        units=("pixel", "um", "um"), axis_labels=("frame", "y", "x"), rotate=IN_PLANE, shear=(0, 0, 0.1),
    )  # fmt: skip
    back = reopen(viewer, save(layer, tmp_path / f"saved{suffix}"))
    record = back.metadata["napari_bgremove"]
    assert {key: record[key] for key in RECORD} == RECORD
    assert record["layer"]["name"] == "shot - signal"
    np.testing.assert_allclose(record["pixel_size_m"], (75e-6, 55e-6))
    assert back.name == "saved"
    assert (back.units, back.axis_labels) == (layer.units, layer.axis_labels)
    point = (1, 3, 4)
    np.testing.assert_allclose(back.data_to_world(point), layer.data_to_world(point))


def test_frames_of_a_lazy_stack_are_written_one_by_one(viewer: ViewerModel, tmp_path: Path) -> None:
    at_once: list[int] = []

    def make(block: NDArray[Any]) -> NDArray[Any]:
        at_once.append(len(block))
        return block

    lazy = da.from_array(STACK, chunks=(1, 12, 10)).map_blocks(make, meta=np.empty((0, 0, 0), STACK.dtype))
    write_image_layer(str(tmp_path / "lazy.tif"), lazy, {"name": "lazy"})
    assert at_once == [1, 1, 1]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "lazy.tif"), STACK)


def test_what_a_file_was_read_from_is_remembered(viewer: ViewerModel, tmp_path: Path) -> None:
    np.save(tmp_path / "raw.npy", STACK)
    back = reopen(viewer, save(reopen(viewer, tmp_path / "raw.npy"), tmp_path / "copy.tif"))
    record = back.metadata["napari_bgremove"]
    assert record["file"] == str(tmp_path / "copy.tif")
    assert record["read_from"]["file"] == str(tmp_path / "raw.npy")


def test_a_file_of_others_is_replaced_in_one_step_or_stays(tmp_path: Path) -> None:
    target = tmp_path / "theirs.tif"
    target.write_bytes(b"theirs")

    def fail(block: NDArray[Any]) -> NDArray[Any]:
        msg = "'frame 0' cannot be read."
        raise ValueError(msg)

    broken = da.from_array(STACK, chunks=(1, 12, 10)).map_blocks(fail, meta=np.empty((0, 0, 0), STACK.dtype))
    # Not as a ValueError, which napari takes for "no writer".
    with pytest.raises(OSError, match=r"'frame 0' cannot be read\."):
        write_image_layer(str(target), broken, {"name": "broken"})
    assert target.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.tif"]
    write_image_layer(str(target), STACK, {"name": "whole"})
    np.testing.assert_array_equal(tifffile.imread(target), STACK)


def test_a_lazy_stack_is_not_written_into_its_own_file(viewer: ViewerModel, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK, photometric="minisblack")
    before = (tmp_path / "stack.tif").read_bytes()
    layer = reopen(viewer, tmp_path / "stack.tif")
    with pytest.raises(OSError, match=r"'stack.tif' is the file this layer is read from, frame by frame. Save it"):
        save(layer, tmp_path / "stack.tif")
    assert (tmp_path / "stack.tif").read_bytes() == before


@pytest.mark.parametrize(
    ("values", "found"), [(np.zeros((4, 5, 3), np.uint8), "a colour image"), (np.zeros((2, 3, 4, 5)), "2 x 3 x 4 x 5")]
)
def test_what_no_detector_image_is_is_refused(tmp_path: Path, values: NDArray[Any], found: str) -> None:
    with pytest.raises(TypeError, match=f"'odd' must be an image or a stack of images .* found {found}"):
        write_image_layer(str(tmp_path / "odd.tif"), values, {"name": "odd", "rgb": values.shape[-1] == 3})
    assert not list(tmp_path.iterdir())


def test_a_bool_image_is_written_as_bytes(tmp_path: Path) -> None:
    write_image_layer(str(tmp_path / "b.tif"), STACK[0] > 9, {"name": "b"})
    read = tifffile.imread(tmp_path / "b.tif")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, STACK[0] > 9)
    assert read_provenance(tmp_path / "b.tif")["layer"]["name"] == "b"


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".npy", ".edf", ".h5", ".hdf5"])
def test_a_mask_comes_back_from_every_format(viewer: ViewerModel, tmp_path: Path, suffix: str) -> None:
    mask = STACK[0] > 9
    layer = viewer.add_labels(mask.astype(np.uint8), metadata={"napari_bgremove": {"role": "signal_mask"}})
    path = save(layer, tmp_path / f"mask{suffix}")
    np.testing.assert_array_equal(read_mask(path), mask)
    assert read_mask_role(path) == (None if suffix in (".npy", ".edf") else "signal")
    np.testing.assert_array_equal(np.asarray(reopen(viewer, path).data) != 0, mask)


def test_labels_that_would_be_merged_are_no_mask(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with pytest.raises(TypeError, match="'cells' must have one label to be saved as a mask; found 11"):
        write_mask_layer(str(tmp_path / "m.tif"), labels, {"name": "cells"})
    ours = {"name": "mask", "metadata": {"napari_bgremove": {"role": "signal_mask"}}}
    write_mask_layer(str(tmp_path / "m.tif"), labels, ours)  # here every label means inside
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif"), labels != 0)


def test_a_stack_of_labels_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'m' must be one image to be saved as a mask; found 2 x 3 x 4"):
        write_mask_layer(str(tmp_path / "m.tif"), np.ones((2, 3, 4), np.uint8), {"name": "m"})


@pytest.mark.parametrize(
    "layer",
    [
        None, [], "scale", {}, {"scale": [1]}, {"scale": [0, 1]}, {"scale": ["a", "b"]}, {"scale": [float("nan"), 1]},
        {"scale": [[1, 2]]}, {"scale": {"x": 1}}, {"scale": None},
    ],
)  # fmt: skip
def test_a_place_that_makes_no_sense_is_left_out(layer: Any) -> None:
    assert recorded_geometry({"layer": layer}, ndim=2) == {}


def test_units_and_names_that_make_no_sense_are_left_out() -> None:
    layer = {"scale": [1, 2], "units": ["parsec", "um"], "axis_labels": ["y", "y"], "affine": [1], "rotate": "no"}
    assert recorded_geometry({"layer": layer}, ndim=2) == {"scale": [1.0, 2.0]}
