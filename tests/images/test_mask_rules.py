"""Masks from rules: each rule finds what it says, and leaves the image alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.images.mask_rules import (
    COMBINATIONS,
    MaskRules,
    combine_masks,
    drop_small_regions,
    find_gaps,
    find_hot_pixels,
    find_in_range,
    find_saturated,
)


def _image() -> np.ndarray:
    return np.arange(12, dtype=np.float32).reshape(3, 4)


def test_a_range_holds_both_its_ends() -> None:
    assert_array_equal(np.flatnonzero(find_in_range(_image(), low=3, high=5)), [3, 4, 5])
    assert_array_equal(np.flatnonzero(find_in_range(_image(), low=10)), [10, 11])
    assert_array_equal(np.flatnonzero(find_in_range(_image(), high=1)), [0, 1])


def test_no_range_holds_nan() -> None:
    image = _image()
    image[0, 0] = np.nan
    assert not find_in_range(image)[0, 0]


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'low' must not exceed 'high'; found 5 and 3. Exchange them"):
        find_in_range(_image(), low=5, high=3)


def test_gaps_are_what_the_gate_takes_out() -> None:
    image = np.array([[5, -1, 7], [-2, 2**22 - 1, 9]], np.int32)
    assert_array_equal(find_gaps(image), [[0, 1, 0], [1, 1, 0]])


def test_nothing_but_gaps_is_all_gaps() -> None:
    assert find_gaps(np.full((3, 3), np.nan)).all()


def test_saturation_counts_itself() -> None:
    assert_array_equal(np.flatnonzero(find_saturated(_image(), saturation=11)), [11])


def test_hot_pixels_are_found_and_counting_noise_is_not() -> None:
    """At 8 sigma of Poisson noise nothing but the planted pixels exceeds."""
    rng = np.random.default_rng(0)
    image = rng.poisson(20, (128, 128)).astype(np.float32)
    planted = [(10, 20), (50, 60), (127, 0)]
    for place in planted:
        image[place] = 500
    found = find_hot_pixels(image)
    assert {tuple(p) for p in np.argwhere(found)} == set(planted)


def test_a_bright_edge_is_not_hot() -> None:
    image = np.full((64, 64), 5.0, np.float32)
    image[:, 32:] = 500.0
    assert not find_hot_pixels(image).any()


def test_small_regions_go_and_touching_corners_count_as_one() -> None:
    mask = np.zeros((8, 8), bool)
    mask[0, 0] = mask[1, 1] = mask[2, 2] = True
    mask[6, 6] = True
    kept = drop_small_regions(mask, 3)
    assert kept.sum() == 3
    assert not kept[6, 6]


@pytest.mark.parametrize("how", COMBINATIONS)
def test_combining_follows_boolean_algebra(how: str) -> None:
    mask, other = np.array([[0, 0, 1, 1]], bool), np.array([[0, 1, 0, 1]], bool)
    expected = {"add": [0, 1, 1, 1], "subtract": [0, 0, 1, 0], "intersect": [0, 0, 0, 1], "replace": [0, 1, 0, 1]}
    before = mask.copy(), other.copy()
    assert_array_equal(combine_masks(mask, other, how), [expected[how]])
    assert_array_equal(mask, before[0])
    assert_array_equal(other, before[1])


def test_masks_of_different_shapes_do_not_combine() -> None:
    with pytest.raises(ValueError, match=r"'other' must have the shape of 'mask' \(2 x 2\); found 2 x 3"):
        combine_masks(np.ones((2, 2), bool), np.ones((2, 3), bool))


def test_rules_find_the_union_of_what_each_finds() -> None:
    image = _image()
    image[1, 1] = np.nan
    rules = MaskRules(above=10, below=0, between=(6, 7), gaps=True)
    assert_array_equal(np.flatnonzero(rules.find(image)), [0, 5, 6, 7, 10, 11])


def test_no_rule_finds_nothing() -> None:
    assert MaskRules().is_empty
    assert not MaskRules().find(_image()).any()
    assert not MaskRules(gaps=True).is_empty
