"""Bands that are left out: closed at both ends, and the paper's number of channels on the real axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.spectra.blocks import find_blocks, keep_in_blocks


@pytest.fixture(scope="session")
def chemcam_axis(shared_data: Path) -> np.ndarray:
    file = shared_data / "libs/chemcam/CL5_398645626CCS_F0030004CCAM02013P3.csv"
    return np.loadtxt(file, delimiter=",", usecols=0)


def test_both_ends_of_a_band_are_left_out() -> None:
    np.testing.assert_array_equal(channels_outside([1, 2, 3, 4, 5], [(2, 4)]), [True, False, False, False, True])


def test_without_a_band_every_channel_stays() -> None:
    assert channels_outside([3.0, 1.0], []).all()


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=30), st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted)
)
def test_a_band_in_two_halves_leaves_what_the_whole_leaves(axis: list[float], band: list[float]) -> None:
    low, high = band
    middle = (low + high) / 2
    np.testing.assert_array_equal(
        channels_outside(axis, [(low, high)]), channels_outside(axis, [(middle, high), (low, middle)])
    )


@pytest.mark.parametrize("band", [(2.0, 1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_a_band_that_is_no_interval_is_refused(band: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"'bands' must be finite intervals \(low, high\); found"):
        channels_outside([1.0, 2.0], [band])


def test_the_bands_of_the_paper_leave_5485_channels_of_the_real_axis(chemcam_axis: np.ndarray) -> None:
    kept = channels_outside(chemcam_axis, CHEMCAM_IGNORED_BANDS)
    left = keep_in_blocks(find_blocks(chemcam_axis, names=("UV", "VIO", "VNIR")), kept)
    assert kept.sum() == 5485  # "N = 5485 wavelengths", Castorena & Oyen, section 3
    assert {block.name: len(block) for block in left} == {"UV": 1884, "VIO": 1928, "VNIR": 1673}


def test_open_ends_would_leave_another_number(chemcam_axis: np.ndarray) -> None:
    inside = [(chemcam_axis > low) & (chemcam_axis < high) for low, high in CHEMCAM_IGNORED_BANDS]
    assert np.sum(~np.any(inside, axis=0)) == 5488
