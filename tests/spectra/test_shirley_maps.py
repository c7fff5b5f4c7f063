"""Maps of spectra: any dimension may be the spectral one, and a bad spectrum stops nothing."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.maps import separate_shirley_map
from napari_bgremove.spectra.shirley import STATUSES, separate_shirley

AXIS = np.linspace(0, 20, 101)
ENDS = Anchor(Window(0, 2)), Anchor(Window(18, 20))


@pytest.fixture
def cube() -> np.ndarray:
    rng = np.random.default_rng(2)
    peaks = rng.uniform(20, 90, (3, 4, 1)) * np.exp(-((AXIS - 10) ** 2))
    return 100 + peaks + rng.uniform(-9, 9, (3, 4, 1)) * (AXIS > 10) + rng.normal(0, 0.1, (3, 4, 101))


@pytest.mark.parametrize("spectral_axis", [0, 1, 2, -1, -3])
def test_any_dimension_can_be_the_spectral_one(cube: np.ndarray, spectral_axis: int) -> None:
    last = separate_shirley(AXIS, cube, ends=ENDS, sigma="scatter")
    turned = np.moveaxis(cube, -1, spectral_axis)
    result = separate_shirley_map(AXIS, turned, ends=ENDS, spectral_axis=spectral_axis, sigma="scatter")
    for name in ("signal", "background", "measured", "uncertainty"):
        assert_array_equal(getattr(result, name), np.moveaxis(getattr(last, name), -1, spectral_axis))
    assert_array_equal(result.net_area, last.net_area)
    assert result.end_levels.shape == (3, 4, 2)


def test_masks_and_errors_turn_with_the_map(cube: np.ndarray) -> None:
    valid = np.random.default_rng(3).random(cube.shape) > 0.1
    valid[..., :12] = valid[..., -12:] = True
    sigma = np.random.default_rng(4).uniform(0.1, 1, cube.shape)
    last = separate_shirley(AXIS, cube, ends=ENDS, valid_mask=valid, sigma=sigma)
    first = separate_shirley_map(
        AXIS, *(np.moveaxis(a, -1, 0) for a in (cube,)), ends=ENDS, spectral_axis=0,
        valid_mask=np.moveaxis(valid, -1, 0), sigma=np.moveaxis(sigma, -1, 0),
    )  # fmt: skip
    assert_array_equal(first.sigma_area, last.sigma_area)
    assert_array_equal(np.moveaxis(first.background, 0, -1), last.background)
    one_mask = separate_shirley_map(AXIS, cube, ends=ENDS, valid_mask=valid[0, 0], sigma=sigma[0, 0])
    assert_array_equal(np.isnan(one_mask.background[1, 1]), ~valid[0, 0])


def test_a_dimension_that_is_not_there_is_refused(cube: np.ndarray) -> None:
    with pytest.raises(ValueError, match="'spectral_axis' must be a dimension of 'measured', which has 3; found 3"):
        separate_shirley_map(AXIS, cube, ends=ENDS, spectral_axis=3)


def test_a_spectrum_without_data_stops_no_map(cube: np.ndarray) -> None:
    alone = separate_shirley(AXIS, cube, ends=ENDS)
    holed = cube.copy()
    holed[0, 0] = np.nan  # dead
    holed[1, 1, :8] = np.nan  # 3 samples left in a window
    result = separate_shirley(AXIS, holed, ends=ENDS)
    hit = np.zeros((3, 4), bool)
    hit[0, 0] = hit[1, 1] = True
    assert_array_equal(result.status == "no_data", hit)
    assert_allclose(result.background[~hit], alone.background[~hit], rtol=1e-13)
    assert np.isnan(result.background[hit]).all()
    assert "; 2 with too few usable samples." in result.sentence
    assert result.sentence.startswith("Of 12 spectra: 10 solved")


def test_a_single_spectrum_without_data_is_an_error_in_one_sentence(cube: np.ndarray) -> None:
    spectrum = cube[0, 0].copy()
    spectrum[:8] = np.nan
    with pytest.raises(ComputeError, match=r"'measured' has too few usable samples: 'window' 0 to 2 .* found 3. Widen"):
        separate_shirley(AXIS, spectrum, ends=ENDS)
    with pytest.raises(ComputeError, match="'measured' has too few usable samples: a background needs 3; found 0"):
        separate_shirley(AXIS, np.full(101, np.nan), ends=ENDS)


def test_a_status_layer_shows_places_in_the_list_of_statuses(cube: np.ndarray) -> None:
    cube[2, 3] = 100 - AXIS
    result = separate_shirley(AXIS, cube, ends=ENDS)
    assert result.status_code.dtype == np.uint8
    assert_array_equal(np.array(STATUSES)[result.status_code], result.status)
    assert result.status[2, 3] == "no_solution"
    assert separate_shirley(AXIS, cube[2, 3], ends=ENDS).status == "no_solution"


@pytest.mark.parametrize("shape", [(101,), (1, 101), (0, 101), (2, 0, 101)])
def test_numbers_have_the_leading_shape_even_if_it_is_empty(shape: tuple[int, ...]) -> None:
    measured = np.broadcast_to(100 + 50 * np.exp(-((AXIS - 10) ** 2)) + (AXIS > 10), shape)
    result = separate_shirley(AXIS, measured, ends=ENDS, sigma="scatter")
    assert np.shape(result.kappa) == np.shape(result.status) == shape[:-1]
    assert result.background.shape == shape
    assert result.end_levels.shape == (*shape[:-1], 2)


def test_ends_on_gaps_take_the_samples_that_are_there() -> None:
    measured: Any = 100 + 50 * np.exp(-((AXIS - 10) ** 2)) + (AXIS > 10)
    measured[[0, 100]] = np.nan
    result = separate_shirley(AXIS, measured, ends=(Endpoint(0), Endpoint(20)))
    assert result.status == "ok"
    assert_array_equal(np.isnan(result.background), np.isnan(measured))
    assert_array_equal(result.end_levels, measured[[1, 99]])


def test_the_provenance_tells_how_to_do_it_again(cube: np.ndarray) -> None:
    result = separate_shirley(AXIS, cube, ends=(Anchor(Window(0, 2), offset=-1.5), Endpoint(20)))
    assert result.provenance["method"] == "shirley"
    assert result.provenance["ends"] == ["window 0 to 2, offset -1.5", "endpoint 20"]
    assert result.shirley_range == (2.0, 20.0)


CURVES = ("signal", "background", "measured", "uncertainty")
NUMBERS = ("status_code", "kappa", "net_area", "sigma_area", "end_levels", "sigma_end_levels", "min_net", "shortfall")


@pytest.mark.parametrize("spectral_axis", [0, -1])
@pytest.mark.parametrize("chunks", [(2, 3, 101), (1, 4, 30), (3, 4, 101), (1, 1, 101)])
def test_a_lazy_map_gives_what_the_whole_one_gives(
    cube: np.ndarray, chunks: tuple[int, ...], spectral_axis: int
) -> None:
    cube[1, 2] = 100 - AXIS
    cube[0, 1] = np.nan
    whole = separate_shirley_map(AXIS, cube, ends=ENDS, sigma="scatter")
    lazy = da.moveaxis(da.from_array(cube, chunks=chunks), -1, spectral_axis)
    result = separate_shirley_map(AXIS, lazy, ends=ENDS, spectral_axis=spectral_axis, sigma="scatter")
    for name in (*CURVES, *NUMBERS):
        given = getattr(result, name)
        assert isinstance(given, da.Array), name
        expected = getattr(whole, name)
        if name in CURVES:
            expected = np.moveaxis(expected, -1, spectral_axis)
        assert given.shape == expected.shape
        assert given.dtype == expected.dtype
        assert_allclose(given.compute(scheduler="synchronous"), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    assert_array_equal(result.status, whole.status)
    assert result.sentence == whole.sentence
    assert result.provenance == whole.provenance
    assert result.shirley_range == whole.shirley_range


def test_a_lazy_map_takes_masks_and_errors_lazy_or_not(cube: np.ndarray) -> None:
    valid = np.random.default_rng(3).random(cube.shape) > 0.1
    valid[..., :12] = valid[..., -12:] = True
    sigma = np.random.default_rng(4).uniform(0.1, 1, cube.shape)
    lazy = da.from_array(cube, chunks=(2, 3, 101))
    whole = separate_shirley(AXIS, cube, ends=ENDS, valid_mask=valid, sigma=sigma)
    result = separate_shirley_map(AXIS, lazy, ends=ENDS, valid_mask=valid, sigma=da.from_array(sigma, chunks=2))
    assert result.provenance == whole.provenance
    assert_allclose(result.sigma_area.compute(), whole.sigma_area)
    assert_allclose(result.uncertainty.compute(), whole.uncertainty, atol=1e-9)
    assert separate_shirley_map(AXIS, lazy, ends=ENDS, sigma=sigma[0, 0]).sigma_area.shape == (3, 4)
    assert separate_shirley_map(AXIS, lazy, ends=ENDS).uncertainty is None
    with pytest.raises(ValueError, match=r"'sigma' must have the shape of 'measured' \(3 x 4 x 101\); found 3 x 4 x 1"):
        separate_shirley_map(AXIS, lazy, ends=ENDS, sigma=sigma[..., :1])


def test_nothing_of_a_lazy_map_is_read_before_it_is_asked_for_and_then_block_by_block(cube: np.ndarray) -> None:
    read: list[int] = []

    def count(block: np.ndarray) -> np.ndarray:
        read.append(block.size)
        return block

    lazy = da.from_array(cube, chunks=(1, 2, 101)).map_blocks(count, meta=np.empty((0, 0, 0)))
    result = separate_shirley_map(AXIS, lazy, ends=ENDS, sigma="scatter")
    assert read == []
    result.background[0, 1].compute(scheduler="synchronous")
    assert read == [202]
    read.clear()
    dask.compute(result.signal, result.background, result.net_area, scheduler="synchronous")
    assert read == [202] * 6  # each once, though three results were asked for


def test_what_is_wrong_with_the_arguments_is_said_before_anything_is_read(cube: np.ndarray) -> None:
    lazy = da.from_array(cube, chunks=1).map_blocks(pytest.fail, meta=np.empty((0, 0, 0)))
    with pytest.raises(ValueError, match="'window' must lie on the axis"):
        separate_shirley_map(AXIS, lazy, ends=(ENDS[0], Anchor(Window(30, 40))))
    with pytest.raises(ValueError, match="'measured' must end in the 101 samples of 'axis'"):
        separate_shirley_map(AXIS, lazy, ends=ENDS, spectral_axis=0)
    with pytest.raises(ValueError, match="'sigma' must be one of poisson, scatter"):
        separate_shirley_map(AXIS, lazy, ends=ENDS, sigma="guess")


def test_a_lazy_spectrum_is_simply_computed(cube: np.ndarray) -> None:
    result = separate_shirley_map(AXIS, da.from_array(cube[0, 0], chunks=10), ends=ENDS)
    assert result.status == "ok"
    assert_array_equal(result.background, separate_shirley(AXIS, cube[0, 0], ends=ENDS).background)


def test_a_map_of_one_spectrum_is_a_map() -> None:
    result = separate_shirley(AXIS, np.full((1, 101), np.nan), ends=ENDS)
    assert list(result.status) == ["no_data"]
