"""HDF5: which dataset is the image, and which of its values were never measured."""

from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.io.images import list_datasets, open_images, read_image

IMAGE = np.arange(1, 481, dtype=np.int32).reshape(24, 20)


def test_the_nexus_default_is_followed(tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["other/larger"] = np.ones((50, 50))
        file["entry/result/counts"] = IMAGE
        file.attrs["default"] = "entry"
        file["entry"].attrs["default"] = "result"
        file["entry/result"].attrs.update({"NX_class": "NXdata", "signal": "counts"})
    stack = open_images(tmp_path / "a.nxs")
    assert stack.dataset == "/entry/result/counts"
    assert stack.notes == (
        "'a.nxs': the dataset '/entry/result/counts' (24 x 20) was chosen because the file names it as its signal; "
        "1 others have two or more axes.",
    )


@pytest.mark.parametrize("signal", ["I", np.array(["I"], dtype=object), b"I"])
def test_nxcansas_intensity_is_found_without_a_default(tmp_path, signal):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["sasentry/sasdata/I"] = IMAGE
        file["sasentry/sasdata/Qx"] = np.ones((24, 20))
        file["zlarge"] = np.ones((50, 50))
        file["sasentry/sasdata"].attrs.update({"canSAS_class": "SASdata", "signal": signal})
    assert open_images(tmp_path / "a.h5").dataset == "/sasentry/sasdata/I"


def test_the_old_signal_attribute_counts(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/large"] = np.ones((50, 50))
        file["b/counts"] = IMAGE
        file["b/counts"].attrs["signal"] = 1
    assert open_images(tmp_path / "a.h5").dataset == "/b/counts"


def test_otherwise_the_largest_dataset_is_taken_and_said(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["small"] = np.ones((3, 3))
        file["image"] = IMAGE
        file["text"] = [["a" * 90] * 40] * 40
        file["line"] = np.ones(10_000)
    stack = open_images(tmp_path / "a.h5")
    assert stack.dataset == "/image"
    assert "because it is the largest; 1 others" in stack.notes[0]


def test_a_chosen_dataset_needs_no_note(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["small"] = np.ones((3, 3))
        file["image"] = IMAGE
    stack = open_images(tmp_path / "a.h5", dataset="small")
    assert (stack.dataset, stack.notes) == ("/small", ())


def test_a_wrong_dataset_name_lists_the_right_ones(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/image"] = IMAGE
    with pytest.raises(ReadError, match=r"'a.h5' must hold the dataset 'imgae'; found /entry/image. Choose one"):
        open_images(tmp_path / "a.h5", dataset="imgae")
    with pytest.raises(ReadError, match=r"must hold a dataset called 'entry'; found a group"):
        open_images(tmp_path / "a.h5", dataset="entry")


def test_a_file_without_image_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["line"] = np.ones(4)
        file["empty"] = h5py.Empty("f4")
    with pytest.raises(ReadError, match=r"'a.h5' must hold a numeric dataset with rows and columns; found none"):
        open_images(tmp_path / "a.h5")
    with pytest.raises(ReadError, match=r"'a.h5: empty' must contain pixels; found an empty dataset"):
        open_images(tmp_path / "a.h5", dataset="empty")


def test_links_in_a_circle_are_walked_once(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/image"] = IMAGE
        file["entry/self"] = h5py.SoftLink("/entry")
        file["entry/broken"] = h5py.ExternalLink("gone.h5", "/x")
    assert [entry.name for entry in list_datasets(tmp_path / "a.h5")] == ["/entry/image"]


def test_a_broken_link_that_was_chosen_is_an_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = IMAGE
        file["broken"] = h5py.ExternalLink("gone.h5", "/x")
    with pytest.raises(ReadError, match=r"the dataset 'broken' \(a link whose target is missing\)"):
        open_images(tmp_path / "a.h5", dataset="broken")


def test_an_image_behind_an_external_link_is_read(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = IMAGE
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["entry/data_000001"] = h5py.ExternalLink("data.h5", "/x")
    np.testing.assert_array_equal(read_image(tmp_path / "master.h5"), IMAGE)


@pytest.mark.parametrize(
    "options", [hdf5plugin.Bitshuffle(), hdf5plugin.LZ4(), {"compression": "gzip", "shuffle": True}]
)
def test_compressed_datasets_are_read(tmp_path, options):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=np.stack([IMAGE] * 3), chunks=(1, 24, 20), **options)
    np.testing.assert_array_equal(open_images(tmp_path / "a.h5").frame(1), IMAGE)


def test_a_filter_that_is_not_installed_is_named(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=IMAGE, **hdf5plugin.Bitshuffle())
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    with pytest.raises(ReadError, match=r'HDF5 filter bitshuffle.*pip install "napari-bgremove\[xray\]"'):
        open_images(tmp_path / "a.h5")


def test_chunks_nobody_wrote_are_nan_and_said(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("image", shape=(3, 24, 20), chunks=(1, 12, 20), dtype="i4")
        dataset[0] = IMAGE
        dataset[2, :12] = IMAGE[:12]
    stack = open_images(tmp_path / "a.h5")
    assert stack.data.dtype == np.float64
    assert any("has parts that were never written; these pixels are NaN" in note for note in stack.notes)
    np.testing.assert_array_equal(stack.frame(0), IMAGE)
    assert np.isnan(stack.frame(1)).all()
    np.testing.assert_array_equal(stack.frame(2)[:12], IMAGE[:12])
    assert np.isnan(stack.frame(2)[12:]).all()


@pytest.mark.parametrize("chunks", [None, (12, 20)])
def test_a_dataset_nobody_wrote_is_refused(tmp_path, chunks):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", shape=(24, 20), chunks=chunks, dtype="i4")
    with pytest.raises(ReadError, match=r"'a.h5: /image' must hold measured values; nothing was ever written"):
        open_images(tmp_path / "a.h5")


def write_virtual(folder, rows: int = 24) -> None:
    for number in range(2):
        with h5py.File(folder / f"part{number}.h5", "w") as file:
            file["x"] = IMAGE + number
    layout = h5py.VirtualLayout(shape=(2, rows, 20), dtype="i4")
    for number in range(2):
        layout[number, :24] = h5py.VirtualSource(f"part{number}.h5", "x", shape=(24, 20))
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset("image", layout, fillvalue=0)


def test_a_virtual_dataset_is_read_from_its_parts(tmp_path):
    write_virtual(tmp_path)
    np.testing.assert_array_equal(open_images(tmp_path / "a.h5").frame(1), IMAGE + 1)


def test_a_missing_part_of_a_virtual_dataset_is_an_error_and_not_zeros(tmp_path):
    write_virtual(tmp_path)
    stack = open_images(tmp_path / "a.h5")
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(ReadError, match=r"is put together from other files; 'part1.h5' is missing"):
        open_images(tmp_path / "a.h5")
    with pytest.raises(ReadError, match=r"'part1.h5' is missing. Copy all files of the measurement"):
        stack.frame(0)


def test_a_part_that_is_too_small_or_unwritten_is_an_error(tmp_path):
    write_virtual(tmp_path)
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["x"] = IMAGE[:10]
    with pytest.raises(ReadError, match=r"'x' in 'part1.h5' is not complete"):
        open_images(tmp_path / "a.h5")
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file.create_dataset("x", shape=(24, 20), chunks=(12, 20), dtype="i4")[:12] = 1
    with pytest.raises(ReadError, match=r"'x' in 'part1.h5' is not complete"):
        open_images(tmp_path / "a.h5")
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["y"] = IMAGE
    with pytest.raises(ReadError, match=r"'part1.h5' has no 'x'"):
        open_images(tmp_path / "a.h5")


def test_what_no_part_of_a_virtual_dataset_covers_is_nan(tmp_path):
    write_virtual(tmp_path, rows=30)
    frame = open_images(tmp_path / "a.h5").frame(0)
    np.testing.assert_array_equal(frame[:24], IMAGE)
    assert np.isnan(frame[24:]).all()


def test_an_external_raw_file_has_to_be_complete(tmp_path):
    raw = tmp_path / "raw.bin"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", shape=(24, 20), dtype="i4", external=[(str(raw), 0, IMAGE.nbytes)])
        file["image"][...] = IMAGE
    np.testing.assert_array_equal(read_image(tmp_path / "a.h5"), IMAGE)
    raw.write_bytes(raw.read_bytes()[:100])
    with pytest.raises(ReadError, match=r"keeps its values in '.*raw.bin', which must hold 1920 bytes; found 100"):
        read_image(tmp_path / "a.h5")


def test_pixel_size_and_saturation_come_from_the_detector_group(tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/detector/data"] = IMAGE
        for axis, size in (("x", 75.0), ("y", 50.0)):
            file[f"entry/detector/{axis}_pixel_size"] = size
            file[f"entry/detector/{axis}_pixel_size"].attrs["units"] = "um"
        file["entry/detector/saturation_value"] = 65535
    metadata = open_images(tmp_path / "a.nxs").metadata
    assert metadata["pixel_size_m"] == pytest.approx((50e-6, 75e-6))
    assert metadata["saturation"] == 65535


def test_a_file_of_links_that_lead_nowhere_names_them(tmp_path):
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["entry/data"] = h5py.ExternalLink("missing.h5", "/data")
    with pytest.raises(ReadError, match=r"only links whose target is missing \(/entry/data -> missing.h5\)"):
        open_images(tmp_path / "master.h5")
