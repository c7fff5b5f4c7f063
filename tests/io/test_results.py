"""Results come back as they were written, with their record, or were never there."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_bgremove.errors import ReadError
from napari_bgremove.io.images import open_images, read_image
from napari_bgremove.io.results import StackWriter, read_provenance, write_image, write_ledger, write_separation
from napari_bgremove.separation import Separation

IMAGE = np.random.default_rng(0).normal(5, 2, (12, 9)).astype(np.float32)
IMAGE[2, 3] = np.nan
RECORD = {"method": "saxs-unet", "model": "ab12", "inputs": ["shot µ.tif"], "seed": np.int64(3), "bad": float("nan")}
SUFFIXES = [".tif", ".h5"]


def make_separation(uncertainty: bool = True) -> Separation:
    measured = np.abs(IMAGE)
    return Separation(
        signal=measured * 0.75,
        background=measured * 0.25,
        measured=measured,
        uncertainty=measured * 0.01 if uncertainty else None,
        provenance=RECORD,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_comes_back_bit_for_bit_with_nan_and_record(tmp_path, suffix):
    path = write_image(tmp_path / f"ä b{suffix}", IMAGE, provenance=RECORD, pixel_scale=(75e-6, 50e-6))
    read = read_image(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, IMAGE)
    record = read_provenance(path)
    assert record["inputs"] == ["shot µ.tif"]
    assert record["seed"] == 3
    assert record["bad"] is None
    assert open_images(path).metadata["pixel_size_m"] == (75e-6, 50e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_single_image_has_no_frame_axis_and_a_stack_of_one_has(tmp_path, suffix):
    write_image(tmp_path / f"image{suffix}", IMAGE, provenance={})
    write_image(tmp_path / f"stack{suffix}", np.stack([IMAGE] * 2), provenance={})
    assert not open_images(tmp_path / f"image{suffix}").is_stack
    assert len(open_images(tmp_path / f"stack{suffix}")) == 2


@pytest.mark.parametrize("dtype", ["f8", "i4", "u2", "f2", "?"])
def test_every_real_dtype_becomes_float32(tmp_path, dtype):
    image = (np.arange(20).reshape(4, 5) % 2).astype(dtype)
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "a.tif", image, provenance={})), image)


def test_the_tiff_states_its_pixel_size_to_other_programs(tmp_path):
    write_image(tmp_path / "a.tif", IMAGE, provenance={}, pixel_scale=50e-6)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.resolution == pytest.approx((200.0, 200.0))  # pixels in a centimetre
        assert file.pages.first.resolutionunit == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stack_is_written_frame_by_frame_and_appears_at_the_end(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    with StackWriter(path, provenance=RECORD) as writer:
        for number in range(5):
            writer.append(IMAGE + number)
            assert not path.exists()
    stack = open_images(path)
    assert stack.data.shape == (5, 12, 9)
    np.testing.assert_array_equal(stack.frame(4), IMAGE + 4)
    assert read_provenance(path)["method"] == "saxs-unet"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stack_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    write_image(path, IMAGE, provenance={})
    old = path.read_bytes()
    with pytest.raises(KeyError), StackWriter(path, provenance={}) as writer:  # noqa: PT012
        writer.append(IMAGE)
        raise KeyError
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stack_without_frames_is_an_error(tmp_path, suffix):
    with (
        pytest.raises(ValueError, match=rf"'run{suffix}' must contain at least one frame; none was appended"),
        StackWriter(tmp_path / f"run{suffix}", provenance={}),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_an_error_and_keeps_the_old_file(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    write_image(path, IMAGE, provenance={})
    old = path.read_bytes()
    # A file size limit stands in for a full disk.
    script = (
        "import resource, sys\nimport numpy as np\nfrom napari_bgremove.io.results import StackWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "try:\n    with StackWriter(sys.argv[1], provenance={}) as writer:\n"
        "        for _ in range(50):\n            writer.append(np.ones((64, 64)))\n"
        "except OSError:\n    raise SystemExit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_frames_of_another_size_or_kind_are_refused(tmp_path):
    with StackWriter(tmp_path / "run.tif", provenance={}) as writer:
        writer.append(IMAGE)
        with pytest.raises(ValueError, match=r"'frame' must have the size of the first \(12 x 9\); found 9 x 12"):
            writer.append(IMAGE.T)
        with pytest.raises(ValueError, match=r"'frame' must be a real image with pixels; found 9 float32"):
            writer.append(IMAGE[0])
        with pytest.raises(ValueError, match=r"'frame' must be a real image with pixels; found 12 x 9 complex64"):
            writer.append(IMAGE.astype(np.complex64))


def test_the_writer_has_to_be_entered_first(tmp_path):
    with pytest.raises(ValueError, match=r"'StackWriter' must be entered before a frame is appended"):
        StackWriter(tmp_path / "run.tif", provenance={}).append(IMAGE)


def test_a_writer_of_one_image_takes_one(tmp_path):
    with StackWriter(tmp_path / "a.tif", provenance={}, is_stack=False) as writer:
        writer.append(IMAGE)
        with pytest.raises(ValueError, match=r"must hold one image when is_stack is False; found a second frame"):
            writer.append(IMAGE)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), (1.0, 2.0, 3.0)])
def test_a_pixel_size_has_to_be_a_length(tmp_path, scale):
    with pytest.raises(ValueError, match=r"'pixel_scale' must be one or two lengths above zero in metres"):
        write_image(tmp_path / "a.tif", IMAGE, provenance={}, pixel_scale=scale)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2, 2)])
def test_an_array_that_is_no_image_is_not_written(tmp_path, shape):
    with pytest.raises(ValueError, match=r"'array' must be an image or a stack of images; found \d axes"):
        write_image(tmp_path / "a.tif", np.ones(shape), provenance={})


def test_a_file_of_someone_else_has_no_record(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    with pytest.raises(ReadError, match=r"'a.tif' must carry a record of napari-bgremove; found none"):
        read_provenance(tmp_path / "a.tif")


@pytest.mark.parametrize(("format", "suffix"), [("tiff", ".tif"), ("hdf5", ".h5")])
def test_a_separation_is_written_beside_each_other_with_its_ledger(tmp_path, format, suffix):
    separation = make_separation()
    paths = write_separation(tmp_path / "out", "shot7", separation, unit="counts", format=format, pixel_scale=75e-6)
    assert {name: path.name for name, path in paths.items()} == {
        "signal": f"shot7-signal{suffix}",
        "background": f"shot7-background{suffix}",
        "uncertainty": f"shot7-uncertainty{suffix}",
        "ledger": "shot7.json",
    }
    np.testing.assert_array_equal(read_image(paths["signal"]), separation.signal)
    np.testing.assert_array_equal(read_image(paths["background"]), separation.background)
    assert read_provenance(paths["background"])["field"] == "background"
    assert open_images(paths["signal"]).metadata["unit"] == "counts"
    record = json.loads(paths["ledger"].read_text())["napari_bgremove"]
    assert record["ledger_unit"] == "counts"
    assert record["ledger"] == separation.ledger()
    assert read_provenance(paths["ledger"])["provenance"]["model"] == "ab12"


def test_with_a_calibration_the_ledger_is_in_kev(tmp_path):
    separation = make_separation()
    paths = write_separation(tmp_path, "a", separation, unit="ADU", kev_per_unit=0.25)
    record = read_provenance(paths["ledger"])
    assert record["ledger_unit"] == "keV"
    assert record["ledger"]["measured"] == pytest.approx(0.25 * np.nansum(separation.measured, dtype=float))
    assert open_images(paths["signal"]).metadata["kev_per_unit"] == 0.25


def test_an_uncertainty_that_does_not_exist_is_not_written(tmp_path):
    paths = write_separation(tmp_path, "a", make_separation(uncertainty=False), unit="counts")
    assert sorted(paths) == ["background", "ledger", "signal"]


def test_only_the_fields_asked_for_are_written(tmp_path):
    paths = write_separation(tmp_path, "a", make_separation(), unit="counts", fields=("signal",))
    assert sorted(paths) == ["ledger", "signal"]
    with pytest.raises(ValueError, match=r"'fields' must be one of signal, background, uncertainty; found 'noise'"):
        write_separation(tmp_path, "a", make_separation(), unit="counts", fields=("noise",))
    with pytest.raises(ValueError, match=r"'format' must be one of tiff, hdf5; found 'png'"):
        write_separation(tmp_path, "a", make_separation(), unit="counts", format="png")


def test_a_ledger_per_frame_is_kept_in_order(tmp_path):
    path = write_ledger(tmp_path / "run.json", [{"signal": 1.0}, {"signal": 2.0}], unit="keV", provenance={})
    assert [entry["signal"] for entry in read_provenance(path)["ledger"]] == [1.0, 2.0]
