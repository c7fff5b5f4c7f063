"""Laws of the masks: positions by brute force, discs by their definition, planted signal found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from napari_bgremove.images.masks import count_free_positions, estimate_signal_mask, free_positions, grow_mask


def _brute_force(free: np.ndarray, patch: int, tolerance: float) -> list[tuple[int, int]]:
    rows, columns = free.shape
    return [
        (r, c)
        for r in range(rows - patch + 1)
        for c in range(columns - patch + 1)
        if np.count_nonzero(~free[r : r + patch, c : c + patch]) <= tolerance * patch * patch
    ]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    st.integers(1, 14), st.integers(1, 14), st.integers(1, 6), st.floats(0, 0.3), st.integers(0, 10**6),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)  # fmt: skip
def test_free_positions_are_those_a_search_of_every_position_finds(
    rows: int, columns: int, patch: int, density: float, seed: int, tolerance: float
) -> None:
    free = np.random.default_rng(seed).random((rows, columns)) >= density
    expected = _brute_force(free, patch, tolerance)
    found = free_positions(free, patch, tolerance=tolerance)
    assert [tuple(p) for p in found.tolist()] == expected
    assert count_free_positions(free, patch, tolerance=tolerance) == len(expected)


def test_an_empty_mask_leaves_every_position_of_a_detector_module() -> None:
    """Closed form: (512 - 127) x (1024 - 127) positions of a 128 patch."""
    assert count_free_positions(np.ones((512, 1024), bool), 128) == 385 * 897


def test_a_patch_larger_than_the_image_has_no_position() -> None:
    assert free_positions(np.ones((20, 5), bool), 6).shape == (0, 2)


@pytest.mark.parametrize("patch", [0, -5])
def test_a_patch_without_pixels_is_refused(patch: int) -> None:
    with pytest.raises(ValueError, match=f"'patch' must be above zero; found {patch} pixels"):
        count_free_positions(np.ones((20, 5), bool), patch)


def _disc_union(mask: np.ndarray, radius: int) -> np.ndarray:
    rows, columns = np.indices(mask.shape)
    grown = np.zeros_like(mask)
    for r, c in np.argwhere(mask):
        grown |= (rows - r) ** 2 + (columns - c) ** 2 <= radius**2
    return grown


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 9])
def test_growing_is_the_union_of_discs_and_shrinking_its_complement(radius: int) -> None:
    mask = np.random.default_rng(radius).random((23, 31)) < 0.02
    mask[3, 3] = True
    assert_array_equal(grow_mask(mask, radius), _disc_union(mask, radius))
    assert_array_equal(grow_mask(~mask, -radius), ~_disc_union(mask, radius))


@pytest.mark.parametrize("radius", [-3, 0, 3])
@pytest.mark.parametrize("value", [True, False])
def test_growing_keeps_empty_and_full_masks_and_returns_a_copy(radius: int, value: bool) -> None:
    mask = np.full((6, 7), value)
    result = grow_mask(mask, radius)
    assert_array_equal(result, mask)
    assert not np.shares_memory(result, mask)


def _planted(seed: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Poisson background of 4 counts and a planted region of 40 more."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((256, 384))
    if kind == "blob":
        where = (rows - 90) ** 2 + (columns - 150) ** 2 <= 30**2
    else:
        where = np.abs(rows - 0.4 * columns - 40) <= 6
    image = rng.poisson(4.0 + 40.0 * where).astype(np.float32)
    return image, where


@pytest.mark.parametrize("kind", ["blob", "streak"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_estimated_mask_covers_the_planted_signal_and_leaves_most_of_the_rest(kind: str, seed: int) -> None:
    image, where = _planted(seed, kind)
    mask = estimate_signal_mask(image)
    assert mask[where].all()
    assert mask[~grow_mask(where, 20)].mean() < 0.02
    assert mask.dtype == bool
    assert mask.shape == image.shape


def test_the_estimated_mask_is_repeatable_and_leaves_the_image_alone() -> None:
    image, _ = _planted(3, "blob")
    before = image.copy()
    assert_array_equal(estimate_signal_mask(image), estimate_signal_mask(image))
    assert_array_equal(image, before)


def test_missing_pixels_neither_hide_nor_fake_signal() -> None:
    image, where = _planted(4, "blob")
    image[:, 200:214] = np.nan
    image[np.random.default_rng(0).random(image.shape) < 0.02] = np.nan
    mask = estimate_signal_mask(image)
    assert mask[where].all()
    assert mask[~grow_mask(where, 20)].mean() < 0.02


def test_the_mask_does_not_depend_on_unit_or_pedestal() -> None:
    image, _ = _planted(5, "streak")
    mask = estimate_signal_mask(image)
    assert (mask != estimate_signal_mask(image * np.float32(1024))).mean() == 0
    assert (mask != estimate_signal_mask(image + np.float32(512))).mean() < 1e-3


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, 1e6, np.nan])
def test_a_constant_or_missing_image_shows_no_signal(value: float) -> None:
    assert not estimate_signal_mask(np.full((64, 90), value, np.float32)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 5), (9, 200)])
def test_small_images_are_masked_too(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    assert estimate_signal_mask(image).shape == shape


def test_regions_below_the_minimum_size_are_dropped() -> None:
    image = np.random.default_rng(1).normal(0, 1, (128, 128)).astype(np.float32)
    image[40:44, 60:64] += 100
    assert estimate_signal_mask(image, minimum_size=10)[42, 62]
    assert not estimate_signal_mask(image, minimum_size=400).any()


@pytest.mark.parametrize("name", ["threshold", "window"])
def test_a_threshold_or_window_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' must be above zero; found 0"):
        estimate_signal_mask(np.ones((9, 9), np.float32), **{name: 0})
