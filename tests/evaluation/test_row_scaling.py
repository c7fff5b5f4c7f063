"""Row scalings: what each makes of any spectrum."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.errors import ComputeError
from napari_bgremove.evaluation.row_scaling import ROW_SCALINGS, scale_rows

ROWS = np.random.default_rng(0).gamma(2, 50, (5, 30))


@pytest.mark.parametrize("scaling", ROW_SCALINGS)
@pytest.mark.parametrize("dtype", ["f4", ">f8", "u2"])
def test_the_input_stays_and_each_row_is_scaled_by_itself(scaling: str, dtype: str) -> None:
    rows = ROWS.astype(dtype)
    before = rows.copy()
    scaled = scale_rows(rows, scaling=scaling)
    scaled += 1
    np.testing.assert_array_equal(rows, before)
    assert scaled.dtype == np.float64
    for row, expected in zip(rows, scaled - 1, strict=True):
        np.testing.assert_allclose(scale_rows(row[None], scaling=scaling)[0], expected, atol=1e-12)


def test_each_scaling_has_the_size_it_promises() -> None:
    np.testing.assert_array_equal(scale_rows(ROWS, scaling="none"), ROWS)
    np.testing.assert_allclose(np.linalg.norm(scale_rows(ROWS, scaling="l2"), axis=1), 1)
    snv = scale_rows(ROWS, scaling="snv")
    np.testing.assert_allclose(snv.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(snv.std(axis=1), 1)


@pytest.mark.parametrize("scaling", ["l2", "snv"])
def test_the_brightness_of_a_spectrum_does_not_matter(scaling: str) -> None:
    bright = ROWS * np.array([1, 2, 30, 400, 5e3])[:, None]
    np.testing.assert_allclose(scale_rows(bright, scaling=scaling), scale_rows(ROWS, scaling=scaling), rtol=1e-9)


@pytest.mark.parametrize(("scaling", "level"), [("l2", 0.0), ("snv", 7.0)])
def test_a_spectrum_without_a_size_is_named(scaling: str, level: float) -> None:
    rows = ROWS.copy()
    rows[3] = level
    with pytest.raises(ComputeError, match=f"to be scaled by {scaling}; found row 3"):
        scale_rows(rows, scaling=scaling)


def test_an_unknown_scaling_is_named() -> None:
    with pytest.raises(ValueError, match="'scaling' must be one of none, l2, snv; found 'max'"):
        scale_rows(ROWS, scaling="max")
