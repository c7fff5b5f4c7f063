"""The one wording of the checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_bgremove._validation import (
    check_choice,
    check_image,
    check_positive,
    check_range,
    check_same_shape,
    describe_shape,
)


@pytest.mark.parametrize(
    ("shape", "text"), [((512, 1024), "512 x 1024"), ((7,), "7"), ((), "a single number"), ((0, 3), "0 x 3")]
)
def test_a_shape_is_written_as_a_person_does(shape: tuple[int, ...], text: str) -> None:
    assert describe_shape(shape) == text


@pytest.mark.parametrize("value", [1e-300, 1, np.float32(3), True])
def test_a_number_above_zero_passes(value: Any) -> None:
    check_positive("width", value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), -float("inf")])
def test_what_is_not_above_zero_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"'width' must be above zero; found {value} pixels."):
        check_positive("width", value, unit="pixels")


@pytest.mark.parametrize("value", [1, 2, 3.0])
def test_a_number_in_the_closed_range_passes(value: float) -> None:
    check_range("angle", value, 1, 3)


@pytest.mark.parametrize("value", [0.999, 3.001, float("nan"), float("inf")])
def test_a_number_outside_the_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"'angle' must lie between 1 and 3 degrees; found {value} degrees."):
        check_range("angle", value, 1, 3, unit="degrees")


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    check_choice("merge", "mean", ("mean", "median"))
    with pytest.raises(ValueError, match=r"'merge' must be one of mean, median; found 'max'."):
        check_choice("merge", "max", ("mean", "median"))


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "f2", ">f4", "f8"])
def test_a_real_image_passes_as_it_is(dtype: str) -> None:
    image = np.ones((2, 3), dtype)
    assert check_image("image", image) is image


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (5, r"'dark' must be a 2-D image \(rows x columns\); found 0 axes \(a single number\)."),
        (np.zeros((2, 2, 4)), r"found 3 axes \(2 x 2 x 4\). Choose one channel or convert it to grey values."),
        (np.zeros((3, 2, 5)), r"found 3 axes \(3 x 2 x 5\).$"),
        (np.zeros((5, 0)), r"'dark' must contain pixels; found an empty image \(5 x 0\)."),
        (np.zeros((2, 2), complex), "'dark' must hold real numbers; found dtype complex128."),
        (np.array([[None]]), "'dark' must hold real numbers; found dtype object."),
        (np.array([["2020-01-01"]], "M8[D]"), "'dark' must hold real numbers; found dtype datetime64"),
    ],
)
def test_what_is_no_image_is_refused(image: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_image("dark", image)


def test_shapes_that_differ_are_named_both() -> None:
    check_same_shape("a", np.zeros((2, 3)), "b", np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"'a' must have the shape of 'b' \(2 x 3\); found 6."):
        check_same_shape("a", np.zeros(6), "b", np.ones((2, 3)))
