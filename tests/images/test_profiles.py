"""Radial profiles: laws every image obeys, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.images.profiles import azimuthal_profile, radial_profile

CENTRES = [(31.5, 31.5), (0.0, 0.0), (-20.0, 70.0)]


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(3).gamma(2, 5, (64, 64))


@pytest.mark.parametrize("centre", CENTRES)
def test_a_constant_image_has_a_constant_profile(centre: tuple[float, float]) -> None:
    _, mean, count = radial_profile(np.full((64, 64), 7.0), centre=centre)
    np.testing.assert_allclose(mean[count > 0], 7.0)


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("width", [0.5, 1.0, 3.7])
def test_rings_hold_every_pixel_once_and_the_whole_intensity(
    image: np.ndarray, centre: tuple[float, float], width: float
) -> None:
    _, mean, count = radial_profile(image, centre=centre, width=width)
    assert count.sum() == image.size
    assert np.nansum(mean * count) == pytest.approx(image.sum())


def test_a_rotated_image_has_the_same_profile(image: np.ndarray) -> None:
    straight = radial_profile(image, centre=(31.5, 31.5))[1]
    turned = radial_profile(np.rot90(image), centre=(31.5, 31.5))[1]
    np.testing.assert_allclose(turned, straight)


def test_a_function_of_radius_comes_back_at_the_middle_of_its_ring() -> None:
    rows, columns = np.indices((101, 101)) - 50.0
    radius, mean, count = radial_profile(np.hypot(rows, columns), centre=(50, 50), width=5)
    full = (radius < 45) & (count > 0)
    # Inside a ring the mean radius exceeds its middle by width^2 / (12 r).
    np.testing.assert_allclose(mean[full][1:], radius[full][1:] + 25 / (12 * radius[full][1:]), atol=0.25)


def test_gaps_do_not_enter_a_mean(image: np.ndarray) -> None:
    valid = np.random.default_rng(4).random(image.shape) > 0.3
    holed = np.where(valid, image, np.nan)
    by_nan = radial_profile(holed, centre=(10, 20))
    by_mask = radial_profile(np.where(valid, image, 1e9), centre=(10, 20), valid_mask=valid)
    for ours, theirs in zip(by_nan, by_mask, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert by_nan[2].sum() == valid.sum()


def test_a_ring_without_usable_pixels_is_nan_with_count_zero() -> None:
    _, mean, count = radial_profile(np.full((8, 8), np.nan), centre=(4, 4))
    assert np.isnan(mean).all()
    assert count.sum() == 0


def test_the_number_of_bins_can_be_chosen(image: np.ndarray) -> None:
    radius, mean, count = radial_profile(image, centre=(31.5, 31.5), bins=12)
    assert len(radius) == len(mean) == len(count) == 12
    assert count.sum() == image.size


def test_a_single_pixel_at_the_centre_has_one_ring() -> None:
    assert radial_profile(np.array([[5.0]]), centre=(0, 0), bins=3)[1][0] == 5.0


def test_the_image_is_not_changed(image: np.ndarray) -> None:
    before = image.copy()
    radial_profile(image, centre=(0, 0))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"centre": (np.nan, 0)}, r"'centre' must be two finite numbers \(row, column\); found"),
        ({"centre": (0, 0), "bins": 3, "width": 2.0}, "'bins' and 'width' must not both be given; found 3 and 2.0"),
        ({"centre": (0, 0), "bins": 0}, "'bins' must be above zero; found 0"),
        ({"centre": (0, 0), "width": -1.0}, "'width' must be above zero; found -1.0 px"),
        ({"centre": (0, 0), "valid_mask": np.ones((2, 2), bool)}, "'valid_mask' must have the shape of 'image'"),
    ],
)
def test_bad_arguments_are_named(image: np.ndarray, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        radial_profile(image, **arguments)


# Over the angle.


def test_sectors_hold_every_pixel_of_the_ring_once(image: np.ndarray) -> None:
    _, mean, count = azimuthal_profile(image, centre=(31.5, 31.5), radii=(5, 20), width=7)
    rows, columns = np.indices(image.shape) - 31.5
    inside = (np.hypot(rows, columns) >= 5) & (np.hypot(rows, columns) <= 20)
    assert count.sum() == inside.sum()
    assert np.nansum(mean * count) == pytest.approx(image[inside].sum())


def test_a_quarter_turn_moves_the_profile_by_90_degrees(image: np.ndarray) -> None:
    angle, straight, _ = azimuthal_profile(image, centre=(31.5, 31.5), radii=(0, 31), width=5)
    _, turned, _ = azimuthal_profile(np.rot90(image, -1), centre=(31.5, 31.5), radii=(0, 31), width=5)  # clockwise
    assert angle[0] == 2.5
    np.testing.assert_allclose(np.roll(straight, 90 // 5), turned)


def test_a_function_of_the_angle_comes_back_at_the_middle_of_its_sector() -> None:
    rows, columns = np.indices((201, 201)) - 100.0
    image = np.degrees(np.arctan2(rows, columns)) % 360
    angle, mean, _ = azimuthal_profile(image, centre=(100, 100), radii=(60, 90), width=10)
    np.testing.assert_allclose(mean, angle, atol=0.3)


def test_gaps_do_not_enter_a_sector(image: np.ndarray) -> None:
    valid = np.random.default_rng(4).random(image.shape) > 0.3
    by_nan = azimuthal_profile(np.where(valid, image, np.nan), centre=(10, 20), radii=(2, 30))
    by_mask = azimuthal_profile(np.where(valid, image, 1e9), centre=(10, 20), radii=(2, 30), valid_mask=valid)
    for ours, theirs in zip(by_nan, by_mask, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"radii": (9, 3)}, "'radii' must rise from 0 or above; found 9 and 3 px"),
        ({"radii": (0, 9), "width": 0}, "'width'"),
        ({"radii": (0, 9), "width": 400}, "'width'"),
        ({"radii": (0, 9), "centre": (np.nan, 3)}, "'centre' must be two finite numbers"),
    ],
)
def test_a_ring_that_is_none_is_refused(image: np.ndarray, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        azimuthal_profile(image, **{"centre": (3, 3), **options})  # type: ignore[arg-type]
