"""Laws of the a-trous transform, and the transform written as a convolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_bgremove.spectra.wavelet_planes import (
    extract_wavelet_plane,
    highest_level,
    merge_wavelet_planes,
    smooth_by_holes,
    split_wavelet_planes,
)

SPECTRA = np.random.default_rng(0).gamma(0.5, 100, (3, 300))


@given(
    arrays(np.float64, st.integers(2, 80), elements=st.floats(-1e6, 1e6)),
    st.data(),
)
def test_planes_add_up_to_the_spectrum(spectrum: np.ndarray, data) -> None:
    levels = data.draw(st.integers(0, highest_level(spectrum.size)))
    planes = split_wavelet_planes(spectrum, levels=levels)
    assert planes.shape == (levels + 1, spectrum.size)
    np.testing.assert_allclose(merge_wavelet_planes(planes), spectrum, rtol=0, atol=1e-12 * max(1, abs(spectrum).max()))


def test_a_stack_is_the_loop_over_its_spectra_and_the_input_stays() -> None:
    before = SPECTRA.copy()
    planes = split_wavelet_planes(SPECTRA, levels=6)
    for row in range(3):
        np.testing.assert_array_equal(planes[:, row], split_wavelet_planes(SPECTRA[row], levels=6))
    np.testing.assert_array_equal(SPECTRA, before)


def test_the_transform_is_linear_and_does_not_care_for_a_direction() -> None:
    doubled = split_wavelet_planes(3 * SPECTRA + 7, levels=5)
    plain = split_wavelet_planes(SPECTRA, levels=5)
    np.testing.assert_allclose(doubled[:-1], 3 * plain[:-1], atol=1e-9)
    np.testing.assert_allclose(doubled[-1], 3 * plain[-1] + 7)
    np.testing.assert_allclose(split_wavelet_planes(SPECTRA[:, ::-1], levels=5)[..., ::-1], plain, atol=1e-10)


@pytest.mark.parametrize("level", range(9))
def test_a_step_is_a_convolution_with_a_kernel_with_holes(level: int) -> None:
    """scipy's 'reflect' repeats the end channel too; at level 8 the holes reach beyond the other end."""
    kernel = np.zeros(4 * 2**level + 1)
    kernel[:: 2**level] = np.array([1, 4, 6, 4, 1]) / 16
    expected = ndimage.convolve1d(SPECTRA, kernel, axis=-1, mode="reflect")
    np.testing.assert_allclose(smooth_by_holes(SPECTRA, level=level), expected, atol=1e-10)


@pytest.mark.parametrize("channels", [3, 44, 300, 301])
def test_one_plane_alone_is_that_of_all(channels: int) -> None:
    spectra = SPECTRA[:, np.arange(channels) % 300]
    levels = highest_level(channels)
    planes = split_wavelet_planes(spectra, levels=levels)
    for level in range(levels):
        found = extract_wavelet_plane(spectra, level=level)
        np.testing.assert_allclose(found, planes[level], rtol=0, atol=1e-12 * spectra.max())
    rest = split_wavelet_planes(spectra, levels=levels)[-1]
    coarsest = extract_wavelet_plane(spectra, level=levels)
    np.testing.assert_allclose(coarsest, rest - smooth_by_holes(rest, level=levels), atol=1e-12 * spectra.max())
    with pytest.raises(ValueError, match=f"'level' must lie between 0 and {levels}; found {levels + 1}"):
        extract_wavelet_plane(spectra, level=levels + 1)


def test_an_impulse_becomes_the_spline_times_its_holes() -> None:
    impulse = np.zeros(64)
    impulse[32] = 16
    smooth = smooth_by_holes(impulse, level=2)
    np.testing.assert_allclose(smooth[[24, 28, 32, 36, 40]], [1, 4, 6, 4, 1])
    assert smooth.sum() == pytest.approx(16)


def test_white_noise_has_the_share_of_the_impulse_response_in_each_plane() -> None:
    noise = np.random.default_rng(1).normal(size=200_000)
    impulse = np.zeros(1001)
    impulse[500] = 1
    shares = np.linalg.norm(split_wavelet_planes(impulse, levels=5), axis=-1)
    np.testing.assert_allclose(split_wavelet_planes(noise, levels=5)[:5].std(axis=-1), shares[:5], rtol=0.02)
    assert shares[0] == pytest.approx(0.7235, abs=1e-4)  # sqrt((10^2 + 2 4^2 + 2) / 16^2)


@pytest.mark.parametrize(("channels", "level"), [(1, 0), (2, 0), (3, 1), (2048, 10), (2049, 11), (1884, 10)])
def test_the_highest_level_is_the_largest_power_of_two_below_the_length(channels: int, level: int) -> None:
    assert highest_level(channels) == level


@pytest.mark.parametrize(
    ("spectra", "levels", "message"),
    [
        (np.zeros(10), 4, "'levels' must lie between 0 and 3; found 4"),
        (np.zeros(10), -1, "'levels' must lie between 0 and 3; found -1"),
        (np.zeros((2, 0)), 0, "'spectra' must hold channels along their last axis; found 2 x 0"),
        (3.0, 0, "'spectra' must hold channels along their last axis; found a single number"),
    ],
)
def test_wrong_arguments_are_named(spectra, levels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_wavelet_planes(spectra, levels=levels)
