"""From position to energy and back: both known points hold, and every position comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_bgremove.images.axis_calibration import LinearAxis, make_axis_from_points, make_axis_from_scale
from napari_bgremove.images.line_profiles import extract_profile

numbers = st.floats(-1e4, 1e4)


@settings(max_examples=200, deadline=None)
@given(numbers, numbers, numbers, numbers, st.lists(numbers, min_size=1, max_size=5))
def test_the_axis_passes_through_both_points_and_can_be_walked_back(
    first: float, second: float, low: float, high: float, positions: list[float]
) -> None:
    assume(abs(first - second) > 1e-3)
    assume(abs(low - high) > 1e-3)
    axis = make_axis_from_points([(first, low), (second, high)])
    reach = abs(axis.slope) * 1e4 + 1e4
    np.testing.assert_allclose(axis.to_values([first, second]), [low, high], atol=1e-11 * reach)
    tolerance = 1e-11 * reach / abs(axis.slope)
    np.testing.assert_allclose(axis.to_positions(axis.to_values(positions)), positions, atol=tolerance)


def test_the_order_of_the_points_does_not_matter() -> None:
    one, other = make_axis_from_points([(0, 540), (100, 520)]), make_axis_from_points([(100, 520), (0, 540)])
    np.testing.assert_allclose(one.to_values(np.arange(101)), other.to_values(np.arange(101)))
    assert one.to_values(50) == 530


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [
        ("energy", None, "energy (eV)"),
        ("binding energy", None, "binding energy (eV)"),
        ("wavelength", None, "wavelength (nm)"),
        ("wavelength", "Å", "wavelength (Å)"),
        ("pixel", None, "pixel (px)"),
        ("channel", None, "channel"),
    ],
)
def test_an_axis_is_named_with_its_unit(name: str, unit: str | None, label: str) -> None:
    assert make_axis_from_points([(0, 1), (1, 2)], name=name, unit=unit).label == label


def test_without_calibration_a_position_is_itself() -> None:
    assert LinearAxis().to_values([0, 2.5]).tolist() == [0, 2.5]
    assert LinearAxis().label == "pixel (px)"


@pytest.mark.parametrize("path", [[(3, 0), (3, 20)], [(3, 20), (3, 0)], [(2, 1), (12, 19)]])
def test_the_scale_of_an_image_is_the_axis_of_a_line_on_it(path: Any) -> None:
    """-43 eV + 0.05 eV per column, as the ADRESS detector records it: read off the image itself."""
    energies = np.broadcast_to(-43 + 0.05 * np.arange(21), (15, 21))
    profile = extract_profile(energies, path, scale=(2.0, 3.0))
    axis = make_axis_from_scale(profile.position, profile.points, image_axis=1, scale=0.05, translate=-43)
    np.testing.assert_allclose(axis.to_values(profile.position), profile.values)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(3, 1), (3, 2)], "'points' must have two different, finite positions; found 3.0 and 3.0."),
        ([(3, 1), (4, 1)], "'points' must have two different, finite values; found 1.0 and 1.0."),
        ([(3, 1), (np.nan, 2)], "'points' must have two different, finite positions; found 3.0 and nan."),
        ([(3, 1)], r"'points' must be two \(position, value\) pairs; found 1."),
    ],
)
def test_points_that_fix_no_axis_are_refused(points: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_axis_from_points(points)


def test_an_axis_that_cannot_be_walked_back_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'energy' must change along the profile, by finite numbers; found 1\.0 at"):
        LinearAxis(1.0, 0.0, "energy", "eV")
    with pytest.raises(ValueError, match="'energy' must change along the profile"):
        make_axis_from_points([(0, 0), (1e-300, 1e300)])
    with pytest.raises(ValueError, match=r"'name' must say what the axis is, as 'energy'; found ' '\."):
        LinearAxis(name=" ")


def test_a_scale_calibrates_no_bent_line_and_none_at_right_angles() -> None:
    image = np.zeros((30, 30))
    bent, upright = extract_profile(image, [(1, 1), (1, 20), (20, 20)]), extract_profile(image, [(1, 5), (20, 5)])
    with pytest.raises(ValueError, match=r"'points' must lie on a straight line .*; found a bend of \d"):
        make_axis_from_scale(bent.position, bent.points, image_axis=1, scale=0.05)
    with pytest.raises(ValueError, match="'points' must have two different, finite values"):
        make_axis_from_scale(upright.position, upright.points, image_axis=1, scale=0.05)
    with pytest.raises(ValueError, match=r"'image_axis' must be 0 \(rows\) or 1 \(columns\); found 2."):
        make_axis_from_scale(bent.position, bent.points, image_axis=2, scale=0.05)
