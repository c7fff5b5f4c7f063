"""Laws of opening images: any format, any layout, the same array; and only what the file holds."""

from __future__ import annotations

import pickle
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats import source as source_module
from napari_bgremove.io.images import find_image_files, list_datasets, open_images, read_image

SUFFIX_DTYPES = {
    ".tif": ["u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"],
    ".tif.gz": ["i4", "f4"],
    ".npy": ["?", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"],
    ".npz": ["u2", "f4"],
    ".fits": ["u1", "i2", "i4", "f4", "f8"],
    ".edf": ["u1", "i2", "u2", "i4", "u4", "f4", "f8"],
    ".cbf": ["i4"],
    ".img": ["u2"],
    ".mccd": ["u2"],
    ".h5": ["?", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"],
    ".nxs": ["i4"],
    ".cxi": ["f4"],
}
CASES = [(suffix, dtype) for suffix, dtypes in SUFFIX_DTYPES.items() for dtype in dtypes]
STACKS = [".tif", ".tif.gz", ".npy", ".npz", ".fits", ".edf", ".h5"]


def make_image(dtype: str, shape: tuple[int, ...] = (30, 20)) -> np.ndarray:
    values = np.random.default_rng(0).integers(1, 120, shape)
    return values.astype(dtype) if dtype != "?" else values % 2 == 0


@pytest.mark.parametrize(("suffix", "dtype"), CASES)
def test_every_format_gives_back_the_array_that_was_written(write_file, suffix, dtype):
    image = make_image(dtype)
    read = read_image(write_file(suffix, image))
    np.testing.assert_array_equal(read, image)
    assert read.dtype == image.dtype
    assert read.dtype.isnative
    assert read.flags.c_contiguous


@pytest.mark.parametrize("suffix", STACKS)
def test_a_stack_is_lazy_with_one_frame_per_chunk(write_file, suffix):
    frames = make_image("i4", (5, 30, 20))
    stack = open_images(write_file(suffix, frames))
    assert isinstance(stack.data, da.Array)
    assert stack.is_stack
    assert stack.data.chunks == ((1,) * 5, (30,), (20,))
    assert stack.data.dtype == np.int32
    np.testing.assert_array_equal(stack.data.compute(scheduler="synchronous"), frames)


@pytest.mark.parametrize("suffix", STACKS)
def test_each_frame_is_the_frame_of_its_number(write_file, suffix):
    frames = make_image("i4", (5, 30, 20))
    stack = open_images(write_file(suffix, frames))
    for index in (4, 0, -1):
        np.testing.assert_array_equal(stack.frame(index), frames[index])


@pytest.mark.parametrize("suffix", [s for s in SUFFIX_DTYPES if s not in STACKS])
def test_a_single_image_is_a_stack_of_one_that_says_so(write_file, suffix):
    stack = open_images(write_file(suffix, make_image(SUFFIX_DTYPES[suffix][0])))
    assert not stack.is_stack
    assert len(stack) == 1
    assert stack.shape == (30, 20)
    assert stack.name == "shot"


@pytest.mark.parametrize("suffix", STACKS)
def test_a_lazy_stack_travels_to_another_process(write_file, suffix):
    frames = make_image("i4", (3, 30, 20))
    stack = open_images(write_file(suffix, frames))
    there = pickle.loads(pickle.dumps(stack))  # noqa: S301
    np.testing.assert_array_equal(there.frame(2), frames[2])


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".h5", ".edf", ".fits"])
def test_opening_reads_no_pixel(write_file, suffix):
    path = write_file(suffix, make_image("i4", (3, 30, 20)))
    stack = open_images(path)
    path.unlink()
    with pytest.raises(ReadError, match=r"'shot.* must exist"):
        stack.frame(1)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".npy", ".tif", ".h5", ".edf"]),
    dtype=st.sampled_from([">u2", "<u2", ">i4", ">f4", "<f8"]),
    layout=st.sampled_from(["C", "F", "negative", "strided", "read-only"]),
    shape=st.sampled_from([(1, 1), (1, 9), (7, 5), (33, 3), (16, 64), (129, 131)]),
)
def test_byte_order_and_layout_change_nothing(write_file, suffix, dtype, layout, shape):
    image = make_image("f8", shape).astype(dtype)
    arranged = {
        "C": image,
        "F": np.asfortranarray(image),
        "negative": image[::-1, ::-1][::-1, ::-1],
        "strided": np.repeat(image, 2, axis=1)[:, ::2],
        "read-only": image,
    }[layout]
    arranged.flags.writeable = layout != "read-only"
    read = read_image(write_file(suffix, arranged))
    np.testing.assert_array_equal(read, image)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("options", [
    {"compression": "zlib"}, {"compression": "zlib", "tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"},
    {"imagej": True}, {"ome": True}, {"metadata": None}, {"rowsperstrip": 7},
    {"compression": "lzma", "predictor": True},
])  # fmt: skip
def test_all_kinds_of_tiff_give_the_same_stack(tmp_path, options):
    frames = make_image("u2", (4, 32, 48))
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack", **options)
    stack = open_images(tmp_path / "a.tif")
    np.testing.assert_array_equal(stack.data.compute(scheduler="synchronous"), frames)
    assert stack.is_stack


def test_pages_appended_one_by_one_are_one_stack(tmp_path):
    frames = make_image("f4", (6, 12, 9))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in frames:
            writer.write(frame, photometric="minisblack", compression="zlib", metadata=None)
    np.testing.assert_array_equal(open_images(tmp_path / "a.tif").data.compute(scheduler="synchronous"), frames)


def test_a_fortran_ordered_npy_stack_keeps_its_axes(tmp_path):
    frames = make_image("f4", (3, 12, 9))
    np.save(tmp_path / "a.npy", np.asfortranarray(frames))
    np.testing.assert_array_equal(open_images(tmp_path / "a.npy").frame(2), frames[2])


def test_axes_of_length_one_in_front_are_flattened(tmp_path):
    frames = make_image("f4", (1, 5, 1, 12, 9))
    np.save(tmp_path / "a.npy", frames)
    np.testing.assert_array_equal(open_images(tmp_path / "a.npy").frame(3), frames[0, 3, 0])


def test_a_stack_needs_a_frame_to_be_read_as_an_image(write_file):
    path = write_file(".npy", make_image("f4", (5, 30, 20)))
    with pytest.raises(
        ReadError, match=r"'shot.npy' must be a single image here; found a stack of 5 frames .*frame=0 to 4"
    ):
        read_image(path)
    np.testing.assert_array_equal(read_image(path, frame=2), make_image("f4", (5, 30, 20))[2])


def test_a_frame_beyond_the_end_is_refused(write_file):
    with pytest.raises(ReadError, match=r"found 5 frames, asked for 5"):
        read_image(write_file(".npy", make_image("f4", (5, 30, 20))), frame=5)


@pytest.mark.parametrize(("array", "rule"), [
    (np.ones(7), r"must be an image \(rows x columns\); found 1 axes \(7\)"),
    (np.float64(3.0), r"found 0 axes \(a single number\)"),
    (np.ones((0, 5)), r"must contain pixels; found an empty array \(0 x 5\)"),
    (np.ones((4, 5, 3)), r"must hold one value per pixel; found a colour image \(4 x 5 x 3\)"),
    (np.ones((4, 5, 4)), r"found a colour image \(4 x 5 x 4\)"),
    (np.ones((2, 3, 4, 5)), r"found 4 axes \(2 x 3 x 4 x 5\), whose leading axes have no single order"),
    (np.ones((4, 5), complex), r"must hold real numbers; found complex128.*save the magnitude"),
    (np.array([["a", "b"]]), r"must hold real numbers; found <U1, which are text"),
    (np.zeros((4, 5), [("x", "f4")]), r"must hold real numbers; .*records with named fields"),
    (np.zeros((4, 5), "M8[s]"), r"must hold real numbers; .*dates"),
])  # fmt: skip
def test_an_array_that_is_no_image_is_refused_with_its_shape(tmp_path, array, rule):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ReadError, match=rf"^'a.npy' (must .*)?{rule}"):
        read_image(tmp_path / "a.npy")


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[print, len]], dtype=object), allow_pickle=True)
    with pytest.raises(ReadError, match=r"'a.npy' must hold real numbers; found object, which are Python objects"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize(("options", "kind"), [
    ({"photometric": "rgb"}, "RGB"),
    ({"photometric": "rgb", "planarconfig": "contig"}, "RGB"),
])  # fmt: skip
def test_a_colour_tiff_is_refused_with_its_axes(tmp_path, options, kind):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 9, 3), np.uint8), **options)
    with pytest.raises(
        ReadError, match=rf"'a.tif' must hold one value per pixel; .*{kind}, 8 x 9 x 3, axes YXS.*Save one"
    ):
        read_image(tmp_path / "a.tif")


def test_a_palette_tiff_is_refused(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 9), np.uint8), photometric="palette", colormap=colours)
    with pytest.raises(ReadError, match=r"found a colour image \(palette"):
        read_image(tmp_path / "a.tif")


def test_a_screenshot_is_refused_by_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    with pytest.raises(ReadError, match=r"'a.png' must be TIFF.*found a PNG picture. Convert it to TIFF"):
        read_image(tmp_path / "a.png")


def test_an_unknown_file_is_refused_with_the_formats_that_work(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"1 2 3\n4 5 6\n")
    with pytest.raises(ReadError, match=r"'a.xyz' must be TIFF, NPY.*found the suffix '.xyz'"):
        read_image(tmp_path / "a.xyz")


def test_the_content_decides_over_the_suffix(write_file, tmp_path):
    image = make_image("f4")
    write_file(".h5", image).rename(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("suffix", sorted(SUFFIX_DTYPES))
def test_an_empty_file_is_refused(tmp_path, suffix):
    (tmp_path / f"a{suffix}").touch()
    with pytest.raises(ReadError, match=r"must contain an image; found an empty file of 0 bytes"):
        open_images(tmp_path / f"a{suffix}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ReadError, match=r"'a.tif' must exist; nothing was found at"):
        open_images(tmp_path / "a.tif")


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(ReadError, match=r"must be a file; found a folder"):
        open_images(tmp_path)


def test_a_dataset_for_a_format_without_datasets_is_refused(write_file):
    with pytest.raises(ReadError, match=r"'shot.tif' is a TIFF file and has no datasets"):
        open_images(write_file(".tif", make_image("f4")), dataset="data")


def test_an_npz_with_two_images_asks_which(tmp_path):
    np.savez(tmp_path / "a.npz", dark=np.ones((4, 5)), shot=np.full((4, 5), 2.0), energy=np.ones(3))
    with pytest.raises(ReadError, match=r"exactly one 2-D or 3-D array of numbers; found 2 \(dark \(4 x 5 float64\)"):
        read_image(tmp_path / "a.npz")
    assert read_image(tmp_path / "a.npz", dataset="shot")[0, 0] == 2.0
    with pytest.raises(ReadError, match=r"'a.npz' must hold the array 'shots'; found dark"):
        read_image(tmp_path / "a.npz", dataset="shots")
    assert [entry.name for entry in list_datasets(tmp_path / "a.npz")] == ["dark", "shot", "energy"]


def test_a_header_that_declares_too_much_is_refused_before_it_is_allocated(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("huge", shape=(2**20, 2**20), chunks=(1024, 1024), dtype="f8")
    with pytest.raises(ReadError, match=r"'a.h5: /huge' must declare an array that fits .*1048576 x 1048576 float64"):
        open_images(tmp_path / "a.h5")


def test_a_file_larger_than_half_the_memory_is_refused(write_file, monkeypatch):
    monkeypatch.setattr(source_module, "_memory_bytes", lambda: 1000)
    with pytest.raises(ReadError, match=r"'shot.npy' must declare an array that fits .*use a machine with more memory"):
        open_images(write_file(".npy", make_image("f8")))


def test_metadata_is_what_the_file_states(write_file):
    assert open_images(write_file(".edf", make_image("u2"))).metadata["pixel_size_m"] == (7.5e-5, 5.5e-5)
    smv = open_images(write_file(".img", make_image("u2"))).metadata
    assert smv["pixel_size_m"] == pytest.approx((8e-5, 8e-5))
    assert smv["saturation"] == 65535
    assert "pixel_size_m" not in open_images(write_file(".npy", make_image("u2"))).metadata


def test_files_are_found_by_name_folder_and_pattern(tmp_path: Path):
    for name in ("shot10.tif", "shot2.tif", "notes.txt", ".shot3.tif.1.a.tmp", "dark.npy", "b.tif.gz"):
        (tmp_path / name).touch()
    names = [path.name for path in find_image_files(tmp_path)]
    assert names == ["b.tif.gz", "dark.npy", "shot2.tif", "shot10.tif"]
    assert [p.name for p in find_image_files([tmp_path / "shot*.tif", str(tmp_path / "shot2.tif")])] == [
        "shot2.tif",
        "shot10.tif",
    ]


def test_a_name_with_glob_characters_is_a_name_first(tmp_path: Path):
    (tmp_path / "run[1].tif").touch()
    assert find_image_files(tmp_path / "run[1].tif") == [tmp_path / "run[1].tif"]


@pytest.mark.parametrize("pattern", ["*.cbf", "nowhere/x.tif", "."])
def test_a_pattern_without_a_match_is_an_error(tmp_path, pattern):
    with pytest.raises(ReadError, match=r"must match .*; found none. Check the path"):
        find_image_files(tmp_path / pattern)


def test_a_missing_library_is_one_sentence_with_its_install_line(write_file, monkeypatch):
    import importlib.util

    edf, fits = write_file(".edf", make_image("u2")), write_file(".fits", make_image("i2"))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n in ("fabio", "astropy") else find_spec(n))
    with pytest.raises(ReadError, match=r'needs the library fabio .*pip install "napari-bgremove\[xray\]"'):
        read_image(edf)
    with pytest.raises(ReadError, match=r"'shot.fits' needs the library astropy .*pip install astropy"):
        read_image(fits)


REAL: dict[str, tuple[tuple[int, ...], str]] = {
    # Shapes and dtypes as listed in MANIFEST.md of the data folder.
    "signal/gimap_gisaxs_4nm_00005.cbf": ((1, 1679, 1475), "i4"),
    "signal/gimap_gisaxs_4nm_00033.cbf": ((1, 1679, 1475), "i4"),
    "signal/sasview_33837rear_2D.h5": ((1, 150, 150), "f8"),
    "signal/skbeam_nipa_avg.npy": ((1, 150, 150), "f8"),
    "signal/lunus_snc_newhead_00001.img": ((1, 1024, 1024), "u2"),
    "signal/bornagain_galaxi_data.tif.gz": ((1, 1043, 981), "i4"),
    "signal/lcls2_cspad_cxitut13_r10_32_asic.npy": ((1, 185, 388), "f4"),
    "noise/lcls2_jungfrau05M_raw_2frames.npz": ((2, 512, 1024), "u2"),
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_files_have_the_shape_of_the_manifest(shared_data: Path, name: str):
    stack = open_images(shared_data / "saxs" / name)
    assert (stack.data.shape, stack.data.dtype) == (REAL[name][0], np.dtype(REAL[name][1]))
    assert stack.frame(0).shape == REAL[name][0][1:]


def test_the_real_nxcansas_file_opens_at_its_intensity(shared_data: Path):
    stack = open_images(shared_data / "saxs/signal/sasview_33837rear_2D.h5")
    assert stack.dataset == "/sasentry01/sasdata/I"
    assert "was chosen because the file names it as its signal" in stack.notes[0]
    assert stack.metadata["unit"] == "1/cm"


def test_the_real_pilatus_file_states_pixel_size_and_cutoff(shared_data: Path):
    metadata = open_images(shared_data / "saxs/signal/gimap_gisaxs_4nm_00005.cbf").metadata
    assert metadata["pixel_size_m"] == (172e-6, 172e-6)
    assert metadata["saturation"] == 1382835
