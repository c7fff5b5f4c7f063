"""Laws of the tiles: nothing lost, nothing invented, four predictions for every pixel of every image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.tiles import (
    GRID_OFFSETS,
    MERGES,
    make_grid,
    make_grids,
    merge_predictions,
    merge_weights,
)

SHAPES = [
    (1, 1),
    (1, 9),
    (9, 1),
    (1, 300),
    (7, 5),
    (127, 127),
    (128, 128),
    (129, 131),
    (257, 383),
    (512, 1024),
    (96, 32),
]


def _image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(5, 3, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_padded_every_pixel_of_any_image_gets_four_predictions(shape: tuple[int, int]) -> None:
    covered = np.zeros(shape, int)
    for grid in make_grids(shape):
        covered += np.isfinite(grid.join(grid.split(np.zeros(shape, np.float32))))
    assert_array_equal(covered, 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_padded_joining_what_was_split_is_the_image_for_every_grid(shape: tuple[int, int]) -> None:
    image = _image(shape)
    before = image.copy()
    for grid in make_grids(shape):
        tiles = grid.split(image)
        assert tiles.shape == (grid.counts[0] * grid.counts[1], 128, 128)
        assert tiles.flags.c_contiguous
        assert_array_equal(grid.join(tiles), image)
    assert_array_equal(image, before)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 3, 8, 16]),
)  # fmt: skip
def test_splitting_and_joining_is_the_identity_for_any_offset_and_tile(
    rows: int, columns: int, down: int, right: int, tile: int
) -> None:
    image = _image((rows, columns))
    grid = make_grid(image.shape, (down, right), tile=tile)
    assert_array_equal(grid.join(grid.split(image)), image)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.integers(8, 60), st.integers(8, 60), st.integers(0, 15), st.integers(0, 15), st.sampled_from([3, 8]),
)  # fmt: skip
def test_literal_grids_keep_whole_tiles_inside_the_image_and_leave_the_rest_missing(
    rows: int, columns: int, down: int, right: int, tile: int
) -> None:
    image = _image((rows, columns))
    down, right = down % tile, right % tile
    whole = ((rows - down) // tile * tile, (columns - right) // tile * tile)
    if min(whole) == 0:
        with pytest.raises(ComputeError, match=f"'tile' {tile} does not fit the image"):
            make_grid(image.shape, (down, right), tile=tile, padded=False)
        return
    grid = make_grid(image.shape, (down, right), tile=tile, padded=False)
    expected = np.full_like(image, np.nan)
    inside = np.s_[down : down + whole[0], right : right + whole[1]]
    expected[inside] = image[inside]
    assert_array_equal(grid.join(grid.split(image)), expected)


def test_a_tile_holds_the_pixels_at_its_offset() -> None:
    image = np.arange(512 * 1024, dtype=np.float32).reshape(512, 1024)
    for down, right in GRID_OFFSETS:
        literal = make_grid(image.shape, (down, right), padded=False).split(image)
        assert_array_equal(literal[0], image[down : down + 128, right : right + 128])
        padded = make_grid(image.shape, (down, right)).split(image)
        assert any(np.array_equal(tile, literal[0]) for tile in padded)


def test_the_padded_rim_mirrors_the_image_without_repeating_the_edge() -> None:
    """Independent implementation: the mirror written as an index, |i| folded at n - 1."""
    image = _image((21, 13))
    grid = make_grid(image.shape, (5, 3), tile=16)
    (top, _), (left, _) = grid.pad
    rows, columns = (np.arange(count * 16) for count in grid.counts)
    fold_r = np.abs((rows - top + 20) % 40 - 20)
    fold_c = np.abs((columns - left + 12) % 24 - 12)
    tiles = grid.split(image).reshape(*grid.counts, 16, 16).swapaxes(1, 2).reshape(len(rows), len(columns))
    assert_array_equal(tiles, image[np.ix_(fold_r, fold_c)])


def test_missing_pixels_pass_through_splitting_and_joining() -> None:
    image = _image((40, 50))
    image[3:9, 20:44] = np.nan
    grid = make_grid(image.shape, (8, 4), tile=16)
    assert_array_equal(grid.join(grid.split(image)), image)


def test_a_literal_grid_that_does_not_fit_says_where_and_what_to_do() -> None:
    with pytest.raises(
        ComputeError,
        match=r"'tile' 128 does not fit the image \(128 x 128 pixels\) at offset \(96, 32\); use the padded mode.",
    ):
        make_grids((128, 128), padded=False)


def _predictions(seed: int) -> np.ndarray:
    """One to five predictions over up to 5 x 5 pixels, of any size and sign, some of them missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=rng.integers(1, 6, 3)) * 10 ** rng.uniform(-3, 6)
    values[rng.random(values.shape) < rng.uniform(0, 0.7)] = np.nan
    return values.astype(np.float32)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("seed", range(40))
def test_the_merged_image_lies_between_its_predictions_and_is_missing_where_all_are(seed: int, merge: str) -> None:
    predictions = _predictions(seed)
    before = predictions.copy()
    merged, spread = merge_predictions(predictions, merge=merge)
    present = np.isfinite(predictions)
    some = present.any(0)
    assert_array_equal(np.isfinite(merged), some)
    assert_array_equal(np.isfinite(spread), some)
    low = np.where(present, predictions, np.inf).min(0)[some]
    high = np.where(present, predictions, -np.inf).max(0)[some]
    slack = 4e-7 * np.maximum(np.abs(low), np.abs(high))
    assert (merged[some] >= low - slack).all()
    assert (merged[some] <= high + slack).all()
    assert merged.dtype == spread.dtype == np.float32
    assert_array_equal(predictions, before)


@pytest.mark.parametrize("seed", range(40))
def test_median_and_spread_are_numpys_over_the_predictions_there_are(seed: int) -> None:
    predictions = _predictions(seed)
    some = np.isfinite(predictions).any(0)
    merged, spread = merge_predictions(predictions, merge="median")
    kept = predictions[:, some].astype(float)
    if some.any():
        assert_allclose(merged[some], np.nanmedian(kept, axis=0), rtol=1e-6)
        assert_allclose(spread[some], np.nanstd(kept, axis=0), rtol=1e-3, atol=2e-6 * np.nanmax(np.abs(kept)))


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e6])
@pytest.mark.parametrize("padded", [True, False])
def test_a_constant_image_stays_constant_through_any_grids(merge: str, value: float, padded: bool) -> None:
    shape = (300, 410)
    image = np.full(shape, value, np.float32)
    predictions = np.stack([g.join(g.split(image)) for g in make_grids(shape, padded=padded)])
    merged, spread = merge_predictions(predictions, merge=merge)
    seen = np.isfinite(merged)
    assert seen.all() if padded else 0.5 < seen.mean() < 1
    assert_allclose(merged[seen], value, rtol=1e-6)
    assert_allclose(spread[seen], 0, atol=1e-6 * abs(value))


@pytest.mark.parametrize("merge", MERGES)
def test_the_merge_does_not_depend_on_the_order_of_the_grids(merge: str) -> None:
    predictions = np.random.default_rng(0).normal(0, 50, (4, 6, 7)).astype(np.float32)
    straight, _ = merge_predictions(predictions, merge=merge)
    turned, _ = merge_predictions(predictions[::-1], merge=merge)
    assert_allclose(straight, turned, rtol=1e-5, atol=1e-5)


def test_given_weights_replace_the_published_ones() -> None:
    predictions = np.array([[[1.0]], [[3.0]]], np.float32)
    merged, _ = merge_predictions(predictions, weights=np.array([[[3.0]], [[1.0]]], np.float32))
    assert merged[0, 0] == 1.5


def test_a_missing_prediction_has_no_weight() -> None:
    predictions = np.array([[[2.0]], [[np.nan]], [[2.0]]], np.float32)
    assert merge_weights(predictions).ravel().tolist() == [0.5, 0.0, 0.5]


def test_an_unknown_merge_is_refused() -> None:
    with pytest.raises(ValueError, match="'merge' must be one of weighted, median, mean; found 'max'"):
        merge_predictions(np.zeros((1, 1, 1), np.float32), merge="max")
