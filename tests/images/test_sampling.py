"""An image between its pixels: exact where it can be, and blind to what was not measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bgremove.images.sampling import ORDERS, ImageSampler

RNG = np.random.default_rng(11)
IMAGE = RNG.gamma(2, 50, (24, 31))
INSIDE = RNG.uniform(0, 23, 400), RNG.uniform(0, 30, 400)


@pytest.mark.parametrize("order", ORDERS)
def test_a_pixel_is_read_at_its_centre(order: int) -> None:
    rows, columns = np.indices(IMAGE.shape, float)
    np.testing.assert_allclose(ImageSampler(IMAGE, order=order).sample(rows, columns), IMAGE, rtol=1e-10)


@pytest.mark.parametrize("order", ORDERS)
def test_between_pixels_it_is_what_scipy_says(order: int) -> None:
    expected = ndimage.map_coordinates(IMAGE, INSIDE, order=order, mode="mirror")
    np.testing.assert_allclose(ImageSampler(IMAGE, order=order).sample(*INSIDE), expected, rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS[1:])
def test_a_plane_is_read_exactly(order: int) -> None:
    # A spline knows a plane far from the rim only: it sees the image mirrored there.
    size = 24 if order == 1 else 120
    rows, columns = np.indices((size, size), float)
    at = RNG.uniform(0, 23, (2, 400)) + (size - 24) / 2
    plane = 3 - 2.5 * rows + 0.25 * columns
    np.testing.assert_allclose(ImageSampler(plane, order=order).sample(*at), 3 - 2.5 * at[0] + 0.25 * at[1], atol=1e-7)


@pytest.mark.parametrize("order", ORDERS)
def test_the_image_ends_at_the_centres_of_its_outermost_pixels(order: int) -> None:
    sampler = ImageSampler(IMAGE, order=order)
    rows = np.array([0, 23, 5, 5, -0.01, 23.01, 5, 5, 1e9, -1e9])
    columns = np.array([5, 5, 0, 30, 5, 5, -0.01, 30.01, 5, 5.0])
    assert np.isfinite(sampler.sample(rows, columns)).tolist() == [True] * 4 + [False] * 6


def test_rounding_puts_no_sample_beside_its_pixel() -> None:
    """A line along the last row, a hair beside it, is still on the image and asks for no neighbour."""
    holed = IMAGE.copy()
    holed[22] = np.nan
    rows, columns = np.full(31, 23 + 1e-13), np.arange(31) - 1e-13
    np.testing.assert_array_equal(ImageSampler(holed).sample(rows, columns), IMAGE[23])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("way", ["mask", "nan", "inf", "masked array"])
def test_what_an_unusable_pixel_holds_never_matters(order: int, way: str) -> None:
    valid = np.random.default_rng(2).random(IMAGE.shape) > 0.1
    expected = ImageSampler(np.where(valid, IMAGE, np.nan), order=order).sample(*INSIDE)
    for wrong in (0.0, -1e6, 4e9):
        image = np.where(valid, IMAGE, {"nan": np.nan, "inf": np.inf}.get(way, wrong))
        given_mask = valid if way == "mask" else None
        masked = np.ma.array(image, mask=~valid) if way == "masked array" else image
        sampler = ImageSampler(masked, order=order, valid_mask=given_mask)
        np.testing.assert_array_equal(sampler.sample(*INSIDE), expected)
    assert 0.05 < np.isnan(expected).mean() < 0.5


@pytest.mark.parametrize("order", ORDERS)
def test_a_sample_is_left_out_exactly_where_a_pixel_it_lies_between_is_unusable(order: int) -> None:
    holed = IMAGE.copy()
    holed[10, 12] = np.nan
    rows, columns = np.random.default_rng(3).uniform((8, 10), (12, 14), (300, 2)).T
    reach = 0.5 if order == 0 else 1.0
    expected = (np.abs(rows - 10) < reach) & (np.abs(columns - 12) < reach)
    assert expected.any()
    np.testing.assert_array_equal(np.isnan(ImageSampler(holed, order=order).sample(rows, columns)), expected)


@pytest.mark.parametrize(
    ("order", "first", "decay"), [(2, 0.13, 0.18), (3, 0.14, 0.27), (4, 0.17, 0.37), (5, 0.18, 0.44)]
)
def test_what_stands_in_for_an_unusable_pixel_fades_as_documented(order: int, first: float, decay: float) -> None:
    """Between the first and second pixel from a gap, and ever less beyond: the bend of the spline is assumed."""
    image = np.zeros((1, 41))
    image[0, 20] = 1.0  # the truth, which is 1 above what is assumed
    holed = np.where(np.arange(41) == 20, np.nan, image)
    fine = np.linspace(0, 40, 4001)
    true, assumed = (ImageSampler(one, order=order).sample(0 * fine, fine) for one in (image, holed))
    error = np.abs(true - assumed)
    largest = [np.nanmax(error[(fine >= 20 + k) & (fine <= 21 + k)]) for k in range(1, 6)]
    assert largest[0] < first
    assert np.all(np.divide(largest[1:], largest[:-1]) < decay)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "u4", "f2", "f4", ">f4", "f8", "?"])
def test_every_real_dtype_reads_the_same(order: int, dtype: str) -> None:
    image = (IMAGE / IMAGE.max() * (1.4 if dtype == "?" else 200)).astype(dtype)
    expected = ImageSampler(image.astype(np.float64), order=order).sample(*INSIDE)
    np.testing.assert_array_equal(ImageSampler(image, order=order).sample(*INSIDE), expected)


@pytest.mark.parametrize("order", ORDERS)
def test_every_layout_reads_the_same_and_nothing_is_changed(order: int) -> None:
    expected = ImageSampler(IMAGE, order=order).sample(*INSIDE)
    before = IMAGE.copy()
    for image in (np.asfortranarray(IMAGE), np.repeat(IMAGE, 2, axis=1)[:, ::2], IMAGE[::-1].copy()[::-1]):
        sampler = ImageSampler(image, order=order)
        for _ in range(2):
            np.testing.assert_array_equal(sampler.sample(*INSIDE), expected)
    np.testing.assert_array_equal(IMAGE, before)


def test_samples_keep_the_shape_of_their_positions() -> None:
    rows, columns = INSIDE[0].reshape(4, 100), INSIDE[1].reshape(4, 100)
    sampler = ImageSampler(IMAGE)
    np.testing.assert_array_equal(sampler.sample(rows, columns).ravel(), sampler.sample(*INSIDE))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(ORDERS), st.floats(-50, 50), st.floats(-1e3, 1e3))
def test_reading_is_linear_in_the_image(order: int, factor: float, offset: float) -> None:
    plain = ImageSampler(IMAGE, order=order).sample(*INSIDE)
    changed = ImageSampler(factor * IMAGE + offset, order=order).sample(*INSIDE)
    np.testing.assert_allclose(changed, factor * plain + offset, rtol=1e-7, atol=1e-5)


def test_an_image_of_one_pixel_is_that_pixel() -> None:
    for order in ORDERS:
        assert ImageSampler([[7.0]], order=order).sample(np.zeros(1), np.zeros(1)) == pytest.approx(7)


def test_an_image_without_a_usable_pixel_gives_no_sample() -> None:
    for order in ORDERS:
        assert np.isnan(ImageSampler(np.full((9, 9), np.nan), order=order).sample(*(x / 4 for x in INSIDE))).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 6}, r"'order' must be a whole number from 0 to 5; found 6. Take 1 \(bilinear\) or 3 \(cubic\)."),
        ({"order": 1.5}, "'order' must be a whole number from 0 to 5; found 1.5."),
        ({"valid_mask": np.ones((2, 2), bool)}, r"'valid_mask' must have the shape of 'image' \(24 x 31\); found"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSampler(IMAGE, **arguments)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="'image' must be a 2-D image"):
        ImageSampler(np.ones(5))
