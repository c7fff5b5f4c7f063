"""Classical filters: the laws all of them obey, then what each one is for."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import ndimage

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.classical import (
    FAMILIES,
    PARAMETER_GRID,
    ClassicalFilter,
    available_families,
    estimate_many,
    list_filters,
)

ONE_OF_EACH = [
    ClassicalFilter.make("raw"),
    ClassicalFilter.make("percentile", percentile=25, window=7),
    ClassicalFilter.make("opening", window=3),
    ClassicalFilter.make("median", window=5),
    ClassicalFilter.make("mad", sigma=3, window=5),
    ClassicalFilter.make("lacosmic", contrast=2, sigma=4.5),
]
RUNNABLE = [one for one in ONE_OF_EACH if one.family in available_families()]
every_filter = pytest.mark.parametrize("one", RUNNABLE, ids=lambda one: one.label)


@pytest.fixture
def measured() -> np.ndarray:
    rng = np.random.default_rng(11)
    image = rng.normal(20, 0.5, (48, 56)).astype(np.float32)
    image[rng.integers(0, 48, 40), rng.integers(0, 56, 40)] += 300
    image[10:14, 20:30] = np.nan
    return image


@every_filter
def test_the_input_is_not_changed(one: ClassicalFilter, measured: np.ndarray) -> None:
    before = measured.copy()
    one(measured)
    np.testing.assert_array_equal(measured, before)


@every_filter
def test_parts_add_up_to_the_measured_image(one: ClassicalFilter, measured: np.ndarray) -> None:
    parts = one(measured)
    np.testing.assert_allclose(parts.signal + parts.background, measured, rtol=1e-6)
    assert parts.signal.dtype == np.float32
    assert parts.provenance == {"method": one.family, "parameters": dict(one.parameters)}


@every_filter
def test_gaps_stay_gaps_and_nothing_else_does(one: ClassicalFilter, measured: np.ndarray) -> None:
    np.testing.assert_array_equal(np.isnan(one(measured).signal), np.isnan(measured))


@every_filter
def test_a_constant_image_is_left_alone(one: ClassicalFilter) -> None:
    flat = np.full((32, 32), 12.0, np.float32)
    flat[3:6, 3:6] = np.nan
    np.testing.assert_allclose(one(flat).signal, flat)


@every_filter
def test_layout_and_dtype_do_not_matter(one: ClassicalFilter, measured: np.ndarray) -> None:
    expected = one(measured).signal
    for same in (np.asfortranarray(measured), measured.astype(">f4"), measured.astype(np.float64)):
        np.testing.assert_array_equal(one(same).signal, expected)


@pytest.mark.parametrize("one", [one for one in RUNNABLE if one.family != "lacosmic"], ids=lambda one: one.label)
def test_the_unit_does_not_matter(one: ClassicalFilter, measured: np.ndarray) -> None:
    """L.A.Cosmic is left out: it weighs the read noise, which has a unit."""
    np.testing.assert_allclose(one(measured * 8).signal, one(measured).signal * 8, rtol=1e-5)


@pytest.mark.parametrize("one", [one for one in RUNNABLE if one.family != "raw"], ids=lambda one: one.label)
def test_most_of_a_bright_single_pixel_goes(one: ClassicalFilter) -> None:
    image = np.random.default_rng(0).normal(20, 0.5, (33, 33)).astype(np.float32)
    image[16, 16] += 500
    assert one(image).background[16, 16] > 490


def test_filters_that_share_medians_answer_as_alone(measured: np.ndarray) -> None:
    for one, shared in estimate_many(measured, [*RUNNABLE, *RUNNABLE]):
        np.testing.assert_array_equal(shared, one.estimate_signal(measured))


@pytest.mark.parametrize("window", [3, 5])
def test_without_gaps_the_scipy_filters_come_back(window: int) -> None:
    image = np.random.default_rng(1).gamma(2, 5, (40, 40)).astype(np.float32)
    ours = {family: ClassicalFilter.make(family, window=window)(image).signal for family in ("median", "opening")}
    np.testing.assert_array_equal(ours["median"], ndimage.median_filter(image, size=window))
    np.testing.assert_array_equal(ours["opening"], ndimage.grey_opening(image, size=window))


def test_opening_never_exceeds_the_image_even_beside_gaps(measured: np.ndarray) -> None:
    signal = ClassicalFilter.make("opening", window=3)(measured).signal
    assert np.nanmax(signal - measured) <= 0


def test_a_huge_value_in_a_gap_cannot_leak(measured: np.ndarray) -> None:
    """The gap is NaN whatever the detector wrote there, so the neighbours must not feel it."""
    signal = ClassicalFilter.make("median", window=9)(measured).signal
    assert np.nanmax(signal) < 25


def test_mad_keeps_what_is_below_its_threshold() -> None:
    image = np.random.default_rng(2).normal(0, 1, (64, 64)).astype(np.float32)
    kept = ClassicalFilter.make("mad", sigma=8, window=9)(image).signal
    np.testing.assert_array_equal(kept, image)


def test_every_family_has_a_grid_and_its_filters_run(measured: np.ndarray) -> None:
    assert set(PARAMETER_GRID) == set(FAMILIES)
    for family in available_families():
        filters = list_filters(family)
        assert len(set(filters)) == len(filters) >= 1
        assert np.isfinite(filters[-1](measured).signal[~np.isnan(measured)]).all()


def test_the_grid_holds_the_filters_the_issue_names() -> None:
    named = [
        ClassicalFilter.make("percentile", percentile=25, window=7),
        ClassicalFilter.make("opening", window=3),
        ClassicalFilter.make("median", window=5),
        ClassicalFilter.make("median", window=9),
    ]
    every = {one for family in FAMILIES for one in list_filters(family)}
    assert set(named) <= every


def test_a_label_names_family_and_parameters() -> None:
    assert ClassicalFilter.make("mad", window=9, sigma=1.5).label == "mad(sigma=1.5, window=9)"
    assert ClassicalFilter.make("raw").label == "raw"


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (ClassicalFilter.make("percentile", percentile=101, window=3), "'percentile' must lie between 0 and 100"),
        (ClassicalFilter.make("median", window=0), "'window' must be above zero; found 0 px"),
        (ClassicalFilter.make("mad", sigma=0, window=3), "'sigma' must be above zero; found 0"),
    ],
    ids=lambda value: value.label if isinstance(value, ClassicalFilter) else "",
)
def test_bad_parameters_are_named(one: ClassicalFilter, message: str, measured: np.ndarray) -> None:
    with pytest.raises(ValueError, match=message):
        one(measured)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ValueError, match=r"'family' must be one of raw, percentile, .*; found 'wavelet'"):
        ClassicalFilter.make("wavelet")
    with pytest.raises(ValueError, match=r"'family' must be one of raw, percentile, .*; found 'wavelet'"):
        list_filters("wavelet")


def test_an_image_without_usable_pixels_is_refused() -> None:
    with pytest.raises(ComputeError, match="'measured' must have usable pixels; all 16 are NaN"):
        ClassicalFilter.make("raw")(np.full((4, 4), np.nan))


def test_without_astroscrappy_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, measured: np.ndarray
) -> None:
    monkeypatch.setitem(sys.modules, "astroscrappy", None)
    with pytest.raises(ComputeError, match=r"'lacosmic' needs the library astroscrappy, .* pip install astroscrappy"):
        ClassicalFilter.make("lacosmic", contrast=2, sigma=4.5)(measured)


def test_without_astroscrappy_the_family_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert available_families() == tuple(family for family in FAMILIES if family != "lacosmic")
