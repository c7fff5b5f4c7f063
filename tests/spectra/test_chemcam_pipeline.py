"""Each step of the mission's cleaning: its laws, and what it does to spectra whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.chemcam_pipeline import (
    CONTINUUM_LEVELS,
    convert_to_radiance,
    denoise_spectra,
    estimate_continuum,
    estimate_noise,
    read_parameters,
    subtract_dark,
)
from napari_bgremove.spectra.cleaning import clean_spectra

AXIS = np.linspace(240, 340, 2048)
CONTINUUM = 700 + 300 * np.exp(-(((AXIS - 300) / 40) ** 2))


def make_lines(seed: int = 0, *, count: int = 60) -> np.ndarray:
    """Lines of FWHM 0.16 nm (3.4 channels), as wide as ChemCam's."""
    rng = np.random.default_rng(seed)
    pairs = zip(rng.gamma(0.5, 2000, count), rng.uniform(242, 338, count), strict=True)
    return sum(height * np.exp(-(((AXIS - centre) / 0.07) ** 2) / 2) for height, centre in pairs)


LINES = make_lines()
NOISE = np.random.default_rng(1).normal(size=(4, 2048))


def test_the_dark_is_taken_off_every_spectrum() -> None:
    dark = 700 + 3 * NOISE[0]
    np.testing.assert_allclose(subtract_dark(LINES + dark, dark), LINES, atol=1e-10)
    stack = np.stack([LINES, 2 * LINES])
    np.testing.assert_allclose(subtract_dark(stack + dark, dark), stack, atol=1e-10)
    np.testing.assert_allclose(subtract_dark(stack + dark, np.stack([dark, dark])), stack, atol=1e-10)


def test_the_response_multiplies_every_channel() -> None:
    response = 1000 + AXIS
    np.testing.assert_array_equal(convert_to_radiance(np.stack([LINES, CONTINUUM]), response)[1], CONTINUUM * response)


def test_noise_scales_with_the_spectrum_and_knows_no_offset_or_order() -> None:
    noise = estimate_noise(NOISE)
    assert noise.shape == (4,)
    np.testing.assert_allclose(estimate_noise(7 * NOISE + 100), 7 * noise)
    np.testing.assert_allclose(estimate_noise(NOISE[:, ::-1]), noise)
    np.testing.assert_array_equal(estimate_noise(NOISE[2]), noise[2])


def test_noise_of_white_noise_is_low_by_what_clipping_takes() -> None:
    """About a median of three, unit noise spreads by 0.8846; clipped until it settles, by 0.781."""
    white = np.random.default_rng(2).normal(size=400_000)
    assert estimate_noise(white, clips=1) == pytest.approx(0.8846 / 0.893421, rel=0.005)
    assert estimate_noise(white) == pytest.approx(0.781 / 0.893421, rel=0.005)


def test_lines_hardly_count_as_noise_once_they_are_clipped() -> None:
    with_lines = estimate_noise(LINES + 5 * NOISE)
    # On the flank of a line a sample is the median of its neighbours: no spread at all, so it comes out lower.
    np.testing.assert_allclose(with_lines, 5 * estimate_noise(NOISE), rtol=0.3)
    assert (estimate_noise(LINES + 5 * NOISE, clips=1) > 5 * with_lines).all()


def test_a_constant_spectrum_has_no_noise_and_stays() -> None:
    flat = np.full(300, 7.0)
    assert estimate_noise(flat) == 0
    np.testing.assert_allclose(denoise_spectra(flat), flat, rtol=1e-12)


def test_denoising_leaves_smooth_lines_without_noise() -> None:
    smooth = LINES + CONTINUUM
    assert np.abs(denoise_spectra(smooth) - smooth).max() <= 1e-3 * LINES.max()


def test_denoising_takes_noise_away_and_keeps_the_height_of_lines() -> None:
    measured = LINES + CONTINUUM + 5 * NOISE
    denoised = denoise_spectra(measured)
    free = LINES < 1e-3
    before, after = ((one - LINES - CONTINUUM)[:, free] for one in (measured, denoised))
    assert after.std() < 0.7 * before.std()
    top = int(np.argmax(LINES))
    np.testing.assert_allclose(denoised[:, top], measured[:, top], atol=4 * 5)


@pytest.mark.parametrize("step", [denoise_spectra, lambda y: estimate_continuum(AXIS, y, lowest_level=6)])
def test_a_step_repeats_scales_shifts_and_treats_a_stack_as_a_loop(step) -> None:
    measured = LINES + CONTINUUM + 5 * NOISE
    before = measured.copy()
    found = step(measured)
    np.testing.assert_array_equal(measured, before)
    np.testing.assert_array_equal(step(measured), found)
    for row in range(4):
        np.testing.assert_allclose(step(measured[row]), found[row], rtol=1e-12)
    np.testing.assert_allclose(step(8 * measured), 8 * found, rtol=1e-12)
    np.testing.assert_allclose(step(measured + 4096), found + 4096, rtol=1e-9)
    np.testing.assert_allclose(step(measured.astype(np.float32)), found, rtol=1e-4)


@pytest.mark.parametrize("level", [5, 6])
def test_the_continuum_of_lines_on_a_smooth_curve_is_the_curve(level: int) -> None:
    found = estimate_continuum(AXIS, LINES + CONTINUUM, lowest_level=level)
    assert np.abs(found - CONTINUUM).max() <= 0.03 * CONTINUUM.max()
    assert np.sqrt(np.mean((found - CONTINUUM) ** 2)) <= 0.005 * CONTINUUM.max()


def test_the_continuum_stays_below_the_spectrum() -> None:
    measured = LINES + CONTINUUM
    above = estimate_continuum(AXIS, measured, lowest_level=6) - measured
    assert above.max() <= 0.003 * CONTINUUM.max()  # a spline may swing over between its knots
    noisy = measured + 5 * NOISE
    below = estimate_continuum(AXIS, noisy, lowest_level=6) < noisy
    assert below.mean() > 0.97


def test_a_lower_level_follows_narrower_structures() -> None:
    """A bump of 145 channels (FWHM): spared by windows of 2 x 64 channels, taken for continuum by 2 x 8."""
    bump = 500 * np.exp(-(((AXIS - 290) / 3) ** 2) / 2)
    measured = CONTINUUM + bump + NOISE[0]
    taken = [np.abs(estimate_continuum(AXIS, measured, lowest_level=level) - CONTINUUM).max() for level in (6, 3)]
    assert taken[0] < 10
    assert taken[1] > 200


def test_the_order_of_levels_is_that_of_the_headers() -> None:
    assert dict(CONTINUUM_LEVELS) == {"UV": 6, "VIO": 6, "VNIR": 5}


def test_a_header_gives_the_parameters_it_names() -> None:
    defaults = {"clips": 10, "sigmas": 3.0, "lowest_levels": {"UV": 6, "VIO": 6, "VNIR": 5}}
    assert read_parameters({}) == defaults
    given = {"dnoiseiter": 4.0, "dnoisesig": 2.5, "continuumvismin": 7.0, "nshots": 30}
    assert read_parameters(given) == {"clips": 4, "sigmas": 2.5, "lowest_levels": {"UV": 6, "VIO": 7, "VNIR": 5}}


def test_the_parameters_of_a_real_header_clean_its_own_shots(shared_data) -> None:
    """The mission's product has no continuum left, so cleaning it again takes little of it."""
    product = read_spectra_set(next((shared_data / "libs/chemcam").glob("CL5*.csv")))
    parameters = read_parameters(product.provenance["parameters"])
    assert parameters == read_parameters({})
    shots = product.select(slice(5, 8))
    again = clean_spectra(shots.axis, shots.spectra, method="chemcam", blocks=shots.blocks, **parameters)
    assert [block.name for block in product.blocks] == ["UV", "VIO", "VNIR"]
    for block in product.blocks:
        light = np.abs(shots.spectra[:, block.channels]).sum()
        assert np.abs(again.background[:, block.channels]).sum() < 0.10 * light


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: subtract_dark(LINES, np.zeros(3)), "'dark' must have one value for each of the 2048 channels"),
        (lambda: subtract_dark(LINES, LINES * np.nan), "'dark' must be finite; found 2048 values"),
        (lambda: convert_to_radiance(LINES, 1.0), "'response' must have one value .*; found a single number"),
        (lambda: estimate_noise(LINES, clips=0), "'clips' must be above zero"),
        (lambda: denoise_spectra(LINES, sigmas=-1), "'sigmas' must be above zero"),
        (lambda: estimate_continuum(AXIS, LINES, lowest_level=11), "'lowest_level' must lie between 0 and 10"),
        (lambda: estimate_continuum(AXIS, LINES[:9], lowest_level=6), "'spectra' must end in the 2048 channels"),
        (lambda: estimate_continuum(AXIS * 0, LINES, lowest_level=6), "'axis' must go strictly up"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
