"""Laws of every classical cleaning in the table, on spectra of two spectrometers with known parts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.backgrounds import separate_background
from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.chemcam_pipeline import denoise_spectra, estimate_continuum
from napari_bgremove.spectra.cleaning import CLEANERS, NothingUsableError, clean_spectra
from napari_bgremove.spectra.cleaning_remarks import describe_remarks, merge_remarks

# The second spectrometer begins before the first ends, with wider steps.
AXIS = np.concatenate([np.linspace(240, 270, 500), np.linspace(268, 330, 400)])
BLOCKS = (Block("UV", 0, 500), Block("VNIR", 500, 900))
CONTINUUM = np.concatenate([700 + 2 * (AXIS[:500] - 240), 300 + 50 * np.sin((AXIS[500:] - 268) / 15)])
CENTRES = (245.0, 250.3, 262.0, 275.0, 300.0, 312.0)
LINES = sum(600 * np.exp(-(((AXIS - centre) / 0.3) ** 2) / 2) for centre in CENTRES)
PARAMETERS = {"snip": {"max_half_window": 25}, "modpoly": {"poly_order": 5}, "chemcam": {"lowest_levels": 5}}
BASELINES = ("arpls", "airpls", "snip", "modpoly")


def make_spectra(rows: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0.5, 1.5, (rows, 1)) * LINES + CONTINUUM + rng.normal(0, 2, (rows, AXIS.size))


def clean(method: str, spectra: np.ndarray | None = None, **arguments):
    given = {"blocks": BLOCKS, **PARAMETERS.get(method, {}), **arguments}
    return clean_spectra(AXIS, make_spectra() if spectra is None else spectra, method=method, **given)


@pytest.mark.parametrize("method", CLEANERS)
def test_cleaning_repeats_adds_up_and_leaves_the_input_alone(method: str) -> None:
    spectra = make_spectra()
    before = spectra.copy()
    first, second = clean(method, spectra), clean(method, spectra)
    assert_array_equal(spectra, before)
    assert_array_equal(first.signal, second.signal)
    # Only the denoising of ChemCam leaves something over: noise.
    assert np.abs(first.residual).max() <= (15 if method == "chemcam" else 1e-9)
    assert first.provenance["method"] == method


@pytest.mark.parametrize("method", CLEANERS)
def test_a_stack_is_the_loop_over_its_spectra(method: str) -> None:
    stack = make_spectra(4).reshape(2, 2, -1)
    together = clean(method, stack)
    for place in np.ndindex(2, 2):
        assert_allclose(together.signal[place], clean(method, stack[place]).signal, atol=1e-9)


@pytest.mark.parametrize("method", CLEANERS)
def test_a_spectrometer_knows_nothing_of_the_other(method: str) -> None:
    spectra = make_spectra()
    changed = spectra.copy()
    changed[:, 500:] = 5 * changed[:, 500:] + 1e4
    assert_array_equal(clean(method, changed).signal[:, :500], clean(method, spectra).signal[:, :500])


@pytest.mark.parametrize("method", CLEANERS)
@pytest.mark.parametrize("dtype", ["i4", "f4", ">f8"])
def test_every_dtype_gives_the_float64_result(method: str, dtype: str) -> None:
    whole = np.round(make_spectra())
    result = clean(method, whole.astype(dtype))
    assert result.signal.dtype == np.float64
    assert_array_equal(result.signal, clean(method, whole).signal)


@pytest.mark.parametrize("method", CLEANERS)
def test_the_background_is_near_the_known_continuum(method: str) -> None:
    away = clean(method).background - CONTINUUM
    # arPLS sags by some counts below the lines; minima lie below the mean of the noise.
    assert np.abs(away).mean() <= 8
    assert np.abs(away[:, 5:-5]).max() <= 80


@pytest.mark.parametrize("method", BASELINES)
def test_a_block_is_what_the_baseline_itself_makes_of_it(method: str) -> None:
    result = clean(method)
    for block in BLOCKS:
        part = block.channels
        alone = separate_background(AXIS[part], make_spectra()[:, part], method=method, **PARAMETERS.get(method, {}))
        assert_array_equal(result.background[:, part], alone.background)


def test_chemcam_is_its_steps_one_after_the_other() -> None:
    dark, response = np.linspace(10, 20, AXIS.size), 1000 + AXIS
    result = clean("chemcam", dark=dark, response=response)
    for block, level in zip(BLOCKS, (5, 5), strict=True):
        part = block.channels
        denoised = denoise_spectra(make_spectra()[:, part] - dark[part])
        continuum = estimate_continuum(AXIS[part], denoised, lowest_level=level)
        assert_allclose(result.signal[:, part], (denoised - continuum) * response[part])
        assert_allclose(result.background[:, part], (dark[part] + continuum) * response[part])
    assert_allclose(result.measured, make_spectra() * response)


def test_each_block_has_the_level_of_its_name() -> None:
    by_name = clean("chemcam", lowest_levels={"UV": 6, "VNIR": 4}).signal
    assert_array_equal(by_name[:, :500], clean("chemcam", lowest_levels=6).signal[:, :500])
    assert_array_equal(by_name[:, 500:], clean("chemcam", lowest_levels=4).signal[:, 500:])
    unnamed = clean("chemcam", blocks=(Block("a", 0, 500), Block("b", 500, 900)), lowest_levels={"UV": 4})
    assert_array_equal(unnamed.signal, clean("chemcam", lowest_levels=6).signal)


@pytest.mark.parametrize("method", CLEANERS)
def test_drawn_signal_does_not_shape_the_background(method: str) -> None:
    """A band as wide as a continuum, which every method takes for one, at least in part, unless it is drawn."""
    band = 800 * np.exp(-(((AXIS - 255) / 4) ** 2) / 2)
    signal = np.abs(AXIS - 255) < 13
    spectra = make_spectra()
    parameters = {"poly_order": 2} if method == "modpoly" else {}
    masked = clean(method, spectra + band, signal_channels=signal, **parameters)
    away = np.abs(masked.background - CONTINUUM)[:, 30:470]
    without = np.abs(clean(method, spectra + band, **parameters).background - CONTINUUM)[:, 30:470]
    assert away.max() <= 6
    assert without.max() > 8 * away.max()
    # What stands in the drawn channels is kept whole.
    kept = masked.signal + masked.background
    assert_allclose(kept[:, signal], (spectra + band)[:, signal], atol=15)
    louder = clean(method, spectra + 3 * band * signal, signal_channels=signal, **parameters)
    quieter = clean(method, spectra + band * signal, signal_channels=signal, **parameters)
    # Denoising sees across the edge of the drawn channels, a little.
    assert_allclose(louder.background, quieter.background, atol=60 if method == "chemcam" else 1e-9)


@pytest.mark.parametrize("method", CLEANERS)
def test_what_is_not_usable_stays_nan_and_shapes_nothing(method: str) -> None:
    spectra = make_spectra()
    holed = spectra.copy()
    holed[1, 100:103] = np.nan
    result = clean(method, holed)
    for part in (result.signal, result.background, result.measured):
        assert_array_equal(np.isnan(part), np.isnan(holed))
    assert_allclose(result.background[[0, 2]], clean(method, spectra).background[[0, 2]])
    known = np.isfinite(holed[1])
    assert np.abs(result.background[1] - clean(method, spectra).background[1])[known].max() < 10


@pytest.mark.parametrize("method", BASELINES)
def test_a_falling_axis_gives_the_background_of_the_rising_one_across_drawn_signal(method: str) -> None:
    axis, spectra = AXIS[:500], make_spectra()[:, :500]
    spectra[0, 40:44] = np.nan
    signal = np.abs(axis - 255) < 3
    rising = clean_spectra(axis, spectra, method=method, signal_channels=signal)
    falling = clean_spectra(axis[::-1], spectra[:, ::-1], method=method, signal_channels=signal[::-1])
    assert_allclose(falling.background[:, ::-1], rising.background, rtol=1e-12)


def test_without_blocks_all_channels_are_one() -> None:
    part = BLOCKS[0].channels
    alone = clean_spectra(AXIS[part], make_spectra()[:, part], method="snip", max_half_window=25)
    assert_array_equal(alone.background, clean("snip").background[:, part])
    assert alone.provenance["blocks"] == [["spectrum", 0, 500]]


def test_the_record_says_how_to_do_it_again() -> None:
    record = clean("chemcam", dark=np.zeros(AXIS.size), signal_channels=AXIS < 241).provenance
    assert record["parameters"] == {
        "clips": 10, "sigmas": 3.0, "lowest_levels": 5, "dark": "900 values", "response": None
    }  # fmt: skip
    assert record["signal_channels"] == np.count_nonzero(AXIS < 241)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "wiens"}, "'method' must be one of chemcam, arpls, airpls, snip, modpoly; found 'wiens'"),
        ({"method": "snip", "lam": 1e5}, "'parameter of snip' must be one of max_half_window, .*; found 'lam'"),
        ({"method": "snip", "blocks": (Block("UV", 0, 500),)}, "'blocks' must cover all 900 channels"),
        ({"method": "snip", "blocks": None}, "'axis' must go strictly up or strictly down"),
        ({"method": "snip", "signal_channels": np.ones(3, bool)}, "'signal_channels' must tell .* 900 channels"),
        ({"method": "snip", "signal_channels": np.ones(900)}, "'signal_channels' must tell .* found 900 float64"),
        ({"method": "chemcam", "lowest_levels": 12}, "'lowest_level' must lie between 0 and 8; found 12"),
        ({"method": "chemcam", "dark": np.zeros(4)}, "'dark' must have one value for each of the 900 channels"),
    ],
)
def test_wrong_arguments_are_named(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clean(**arguments)


def test_a_block_full_of_drawn_signal_is_refused() -> None:
    with pytest.raises(ComputeError, match=r"must leave at least 2 channels of block 'UV' .* found 0 of 500"):
        clean("arpls", signal_channels=np.arange(900) < 500)


def test_a_spectrum_without_a_usable_sample_is_named() -> None:
    spectra = make_spectra()
    spectra[2, 500:] = np.nan
    with pytest.raises(ComputeError, match="found spectrum 2 without any from 268 to 330"):
        clean("chemcam", spectra)


# What the library says


def test_what_did_not_settle_is_counted_by_spectra_and_said_once() -> None:
    result = clean("arpls", max_iter=1)
    assert result.provenance["remarks"] == {"spectra": 3, "not_converged": 3, "without_result": 0, "warned": {}}
    assert describe_remarks(result.provenance["remarks"]) == (
        "3 of 3 spectra did not reach the tolerance of the method ('tol') in its rounds ('max_iter'); look at them, "
        "or allow more rounds."
    )
    assert describe_remarks(clean("airpls").provenance["remarks"]) == ""


def test_a_warning_of_the_library_is_kept_back_and_counted() -> None:
    """Both spectrometers are narrower than the window: pybaselines warns six times, of three spectra."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        remarks = clean("snip", max_half_window=5000).provenance["remarks"]
    ((text, count),) = remarks["warned"].items()
    assert (text, count) == ("max_half_window values greater than (len(data) - 1) / 2 have no effect", 3)
    assert describe_remarks(remarks) == f"3 of 3 spectra: {text}."


@pytest.mark.parametrize("method", BASELINES)
def test_a_spectrometer_without_samples_is_nan_alone_and_in_a_stack_and_counted(method: str) -> None:
    spectra = make_spectra()
    spectra[1, 500:] = np.nan
    stack = clean(method, spectra)
    assert np.isnan(stack.signal[1, 500:]).all()
    assert np.isfinite(stack.signal[1, :500]).all()
    assert_array_equal(clean(method, spectra[1]).signal, stack.signal[1])
    assert stack.provenance["remarks"]["without_result"] == 1
    assert "1 of 3 spectra had too few usable samples" in describe_remarks(stack.provenance["remarks"])
    with pytest.raises(NothingUsableError, match="at least 2 usable samples; found 0 of 500"):
        clean(method, np.full((2, 900), np.nan))


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    spectra = make_spectra(5)
    spectra[4, :500] = np.nan
    given = {"max_iter": 12, "lam": 1e7}
    parts = [clean("arpls", spectra[rows], **given).provenance["remarks"] for rows in (slice(0, 2), slice(2, 5))]
    whole = clean("arpls", spectra, **given).provenance["remarks"]
    assert merge_remarks(*parts) == whole
    assert whole["without_result"] == 1
    assert merge_remarks({}, whole) == merge_remarks(whole, {}) == whole
