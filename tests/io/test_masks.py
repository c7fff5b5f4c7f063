"""A mask is True wherever its file is not zero, and fits its image or is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.io.images import read_image
from napari_bgremove.io.masks import read_mask, write_mask

MASK = np.random.default_rng(0).random((12, 9)) > 0.6


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".edf", ".h5"])
@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "u4"])
def test_a_mask_comes_back_from_every_format(tmp_path, suffix, dtype):
    path = write_mask(tmp_path / f"m{suffix}", MASK.astype(dtype))
    read = read_mask(path, shape=MASK.shape)
    assert read.dtype == bool
    np.testing.assert_array_equal(read, MASK)


@pytest.mark.parametrize("value", [1, 7, -1])
def test_any_value_but_zero_is_true(tmp_path, value):
    np.save(tmp_path / "m.npy", np.where(MASK, value, 0))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy"), MASK)


def test_a_mask_can_be_looked_at_as_a_picture(tmp_path):
    assert set(np.unique(read_image(write_mask(tmp_path / "m.tif", MASK)))) == {0, 255}


def test_a_mask_of_another_shape_is_refused_with_both_shapes(tmp_path):
    write_mask(tmp_path / "m.tif", MASK)
    with pytest.raises(
        ReadError, match=r"'m.tif' must have the shape of its image \(512 x 1024\); found 12 x 9. Choose"
    ):
        read_mask(tmp_path / "m.tif", shape=(512, 1024))


def test_fractions_are_no_mask(tmp_path):
    np.save(tmp_path / "m.npy", MASK.astype(float))
    with pytest.raises(ReadError, match=r"'m.npy' must hold whole numbers to be a mask; found float64"):
        read_mask(tmp_path / "m.npy")


@pytest.mark.parametrize("mask", [np.ones(4, bool), np.ones((2, 2)), np.ones((0, 2), bool)])
def test_what_is_no_mask_is_not_written(tmp_path, mask):
    with pytest.raises(ValueError, match=r"'mask' must be a 2-D array of booleans or integers; found"):
        write_mask(tmp_path / "m.tif", mask)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'m.png' must end in .tif, .tiff, .npy, .edf, .h5 or .hdf5; found '.png'"):
        write_mask(tmp_path / "m.png", MASK)
    assert not list(tmp_path.iterdir())
