"""Laws of the gate: whatever comes in, float32 with NaN comes out, and the same every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.spatial import cKDTree

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.gate import fill_unusable, gate_image

DTYPES = ("?", "u1", "u2", "u4", "i2", "i4", "f2", "f4", "f8", ">u2", ">f4")
SHAPES = ((1, 1), (1, 9), (7, 5), (33, 16))


def _strided(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((array.shape[0] * 2, array.shape[1] * 3), array.dtype)
    wide[::2, ::3] = array
    return wide[::2, ::3]


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "negative strides": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "strided": _strided,
    "read-only": _read_only,
    "masked array": lambda a: np.ma.MaskedArray(a.copy()),
    "list of lists": lambda a: a,
}


def _content(dtype: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2 if dtype == "?" else 200, shape).astype(float)
    if np.dtype(dtype).kind == "f":
        values = values - 60.5
        values.flat[0] = np.nan if seed % 2 else np.inf
        values.flat[-1] = 3.0
    return values.astype(dtype)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(DTYPES), st.sampled_from(list(LAYOUTS)), st.sampled_from(SHAPES), st.integers(0, 5))
def test_every_dtype_and_layout_gives_the_contiguous_native_result_and_is_not_modified(
    dtype: str, layout: str, shape: tuple[int, int], seed: int
) -> None:
    native = _content(dtype, shape, seed)
    image = LAYOUTS[layout](native)
    before = np.array(image, copy=True)
    gated = gate_image(image)
    plain = gate_image(np.ascontiguousarray(native.astype(np.dtype(dtype).newbyteorder("="))))
    assert_array_equal(gated.values, plain.values)
    assert_array_equal(gated.valid, plain.valid)
    assert gated.values.dtype == np.float32
    assert gated.values.flags.c_contiguous
    assert gated.values.dtype.isnative
    assert_array_equal(np.isnan(gated.values), ~gated.valid)
    assert_array_equal(gated.values[gated.valid], native.astype(np.float32)[gated.valid])
    assert_array_equal(np.asarray(image), before)
    assert not np.shares_memory(gated.values, np.asarray(image))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_masked_pixel_is_nan_whatever_the_dtype(dtype: str) -> None:
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = mask[3, 0] = True
    image = np.ma.MaskedArray(np.ones((4, 5), dtype), mask=mask)
    assert_array_equal(gate_image(image).valid, ~mask)


def test_a_user_mask_and_an_array_mask_both_count() -> None:
    image = np.ma.MaskedArray(np.ones((2, 3)), mask=[[1, 0, 0], [0, 0, 0]])
    gated = gate_image(image, valid_mask=[[1, 0, 1], [1, 1, 1]])
    assert_array_equal(gated.valid, [[False, False, True], [True, True, True]])


# The marks are those of the Dectris file formats: Pilatus 2^22-1, Eiger 2^32-1.
@pytest.mark.parametrize(
    ("dtype", "mark"), [("u4", 2**32 - 1), ("u4", 2**22 - 1), ("i4", 2**22 - 1), (">u4", 2**32 - 1)]
)
def test_overflow_marks_of_integer_detectors_are_not_measurements(dtype: str, mark: int) -> None:
    image = np.full((3, 3), 7, dtype)
    image[1, 1] = mark
    assert not gate_image(image).valid[1, 1]
    assert gate_image(image).valid.sum() == 8


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("mark", [2.0**22 - 1, 2.0**32 - 1])
def test_overflow_marks_survive_a_conversion_to_float(dtype: str, mark: float) -> None:
    image = np.full((3, 3), 7, dtype)
    image[0, 2] = mark
    assert not gate_image(image).valid[0, 2]


def test_minus_one_and_minus_two_are_gaps_of_integer_images_only() -> None:
    integers = np.array([[5, -1, 3], [-2, 4, 4]])
    assert_array_equal(gate_image(integers).valid, integers >= 0)
    assert gate_image(integers.astype(float)).valid.all()


def test_an_integer_image_with_other_negative_values_keeps_them_all() -> None:
    image = np.array([[5, -1, -7], [-2, 4, 4]])
    assert gate_image(image).valid.all()


def test_declared_gap_values_replace_the_default_ones() -> None:
    image = np.array([[2**32 - 1, 9], [9, 5]], np.uint32)
    assert_array_equal(gate_image(image, gap_values=(5,)).valid, [[True, True], [True, False]])
    assert gate_image(image, gap_values=()).valid.all()


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_saturation_takes_out_values_at_or_above_it(dtype: str) -> None:
    image = np.array([[1, 99, 100, 101]], dtype)
    assert_array_equal(gate_image(image, saturation=100).valid, [[True, True, False, False]])


def test_a_float64_beyond_float32_is_not_usable_and_gives_no_warning() -> None:
    assert_array_equal(gate_image(np.array([[1e300, 1.0]])).valid, [[False, True]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_without_usable_pixels_is_refused(value: float) -> None:
    with pytest.raises(ComputeError, match=r"'image' must have usable pixels; all 12 are gaps"):
        gate_image(np.full((3, 4), value))


def test_an_image_fully_masked_by_the_user_is_refused() -> None:
    with pytest.raises(ComputeError, match="must have usable pixels"):
        gate_image(np.ones((3, 4)), valid_mask=np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((3, 4, 3)), r"'image' must be a 2-D image.*found 3 axes \(3 x 4 x 3\). Choose one channel"),
        (np.zeros(5), r"'image' must be a 2-D image.*found 1 axes \(5\)"),
        (np.zeros((0, 4)), r"'image' must contain pixels; found an empty image \(0 x 4\)"),
        (np.zeros((2, 2), complex), r"'image' must hold real numbers; found dtype complex128"),
        (np.array([["a", "b"]]), r"'image' must hold real numbers"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(image: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        gate_image(image)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'valid_mask' must have the shape of 'image' \(3 x 4\); found 4 x 3"):
        gate_image(np.ones((3, 4)), valid_mask=np.ones((4, 3)))


def test_filling_takes_the_median_around_the_nearest_usable_pixel() -> None:
    """Independent implementation: a k-d tree over the usable pixels."""
    rng = np.random.default_rng(3)
    values = rng.random((21, 17)).astype(np.float32)
    values[rng.random(values.shape) < 0.6] = np.nan
    usable = np.argwhere(np.isfinite(values))
    missing = np.argwhere(~np.isfinite(values))
    filled = fill_unusable(values)
    assert_array_equal(filled[tuple(usable.T)], values[tuple(usable.T)])
    tree = cKDTree(usable)
    shortest, _ = tree.query(missing)
    for place, distance in zip(missing, shortest, strict=True):
        near = usable[tree.query_ball_point(place, distance + 1e-9)]
        around = [values[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3] for r, c in near]
        assert filled[tuple(place)] in [np.nanmedian(window) for window in around]


def test_a_hit_at_the_rim_of_a_gap_is_not_carried_into_it() -> None:
    values = np.ones((20, 30), np.float32)
    values[:, 10:20] = np.nan
    values[7:9, 9], values[3, 20] = 1000, 500
    filled = fill_unusable(values)
    assert_array_equal(filled[:, 10:20], 1)
    assert_array_equal(filled[:, 9], values[:, 9])


def test_filling_leaves_a_complete_image_alone() -> None:
    values = np.ones((3, 3), np.float32)
    assert fill_unusable(values) is values
