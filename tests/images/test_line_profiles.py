"""Line profiles: laws every image and line obeys, closed forms, and scikit-image as an independent witness."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import profile_line

from napari_bgremove.images.bands import make_path_band, make_rectangle_band
from napari_bgremove.images.line_profiles import (
    LineProfile,
    extract_band_profile,
    extract_profile,
    extract_rectangle_profile,
)
from napari_bgremove.images.sampling import ORDERS, ImageSampler

IMAGE = np.random.default_rng(3).gamma(2, 5, (64, 80))
OBLIQUE = [(9.3, 11.7), (48.2, 61.4)]
BENT = [(9.3, 11.7), (30, 40), (20, 66.5), (50, 60)]
WHOLE = [(-0.5, -0.5), (-0.5, 79.5), (63.5, 79.5), (63.5, -0.5)]
inner = st.tuples(st.floats(20, 44), st.floats(20, 60))


def _assert_same(one: LineProfile, other: LineProfile, **tolerances: float) -> None:
    for name, values in vars(one).items():
        np.testing.assert_allclose(values, vars(other)[name], err_msg=name, **tolerances)


# Laws


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("path", [OBLIQUE, BENT])
def test_a_constant_image_has_a_constant_profile_without_error(order: int, path: Any) -> None:
    profile = extract_profile(np.full((64, 80), 7.25), path, width=5, order=order)
    np.testing.assert_allclose(profile.values, 7.25, rtol=1e-12)
    np.testing.assert_allclose(profile.sigma, 0, atol=1e-12)
    assert (profile.count == 5).all()


@settings(max_examples=60, deadline=None)
@given(inner, inner, st.floats(1, 9), st.sampled_from([(1.0, 1.0), (0.5, 2.0), (3.0, 1.0)]))
def test_a_plane_is_read_exactly_at_the_points(start: Any, end: Any, width: float, scale: Any) -> None:
    """Whatever the width: what is above on one side is below on the other."""
    if math.dist(start, end) < 0.5:
        return
    rows, columns = np.indices((64, 80))
    profile = extract_profile(3 * rows - 0.5 * columns, [start, end], width=width, scale=scale)
    np.testing.assert_allclose(profile.values, 3 * profile.points[:, 0] - 0.5 * profile.points[:, 1], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(inner, inner, st.integers(1, 8), st.sampled_from(ORDERS))
def test_a_profile_turns_with_its_image(start: Any, end: Any, width: int, order: int) -> None:
    if math.dist(start, end) < 0.5:
        return
    quarter = [(79 - column, row) for row, column in (start, end)]
    straight = extract_profile(IMAGE, [start, end], width=width, order=order)
    turned = extract_profile(np.rot90(IMAGE), quarter, width=width, order=order)
    if order > 0:  # of two nearest pixels, a turned image has the other
        np.testing.assert_allclose(turned.values, straight.values, rtol=1e-6)
        np.testing.assert_allclose(turned.sigma, straight.sigma, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(turned.position, straight.position)


@pytest.mark.parametrize("path", [OBLIQUE, BENT, [(5, 5), (5, 25), (25, 25)], [(5, 5), (5, 25), (5, 15)]])
@pytest.mark.parametrize("width", [1, 4, 7])
def test_walking_back_gives_the_profile_backwards(path: Any, width: int) -> None:
    forth, back = extract_profile(IMAGE, path, width=width), extract_profile(IMAGE, path[::-1], width=width)
    for name in ("values", "sigma", "count", "points"):
        np.testing.assert_allclose(getattr(back, name)[::-1], getattr(forth, name), rtol=1e-7, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4, unique=True), st.integers(1, 6))
def test_a_polyline_of_collinear_pieces_is_the_line(shares: list[float], width: int) -> None:
    start, end = np.array(OBLIQUE)
    pieces = [start, *(start + share * (end - start) for share in sorted(shares)), end]
    _assert_same(extract_profile(IMAGE, pieces, width=width), extract_profile(IMAGE, OBLIQUE, width=width), rtol=1e-6)


def test_a_vertex_given_twice_counts_once() -> None:
    twice = [BENT[0], BENT[0], BENT[1], BENT[1], *BENT[2:], BENT[-1]]
    _assert_same(extract_profile(IMAGE, twice, width=3), extract_profile(IMAGE, BENT, width=3), rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 20), st.floats(-100, 100), st.sampled_from(["mean", "sum"]), st.sampled_from(ORDERS))
def test_a_profile_is_linear_in_the_image(factor: float, offset: float, reduce: str, order: int) -> None:
    plain = extract_profile(IMAGE, BENT, width=6, reduce=reduce, order=order)
    changed = extract_profile(factor * IMAGE + offset, BENT, width=6, reduce=reduce, order=order)
    lift = offset * (6 if reduce == "sum" else 1)
    np.testing.assert_allclose(changed.values, factor * plain.values + lift, rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(changed.sigma, abs(factor) * plain.sigma, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_masked_pixels_never_matter(order: int) -> None:
    rng = np.random.default_rng(4)
    valid = rng.random(IMAGE.shape) > 0.05
    by_nan = extract_profile(np.where(valid, IMAGE, np.nan), BENT, width=9, order=order)
    for wrong in (0.0, 1e9, -5.0):
        by_mask = extract_profile(np.where(valid, IMAGE, wrong), BENT, width=9, order=order, valid_mask=valid)
        _assert_same(by_mask, by_nan, rtol=0)
    assert 0 < by_nan.count.min() < by_nan.count.max() <= 9


def test_what_is_left_out_is_not_counted_and_no_sample_is_nan() -> None:
    image = IMAGE.copy()
    image[:, 20] = np.nan  # a gap one pixel wide
    image[30:33, 40] = np.nan  # the half of a band of six
    profile = extract_profile(image, [(32.5, 10), (32.5, 60)], width=6, order=0)
    assert profile.count[10] == 0
    assert np.isnan(profile.values[10])
    assert np.isnan(profile.sigma[10])
    assert profile.count[30] == 3
    assert profile.values[30] == pytest.approx(IMAGE[33:36, 40].mean())
    assert profile.sigma[30] == pytest.approx(IMAGE[33:36, 40].std(ddof=1) / np.sqrt(3))
    assert np.isfinite(np.delete(profile.values, 10)).all()


def test_what_lies_outside_the_image_is_left_out() -> None:
    profile = extract_profile(IMAGE, [(1, -5), (1, 84)], width=5)
    outside = (profile.points[:, 1] < 0) | (profile.points[:, 1] > 79)
    assert outside.sum() == 10
    assert (profile.count == np.where(outside, 0, 4)).all()  # row -1 is outside everywhere
    np.testing.assert_allclose(profile.values[~outside], IMAGE[:4].mean(axis=0))
    assert np.isnan(profile.values[outside]).all()


def test_a_sum_is_the_mean_times_the_width_also_where_pixels_are_left_out() -> None:
    image = IMAGE.copy()
    image[20:25, 30:40] = np.nan
    mean, total = (extract_profile(image, BENT, width=6, reduce=way) for way in ("mean", "sum"))
    np.testing.assert_allclose(total.values, 6 * mean.values)
    np.testing.assert_allclose(total.sigma, 6 * mean.sigma)
    np.testing.assert_array_equal(total.count, mean.count)


def test_the_image_is_not_changed_and_the_profile_is_repeatable() -> None:
    before = IMAGE.copy()
    _assert_same(extract_profile(IMAGE, BENT, width=5, order=3), extract_profile(IMAGE, BENT, width=5, order=3), rtol=0)
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_sampler_made_once_reads_the_same(order: int) -> None:
    valid = np.random.default_rng(4).random(IMAGE.shape) > 0.05
    sampler = ImageSampler(IMAGE, order=order, valid_mask=valid)
    for path in (OBLIQUE, BENT):
        anew = extract_profile(IMAGE, path, width=5, order=order, valid_mask=valid)
        _assert_same(extract_profile(sampler, path, width=5), anew, rtol=0)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_stack_is_read_as_its_frames_one_by_one(lazy: bool, order: int) -> None:
    stack = np.random.default_rng(5).normal(0, 1, (4, 64, 80)).astype(np.float32)
    stack[2, 20:30, 30:50] = np.nan
    valid = np.random.default_rng(4).random((64, 80)) > 0.05
    how: dict[str, Any] = {"width": 5, "order": order, "valid_mask": valid}
    together = extract_profile(da.from_array(stack, chunks=(1, 64, 80)) if lazy else stack, BENT, **how)
    alone = [extract_profile(frame, BENT, **how) for frame in stack]
    assert together.values.shape == together.sigma.shape == together.count.shape == (4, len(together.position))
    for name in ("values", "sigma", "count"):
        np.testing.assert_array_equal(getattr(together, name), np.stack([getattr(one, name) for one in alone]))


# Values whose source is named


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_along_an_axis_it_is_the_mean_or_sum_of_rows_and_columns(reduce: str) -> None:
    along_columns = extract_profile(IMAGE, [(31.5, 0), (31.5, 79)], width=64, reduce=reduce)
    np.testing.assert_allclose(along_columns.values, getattr(IMAGE, reduce)(axis=0))
    np.testing.assert_array_equal(along_columns.position, np.arange(80))
    along_rows = extract_profile(IMAGE, [(63, 39.5), (0, 39.5)], width=80, reduce=reduce)
    np.testing.assert_allclose(along_rows.values, getattr(IMAGE, reduce)(axis=1)[::-1])
    error = IMAGE.std(axis=0, ddof=1) / np.sqrt(64) * (64 if reduce == "sum" else 1)
    np.testing.assert_allclose(along_columns.sigma, error)


@pytest.mark.parametrize("side", [0, 1])
def test_a_rectangle_on_the_edges_of_pixels_is_the_mean_of_those_pixels(side: int) -> None:
    profile = extract_rectangle_profile(IMAGE, WHOLE, side=side)
    np.testing.assert_allclose(profile.values, IMAGE.mean(axis=side))
    np.testing.assert_allclose(profile.position, np.arange(IMAGE.shape[1 - side]) + 0.5)
    np.testing.assert_allclose(profile.points[:, 1 - side], np.arange(IMAGE.shape[1 - side]))
    part = extract_rectangle_profile(IMAGE, np.array([(9.5, 19.5), (9.5, 49.5), (16.5, 49.5), (16.5, 19.5)]), side=side)
    np.testing.assert_allclose(part.values, IMAGE[10:17, 20:50].mean(axis=side))


def test_a_turned_rectangle_is_the_line_through_its_middle() -> None:
    """40 by 12 pixels, on its corner: the band of 12 along the line between the middles of the outermost cells."""
    along, across = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
    start = np.array([18.0, 25.0])
    corners = [start, start + 40 * along, start + 40 * along + 12 * across, start + 12 * across]
    middle = start + 6 * across
    line = extract_profile(IMAGE, [middle + 0.5 * along, middle + 39.5 * along], width=12)
    rectangle = extract_rectangle_profile(IMAGE, corners)
    np.testing.assert_allclose(rectangle.position, line.position + 0.5)
    for name in ("values", "sigma", "count", "points"):
        np.testing.assert_allclose(getattr(rectangle, name), getattr(line, name), rtol=1e-6, err_msg=name)


@settings(max_examples=80, deadline=None)
@given(inner, inner, st.sampled_from([1, 3, 5, 9]), st.sampled_from([1, 2, 3, 4, 5]))
def test_scikit_image_agrees(start: Any, end: Any, width: int, order: int) -> None:
    length = math.dist(start, end)
    # A length a rounding above a whole number takes one sample more with them, not with us.
    assume(length >= 0.5 and not 0 < length - math.floor(length) < 1e-6)
    theirs = profile_line(IMAGE, start, end, linewidth=width, order=order, mode="mirror", reduce_func=np.mean)
    ours = extract_profile(IMAGE, [start, end], width=width, order=order)
    assert len(ours.values) == len(theirs)
    np.testing.assert_allclose(ours.values, theirs, rtol=1e-6)


@pytest.mark.parametrize("path", [[(10, 5), (10, 70)], [(60, 8), (4, 8)], [(5, 5), (45, 75)], OBLIQUE])
def test_scikit_image_agrees_at_order_one_in_its_mode_constant(path: Any) -> None:
    for width in (1, 3, 5):
        theirs = profile_line(IMAGE, *path, linewidth=width, order=1, mode="constant")
        np.testing.assert_allclose(extract_profile(IMAGE, path, width=width).values, theirs, rtol=1e-7)


def test_the_error_is_that_of_the_mean_over_many_noisy_images() -> None:
    """White noise along rows of pixels: the error found is the spread of the mean, to 3 percent over 2000 draws."""
    noise = np.random.default_rng(8).normal(0, 2, (2000, 15, 12))
    profile = extract_profile(noise, [(7, 0), (7, 11)], width=15)
    spread = profile.values.std(axis=0)
    np.testing.assert_allclose(np.sqrt((profile.sigma**2).mean(axis=0)) / spread, 1, atol=0.06)
    assert np.sqrt((profile.sigma**2).mean()) / profile.values.std() == pytest.approx(1, abs=0.02)


def test_between_pixels_the_error_is_too_small_by_no_more_than_is_said() -> None:
    noise = np.random.default_rng(9).normal(0, 2, (600, 40, 40))
    half, quarter, diagonal = [(19.5, 8), (19.5, 32)], [(19.25, 8.25), (19.25, 32)], [(10, 10), (30, 30)]
    for line in (half, quarter, diagonal, [(8.3, 12), (31, 26.2)]):
        profile = extract_profile(noise, line, width=15)
        ratio = np.sqrt((profile.sigma**2).mean()) / profile.values.std()
        assert 2 / 3 < ratio < 1.02


def test_a_real_detector_image_read_row_by_row(shared_data: Path) -> None:
    """The spectra of an ARPES image: along one of its 391 lines, and over 11 of them."""
    with h5py.File(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5") as file:
        image = file["Matrix"][()].astype(np.float64)
    if image.shape[0] != 391:
        image = image.T
    assert image.shape == (391, 721)
    along = [(200, 0), (200, 720)]
    np.testing.assert_allclose(extract_profile(image, along).values, image[200])
    np.testing.assert_allclose(extract_profile(image, along, width=11).values, image[195:206].mean(axis=0))


# The world


@pytest.mark.parametrize("scale", [(1, 1), (2.0, 0.5), (0.1, 0.3)])
def test_positions_are_lengths_in_the_world_evenly_spaced(scale: Any) -> None:
    profile = extract_profile(IMAGE, BENT, scale=scale, width=3)
    length = np.hypot(*(np.diff(BENT, axis=0) * scale).T).sum()
    assert profile.position[-1] == pytest.approx(length)
    np.testing.assert_allclose(np.diff(profile.position), length / (len(profile.position) - 1))
    np.testing.assert_allclose(profile.points[[0, -1]], [BENT[0], BENT[-1]])


@settings(max_examples=60, deadline=None)
@given(inner, inner, st.floats(0.1, 10), st.floats(0.1, 10), st.floats(2, 9))
def test_a_band_is_straight_and_at_right_angles_in_the_world(
    start: Any, end: Any, tall: float, wide: float, width: float
) -> None:
    if math.dist(start, end) < 0.5:
        return
    scale = np.array([tall, wide])
    band = make_path_band([start, end], width=width, scale=(tall, wide))
    along = (np.array(end) - start) * scale
    across = np.array([band.rows[-1, 0] - band.rows[0, 0], band.columns[-1, 0] - band.columns[0, 0]])
    assert abs(along @ (across * scale)) <= 1e-9 * np.hypot(*along) * np.hypot(*(across * scale))
    lines = len(band.rows)
    assert lines == max(1, round(width))
    assert np.hypot(*across) == pytest.approx(width * (lines - 1) / lines)  # in pixels, between the outermost lines


def test_pixels_that_are_not_square_in_the_world_can_be_made_square_first() -> None:
    """An image with rows twice as high reads as the same image with every row doubled."""
    rows, columns = np.indices((64, 80), float)
    smooth = np.sin(rows / 5) + np.cos(columns / 7)
    fine = ImageSampler(smooth).sample(*np.meshgrid(np.arange(0, 63.25, 0.5), np.arange(80.0), indexing="ij"))
    coarse = extract_profile(smooth, [(10, 10), (40, 60)], scale=(2, 1), samples=90)
    square = extract_profile(fine, [(20, 10), (80, 60)], samples=90)
    np.testing.assert_allclose(coarse.position, square.position)
    np.testing.assert_allclose(coarse.values, square.values, atol=1e-3)


@pytest.mark.parametrize("flipped", [(-2.0, 0.5), (2.0, -0.5), (-2.0, -0.5)])
def test_a_flipped_axis_changes_nothing(flipped: Any) -> None:
    _assert_same(
        extract_profile(IMAGE, BENT, width=5, scale=flipped), extract_profile(IMAGE, BENT, width=5, scale=(2, 0.5)),
        rtol=1e-9,
    )  # fmt: skip


def test_a_rectangle_of_the_world_need_not_be_one_of_pixels() -> None:
    scale = np.array([2.0, 0.5])
    along, across = np.array([0.8, 0.6]) * 20, np.array([-0.6, 0.8]) * 8
    start = np.array([60.0, 12.0])
    corners = np.array([start, start + along, start + along + across, start + across]) / scale
    band = make_rectangle_band(corners, scale=(2.0, 0.5))
    assert band.position[-1] + band.position[0] == pytest.approx(20)
    world = np.stack([band.rows * 2.0, band.columns * 0.5], axis=-1)
    offsets = (world - start) @ np.array([-0.6, 0.8])
    middles = (np.arange(len(offsets)) + 0.5) * 8 / len(offsets)
    np.testing.assert_allclose(np.sort(offsets, axis=0), np.repeat(middles[:, None], offsets.shape[1], axis=1))
    with pytest.raises(ValueError, match="'corners' must have right angles between their sides"):
        make_rectangle_band(corners)


# Geometry that is chosen


def test_samples_lie_a_pixel_apart_or_as_many_as_asked_for() -> None:
    assert len(extract_profile(IMAGE, [(5, 5), (5, 15)]).position) == 11
    assert len(extract_profile(IMAGE, [(5, 5), (8, 9)]).position) == 6
    assert len(extract_profile(IMAGE, [(5, 5), (5, 15.2)]).position) == 12
    profile = extract_profile(IMAGE, BENT, samples=2000)
    assert profile.values.shape == (2000,)
    np.testing.assert_allclose(profile.position[[0, -1]], extract_profile(IMAGE, BENT).position[[0, -1]])


@pytest.mark.parametrize(("width", "lines"), [(0.2, 1), (1, 1), (1.4, 1), (2, 2), (2.4, 2), (15, 15)])
def test_a_band_has_as_many_lines_as_it_is_wide(width: float, lines: int) -> None:
    assert extract_profile(IMAGE, OBLIQUE, width=width).count.max() == lines


def test_a_band_known_already_reads_the_same() -> None:
    band = make_path_band(BENT, width=4)
    _assert_same(extract_band_profile(IMAGE, band), extract_profile(IMAGE, BENT, width=4), rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": [(1, 1)]}, r"'path' must lead from one \(row, column\) to another; found 1 vertices at 1 place."),
        ({"path": [(1, 1), (1, 1)]}, "'path' must lead from .*; found 2 vertices at 1 place."),
        ({"path": np.zeros((0, 2))}, "'path' must lead from .*; found 0 vertices at 0 places."),
        ({"path": [1, 2, 3]}, r"'path' must be \(row, column\) pairs, n x 2 numbers; found 3."),
        ({"path": [(0, 0), (1, np.nan)]}, r"'path' must be finite numbers of pixels; found \[1.0, nan\]."),
        ({"path": [(0, 0), (0, 1e12)]}, "'path' and 'width' must make a band of at most 67108864 samples; found 10"),
        ({"width": 0}, "'width' must be above zero; found 0 px."),
        ({"width": -3.0}, "'width' must be above zero; found -3.0 px."),
        ({"samples": 1}, "'samples' must be at least 2, the first and the last; found 1."),
        ({"reduce": "max"}, "'reduce' must be one of mean, sum; found 'max'."),
        ({"order": 7}, "'order' must be a whole number from 0 to 5; found 7."),
        ({"scale": (1, 0)}, r"'scale' must be two finite sizes \(row, column\), none of them zero; found \(1, 0\)."),
        ({"scale": 2.0}, r"'scale' must be two finite sizes \(row, column\), none of them zero; found 2.0."),
        ({"valid_mask": np.ones((3, 3), bool)}, "'valid_mask' must have the shape of 'image'"),
        ({"image": np.ones(5)}, r"'image' must be an image \(rows x columns\) or a stack of them; found 1 axes \(5\)."),
        ({"image": np.ones((0, 4, 4))}, "'image' must be an image .*; found 3 axes"),
        ({"image": np.ones((4, 4), complex)}, "'image' must hold real numbers; found dtype complex128."),
        ({"image": ImageSampler(IMAGE), "order": 3}, r"which has its own \(order 1\); found order 3\."),
        ({"image": ImageSampler(IMAGE), "valid_mask": IMAGE > 0}, "found order None and a mask."),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"image": IMAGE, "path": OBLIQUE} | arguments
    with pytest.raises(ValueError, match=message):
        extract_profile(given.pop("image"), given.pop("path"), **given)


@pytest.mark.parametrize(
    ("corners", "side", "message"),
    [
        (WHOLE[:3], 0, "'corners' must be the four corners of a rectangle; found 3 points."),
        ([(0, 0), (0, 9), (0, 9), (0, 0)], 0, "'corners' must span a rectangle; found sides of 9 and 0."),
        ([(0, 0), (0, 9), (5, 12), (5, 3)], 0, "'corners' must have right angles between their sides; found another"),
        ([(0, 0), (0, 9), (5, 9), (6, 0)], 0, "'corners' must have right angles between their sides; found another"),
        (WHOLE, 2, r"'side' must be 0 \(first corner to second\) or 1 \(second to third\); found 2."),
    ],
)
def test_what_is_no_rectangle_is_refused(corners: Any, side: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extract_rectangle_profile(IMAGE, corners, side=side)
