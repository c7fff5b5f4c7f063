"""The recursion behind Shirley's background, against plain loops and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.spectra.one_pole import (
    Grid,
    end_weights,
    log_retention,
    make_grid,
    measure_end,
    run_one_pole,
    scan_end,
)

RNG = np.random.default_rng(5)
UNIFORM = make_grid(np.linspace(3, 9, 81))
UNEVEN = make_grid(np.cumsum(RNG.uniform(0.02, 0.2, 81)))
GRIDS = pytest.mark.parametrize("grid", [UNIFORM, UNIFORM.reversed, UNEVEN, UNEVEN.reversed])
# Up to 0.99 of the largest: there the background decays within one interval.
SHARES = np.array([1e-6, 0.01, 0.3, 0.99])
# A few rows and many go different ways.
COPIES = pytest.mark.parametrize("copies", [1, 80])


def plain(grid: Grid, kappa: float, middles: np.ndarray) -> np.ndarray:
    """The recursion as it is written in the module."""
    out = [0.0]
    for width, middle in zip(np.broadcast_to(grid.widths, middles.shape), middles, strict=True):
        q = kappa * width / 2
        out.append(((1 - q) * out[-1] + 2 * q * middle) / (1 + q))
    return np.array(out)


@GRIDS
@COPIES
def test_the_recursion_is_the_plain_one_however_strong_the_decay(grid: Grid, copies: int) -> None:
    middles = RNG.normal(5, 3, (4 * copies, 80))
    kappa = np.tile(SHARES, copies) * grid.largest_kappa
    retention = log_retention(grid, kappa)
    ours = run_one_pole(retention, -np.expm1(retention) * middles, np.zeros(4 * copies))
    for row, k, m in zip(ours, kappa, middles, strict=True):
        np.testing.assert_allclose(row, plain(grid, k, m), rtol=1e-12, atol=1e-14 * np.abs(row).max())


def test_a_decay_over_thousands_of_intervals_neither_overflows_nor_loses_digits() -> None:
    grid = make_grid(np.arange(20_001.0))
    middles = RNG.normal(100, 1, (1, 20_000))
    kappa = np.array([0.9 * grid.largest_kappa])
    retention = log_retention(grid, kappa)
    ours = run_one_pole(retention, -np.expm1(retention) * middles, np.zeros(1))
    np.testing.assert_allclose(ours[0], plain(grid, kappa[0], middles[0]), rtol=1e-12)


@GRIDS
def test_the_end_weights_give_the_last_value(grid: Grid) -> None:
    middles = RNG.normal(5, 3, (4, 80))
    kappa = SHARES * grid.largest_kappa
    weights, _ = end_weights(grid, kappa)
    last = [plain(grid, k, m)[-1] for k, m in zip(kappa, middles, strict=True)]
    np.testing.assert_allclose((weights * middles).sum(1), last, rtol=1e-11, atol=1e-14)
    assert (weights > 0).all()
    assert (weights.sum(1) < 1 + 1e-12).all()  # a weighted mean of the data and the first value


@GRIDS
@COPIES
@pytest.mark.parametrize("samples", [1, 2, 3, 64, 80])
def test_the_end_is_measured_as_the_weights_say(grid: Grid, copies: int, samples: int) -> None:
    grid = Grid(grid.widths[:samples], grid.later[-samples:])
    middles = RNG.normal(5, 3, (4 * copies, samples))
    kappa = np.tile(SHARES, copies) * grid.largest_kappa
    height, growth = measure_end(grid, middles, kappa)
    weights, slopes = end_weights(grid, kappa)
    np.testing.assert_allclose(height, (weights * middles).sum(1), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(growth, (slopes * middles).sum(1), rtol=1e-10, atol=1e-13 * np.abs(growth).max())
    last = [plain(grid, k, m)[-1] for k, m in zip(kappa, middles, strict=True)]
    np.testing.assert_allclose(height, last, rtol=1e-11, atol=1e-13)


@GRIDS
def test_a_scan_measures_every_row_at_every_kappa(grid: Grid) -> None:
    middles = RNG.normal(5, 3, (3, 80))
    kappas = SHARES * grid.largest_kappa
    heights, growths = scan_end(grid, middles, kappas)
    for kappa, height, growth in zip(kappas, heights.T, growths.T, strict=True):
        alone = measure_end(grid, middles, np.full(3, kappa))
        np.testing.assert_allclose(height, alone[0], rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(growth, alone[1], rtol=1e-10, atol=1e-13 * np.abs(growths).max())


@GRIDS
def test_the_area_of_a_grid_is_that_of_the_trapezoid_rule(grid: Grid) -> None:
    middles = RNG.normal(5, 3, (3, 80))
    areas = [sum(m * np.broadcast_to(grid.widths, 80)) for m in middles]
    np.testing.assert_allclose(grid.integrate(middles), areas, rtol=1e-12)


@GRIDS
def test_the_derivatives_of_the_weights_are_their_finite_differences(grid: Grid) -> None:
    kappa = np.array([0.01, 0.1, 0.5]) * grid.largest_kappa
    _, slopes = end_weights(grid, kappa)
    step = 1e-6 * kappa
    up, down = (end_weights(grid, kappa + sign * step)[0] for sign in (1, -1))
    numeric = (up - down) / (2 * step[:, None])
    np.testing.assert_allclose(slopes, numeric, rtol=1e-6, atol=1e-8 * np.abs(slopes).max())


@GRIDS
def test_the_length_of_a_grid_is_the_distance_of_its_ends(grid: Grid) -> None:
    assert grid.length == pytest.approx(np.broadcast_to(grid.widths, 80).sum(), rel=1e-14)
    assert grid.reversed.length == pytest.approx(grid.length, rel=1e-14)
