"""What napari gets from a file: lazy frames, a contrast that shows something, a record in plain JSON, one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import yaml
from napari.components import ViewerModel
from numpy.typing import NDArray

import napari_bgremove
from napari_bgremove.contributions.readers import get_image_reader, read_images
from napari_bgremove.errors import ReadError
from napari_bgremove.io.masks import write_mask
from napari_bgremove.io.readers import IMAGE_SUFFIXES
from napari_bgremove.io.results import write_separation
from napari_bgremove.separation import Separation

MANIFEST = Path(napari_bgremove.__file__).parent / "napari.yaml"
STACK = np.random.default_rng(1).poisson(50, (4, 20, 30)).astype(np.uint16)
FORMATS = [
    ".tif", ".tif.gz", ".npy", ".npz", ".fits", ".edf", ".cbf", ".img", ".mccd", ".h5", ".nxs", ".cxi",
]  # fmt: skip
WriteFile = Callable[..., Path]


@pytest.fixture
def viewer(npe2pm: Any) -> Any:
    """A viewer without a window that knows this plugin alone."""
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        yield ViewerModel()


def open_file(viewer: ViewerModel, *paths: Path, stack: bool = False) -> Any:
    """Open as a person does who chose this plugin."""
    (layer,) = viewer.open([str(path) for path in paths], plugin="napari-bgremove", stack=stack)
    return layer


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_every_format_opens_as_a_layer(viewer: ViewerModel, write_file: WriteFile, suffix: str) -> None:
    image = STACK[0].astype(np.int32) if suffix == ".cbf" else STACK[0].astype(np.int16)
    path = write_file(suffix, image, name="shot.7")
    layer = open_file(viewer, path)
    np.testing.assert_array_equal(layer.data, image)
    assert layer.name == "shot.7"
    record = layer.metadata["napari_bgremove"]
    assert record["file"] == str(path)
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".fits", ".edf", ".h5"])
def test_a_stack_stays_in_its_file(viewer: ViewerModel, write_file: WriteFile, suffix: str) -> None:
    layer = open_file(viewer, write_file(suffix, STACK.astype(np.int16)))
    assert isinstance(layer.data, da.Array)
    assert layer.data.chunksize == (1, 20, 30)
    np.testing.assert_array_equal(layer.data, STACK)


def test_of_a_stack_one_frame_is_read(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    path = write_file(".tif", STACK)

    def count(indices: NDArray[Any], read_frame: Any, shape: Any, dtype: Any) -> NDArray[Any]:
        read.extend(indices.tolist())
        return np.asarray(read_frame(int(indices[0])))[np.newaxis]

    monkeypatch.setattr("napari_bgremove.io.images._read_block", count)
    read_images(str(path))
    assert read == [0]


def test_the_manifest_offers_every_suffix_the_readers_know() -> None:
    readers = yaml.safe_load(MANIFEST.read_text())["contributions"]["readers"]
    patterns = {
        pattern for reader in readers if reader["command"].endswith("image_reader")
        for pattern in reader["filename_patterns"]
    }  # fmt: skip
    assert patterns == {f"*{suffix}" for suffix in IMAGE_SUFFIXES}


@pytest.mark.parametrize(("dtype", "gap"), [(np.uint32, 2**32 - 1), (np.int32, 2**22 - 1), (np.int32, -2)])
def test_gaps_do_not_decide_the_contrast(write_file: WriteFile, dtype: type, gap: int) -> None:
    image = STACK[0].astype(dtype)
    image[:, 10:14] = gap
    ((data, attributes, _),) = read_images(str(write_file(".npy", image)))
    low, high = attributes["contrast_limits"]
    assert 0 < low < high <= STACK.max()
    assert (data[:, 10:14] == gap).all()  # shown differently, not changed


@pytest.mark.parametrize("image", [np.full((5, 6), np.nan, np.float32), np.full((5, 6), 7, np.uint16)])
def test_an_image_with_nothing_to_see_opens(viewer: ViewerModel, write_file: WriteFile, image: NDArray[Any]) -> None:
    low, high = open_file(viewer, write_file(".npy", image)).contrast_limits
    assert low < high


def test_the_pixel_size_is_told_and_the_layer_lies_in_pixels(viewer: ViewerModel, write_file: WriteFile) -> None:
    layer = open_file(viewer, write_file(".edf", STACK[0]))
    assert layer.metadata["napari_bgremove"]["pixel_size_m"] == [7.5e-05, 5.5e-05]
    assert tuple(layer.scale) == (1, 1)


def test_files_become_one_stack_in_the_order_given(viewer: ViewerModel, write_file: WriteFile) -> None:
    paths = [write_file(".npy", frame, name=f"shot{i}") for i, frame in enumerate(STACK)]
    layer = open_file(viewer, *reversed(paths), stack=True)
    np.testing.assert_array_equal(layer.data, STACK[::-1])
    assert layer.name == "shot3 to shot0"
    assert layer.metadata["napari_bgremove"]["files"][-1] == str(paths[0])


def test_files_of_different_sizes_are_no_stack(write_file: WriteFile) -> None:
    paths = [write_file(".npy", STACK[0], name="a"), write_file(".npy", STACK[0, :5], name="b")]
    sentence = r"'b.npy' must have the size and type of 'a.npy' \(20 x 30 uint16\) to be in one stack; found 5 x 30"
    with pytest.raises(ReadError, match=sentence):
        read_images([str(path) for path in paths])


def test_a_damaged_file_is_one_sentence_without_a_window(viewer: ViewerModel, write_file: WriteFile) -> None:
    path = write_file(".tif", STACK)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ReadError, match=r"'shot.tif' must be complete;"):
        open_file(viewer, path)
    assert not viewer.layers


def test_a_result_knows_its_part_and_what_it_was_taken_from(viewer: ViewerModel, tmp_path: Path) -> None:
    measured = STACK[0].astype(np.float32)
    separation = Separation(
        signal=measured * 0.75, background=measured * 0.25, measured=measured, uncertainty=measured * 0.01,
        provenance={"method": "saxs_unet", "input": {"file": "run.1.tif.gz"}},
    )  # fmt: skip
    paths = write_separation(tmp_path, "renamed", separation, unit="keV", kev_per_unit=1.0, pixel_scale=75e-6)
    for part in ("signal", "background", "uncertainty"):
        record = open_file(viewer, paths[part]).metadata["napari_bgremove"]
        assert (record["role"], record["of"]) == (part, "run.1")
        assert (record["method"], record["unit"], record["pixel_size_m"]) == ("saxs_unet", "keV", [75e-6, 75e-6])


@pytest.mark.parametrize("suffix", [".tif", ".h5"])
@pytest.mark.parametrize("role", ["signal", "valid"])
def test_a_mask_file_opens_as_a_mask(viewer: ViewerModel, tmp_path: Path, suffix: str, role: str) -> None:
    mask = STACK[0] > 50
    layer = open_file(viewer, write_mask(tmp_path / f"mask{suffix}", mask, role=role))
    assert type(layer).__name__ == "Labels"
    np.testing.assert_array_equal(layer.data, mask)
    assert layer.metadata["napari_bgremove"]["role"] == f"{role}_mask"


def test_reading_needs_no_window_and_no_plugin_manager(write_file: WriteFile) -> None:
    path = str(write_file(".tif", STACK[0]))
    ((data, _, kind),) = get_image_reader(path)(path)
    assert kind == "image"
    np.testing.assert_array_equal(data, STACK[0])
