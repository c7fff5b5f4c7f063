"""Spectral axes and the spectra along them: what passes, what is refused, and what becomes NaN."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.spectra.axes import check_axis, check_spectra, is_uniform

AXIS = np.linspace(700, 730, 7)


@pytest.mark.parametrize("axis", [AXIS, AXIS[::-1], AXIS.astype("f4"), np.arange(5), [3, 1, 0.5]])
def test_every_strictly_monotonic_axis_passes_as_float64(axis: object) -> None:
    checked = check_axis(axis)  # type: ignore[arg-type]
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, np.asarray(axis, float))


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (np.zeros((2, 3)), "'axis' must be 1-D with at least 2 samples; found 2 x 3"),
        ([1.0], "'axis' must be 1-D with at least 2 samples; found 1"),
        ([1, 2, np.nan, 4], "'axis' must be finite; found nan at sample 2"),
        ([1, 2, 2, 4], "'axis' must go strictly up or strictly down; found 2 followed by 2 at sample 2. Sort"),
        ([4, 2, 3, 1], "'axis' must go strictly up or strictly down; found 2 followed by 3 at sample 2"),
        ([3, 4, 3], "'axis' must go strictly up or strictly down"),
        (["a", "b"], "'axis' must hold real numbers; found dtype <U1"),
    ],
)
def test_other_axes_are_refused_in_one_sentence(axis: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_axis(axis)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "f2", "f4", ">f8"])
def test_spectra_become_a_float64_copy(dtype: str) -> None:
    spectra = np.ones((2, 7), dtype)
    checked = check_spectra(AXIS, spectra)
    assert checked.dtype == np.float64
    assert not np.shares_memory(checked, spectra)
    np.testing.assert_array_equal(checked, 1)


def test_what_is_not_a_measurement_becomes_nan() -> None:
    spectra = np.ma.MaskedArray(np.ones((2, 7)), mask=False)
    spectra[0, 1] = np.ma.masked
    spectra[1, 2] = np.inf
    checked = check_spectra(AXIS, spectra, valid_mask=[True] * 6 + [False])
    expected = np.ones((2, 7))
    expected[0, 1] = expected[1, 2] = np.nan
    expected[:, 6] = np.nan
    np.testing.assert_array_equal(checked, expected)


@pytest.mark.parametrize(
    ("spectra", "mask", "message"),
    [
        (np.ones((7, 3)), None, "'measured' must end in the 7 samples of 'axis'; found 7 x 3. Move the spectral axis"),
        (np.float64(3), None, "'measured' must end in the 7 samples of 'axis'; found a single number"),
        (np.ones(7, complex), None, "'measured' must hold real numbers; found dtype complex128"),
        (np.ones((2, 7)), np.ones((3, 7), bool), "'valid_mask' must have the shape of 'measured' .2 x 7.; found 3 x 7"),
    ],
)
def test_spectra_that_do_not_fit_are_refused(spectra: np.ndarray, mask: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_spectra(AXIS, spectra, valid_mask=mask)


def test_an_axis_is_uniform_up_to_the_rounding_of_its_positions_and_no_further() -> None:
    axis = np.linspace(700, 730, 601)
    assert is_uniform(axis)
    assert is_uniform(np.arange(-43, -7, 0.05))
    assert not is_uniform(np.round(axis, 1) + np.where(np.arange(601) == 300, 1e-9, 0))
    assert not is_uniform(axis.astype("f4").astype(float))
