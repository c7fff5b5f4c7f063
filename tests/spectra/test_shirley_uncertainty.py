"""Standard errors of the Shirley background: against finite differences, and against many draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import cumulative_trapezoid

from napari_bgremove.spectra.ends import Anchor, End, Endpoint, Window
from napari_bgremove.spectra.shirley import separate_shirley


def make(step: float, *, uneven: bool = False) -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(0, 20, 81)
    if uneven:
        axis = axis + np.random.default_rng(4).uniform(-0.1, 0.1, 81)
    net = 80 * np.exp(-((axis - 9) ** 2) / 3)
    rest = cumulative_trapezoid(net, axis, initial=0)
    return axis, 200 + net + step * rest / rest[-1] + np.random.default_rng(5).normal(0, 0.3, 81)


WINDOWS = Anchor(Window(0, 2.2)), Anchor(Window(17.4, 20.2), offset=-1.0)
ENDS = {
    "windows": WINDOWS,
    "points": (Endpoint(1), Endpoint(19)),
    "given level": (Endpoint(1, level=199.0, sigma=0.5), WINDOWS[1]),
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("step", [-30.0, 30.0])
@pytest.mark.parametrize("uneven", [False, True])
def test_they_are_the_sum_over_all_samples_of_what_each_does(ends: tuple[End, End], step: float, uneven: bool) -> None:
    """Each sample moved on its own, and a given level too: windows, range and both at an inner edge."""
    axis, measured = make(step, uneven=uneven)
    sigma = np.random.default_rng(6).uniform(0.5, 2, 81)
    result = separate_shirley(axis, measured, ends=ends, sigma=sigma)
    h = 1e-4
    up, down = (separate_shirley(axis, measured + sign * h * np.eye(81), ends=ends) for sign in (1, -1))
    variances: dict[str, Any] = {
        name: (((getattr(up, name) - getattr(down, name)).T / (2 * h) * sigma) ** 2).T.sum(0)
        for name in ("net_area", "kappa", "background")
    }
    given = ends[0]
    if isinstance(given, Endpoint) and given.level is not None:
        moved = [
            separate_shirley(axis, measured, ends=(Endpoint(1, level=given.level + sign * h), ends[1]))
            for sign in (1, -1)
        ]
        for name in variances:
            variances[name] += ((getattr(moved[0], name) - getattr(moved[1], name)) / (2 * h) * given.sigma) ** 2
    assert result.sigma_area == pytest.approx(np.sqrt(variances["net_area"]), rel=1e-5)
    assert result.sigma_kappa == pytest.approx(np.sqrt(variances["kappa"]), rel=1e-5)
    assert result.uncertainty is not None
    assert_allclose(result.uncertainty, np.sqrt(variances["background"]), rtol=1e-5)


def test_at_the_ends_the_background_is_as_uncertain_as_its_levels() -> None:
    axis, measured = make(30.0)
    result = separate_shirley(axis, measured, ends=WINDOWS, sigma=2.0)
    assert result.sigma_background is not None
    assert_allclose(result.sigma_end_levels, 2 / np.sqrt([9, 11]))
    assert_allclose(result.sigma_background[[0, 8, -11, -1]], result.sigma_end_levels[[0, 0, 1, 1]])


def test_a_flat_line_is_the_limit_of_a_vanishing_step() -> None:
    axis, _ = make(0.0)
    measured = 200 + 80 * np.exp(-((axis - 9) ** 2) / 3)
    flat, nearly = (
        separate_shirley(
            axis, measured, ends=(Endpoint(1, level=200, sigma=1), Endpoint(19, level=200 + d, sigma=2)), sigma=3.0
        )
        for d in (0, 1e-6)
    )
    assert (flat.status, nearly.status) == ("flat", "ok")
    assert flat.sigma_area == pytest.approx(nearly.sigma_area, rel=1e-6)
    assert flat.sigma_kappa == pytest.approx(nearly.sigma_kappa, rel=1e-6)
    assert_allclose(flat.uncertainty, nearly.uncertainty, rtol=1e-5)


def make_counts(averaged: int) -> tuple[np.ndarray, np.ndarray, tuple[End, End]]:
    """A peak of 4000 on 5000 with a step of 900, as in the study that the method rests on."""
    axis = np.linspace(0, 24, 481)
    net = 4000 * np.exp(-((axis - 12) ** 2) / (2 * 0.8**2))
    rest = cumulative_trapezoid(net, axis, initial=0)
    ends = Anchor(Window(0, axis[averaged - 1])), Anchor(Window(axis[-averaged], 24))
    return axis, 5000 + net + 900 * rest / rest[-1], ends


@pytest.mark.parametrize("averaged", [15, 40])
def test_the_error_of_the_net_area_is_that_of_400_draws(averaged: int) -> None:
    axis, expected, ends = make_counts(averaged)
    draws = np.random.default_rng(1).poisson(expected, (400, 481))
    predicted = separate_shirley(axis, expected, ends=ends, sigma="poisson")
    drawn = separate_shirley(axis, draws, ends=ends, sigma="scatter")
    assert (drawn.status == "ok").all()
    assert predicted.sigma_area == pytest.approx(drawn.net_area.std(), rel=0.1)
    assert predicted.sigma_kappa == pytest.approx(drawn.kappa.std(), rel=0.12)
    counting_alone = np.sqrt(expected[(axis > 9) & (axis < 15)].sum()) * 0.05
    assert predicted.sigma_area > 2 * counting_alone


def test_between_windows_of_5_samples_it_is_that_of_the_draws_that_keep_their_background() -> None:
    """Some draws lose theirs: they have none, or a stray one along the data, with next to no area, and are marked."""
    axis, expected, ends = make_counts(5)
    draws = np.random.default_rng(1).poisson(expected, (4000, 481))
    predicted = separate_shirley(axis, expected, ends=ends, sigma="poisson")
    drawn = separate_shirley(axis, draws, ends=ends, sigma="poisson")
    solved, kept = np.isfinite(drawn.net_area), drawn.net_area > predicted.net_area / 2
    stray = solved & ~kept
    assert predicted.sigma_area == pytest.approx(drawn.net_area[kept].std(), rel=0.05)
    middle = np.quantile(drawn.net_area[solved], [0.1587, 0.8413])  # strays are too few to count here
    assert predicted.sigma_area == pytest.approx(np.ptp(middle) / 2, rel=0.05)
    assert drawn.net_area[solved].std() > 1.1 * predicted.sigma_area  # here the few are all that counts
    assert 0 < stray.mean() < 0.01
    assert (drawn.net_area[stray] < 0.1 * predicted.net_area).all()
    assert (drawn.status[stray] == "ill_conditioned").all()
    assert "passes its higher end level by only 1.9 standard errors" in predicted.sentence


@pytest.mark.parametrize("averaged", [5, 15, 40])
def test_the_error_of_a_single_draw_is_not_too_small(averaged: int) -> None:
    axis, expected, ends = make_counts(averaged)
    truth = separate_shirley(axis, expected, ends=ends).net_area
    draws = np.random.default_rng(2).poisson(expected, (4000, 481))
    drawn = separate_shirley(axis, draws, ends=ends, sigma="poisson")
    sound = drawn.status == "ok"
    off = np.abs(drawn.net_area - truth)[sound] / drawn.sigma_area[sound]
    assert np.mean(off < 1) > 0.67
    assert np.mean(off < 2) > 0.945


def test_scatter_is_the_standard_deviation_within_the_windows() -> None:
    rng = np.random.default_rng(7)
    axis = np.linspace(0, 20, 401)
    measured = 100 + 50 * np.exp(-((axis - 10) ** 2)) + 10 * (axis > 10) + rng.normal(0, 0.7, (300, 401))
    ends = Anchor(Window(0, 5)), Anchor(Window(15, 20))
    scatter = separate_shirley(axis, measured, ends=ends, sigma="scatter")
    given = separate_shirley(axis, measured, ends=ends, sigma=0.7)
    # 200 degrees of freedom: each estimate within 5 % of the truth, their mean within 0.3 %.
    assert np.mean(scatter.sigma_area / given.sigma_area) == pytest.approx(1, abs=0.015)


def test_a_net_area_lost_in_noise_is_said_to_be() -> None:
    axis = np.linspace(0, 20, 201)
    measured = 100 + 3 * np.exp(-((axis - 10) ** 2)) + np.where(axis > 10, 1.0, 0.0)
    ends = Anchor(Window(0, 2)), Anchor(Window(18, 20))
    result = separate_shirley(axis, measured, ends=ends, sigma=5.0)
    assert result.status == "ill_conditioned"
    assert np.isfinite(result.background).all()
    assert "the noise of the samples hardly ties it down: net area" in result.sentence


def test_without_sigma_there_are_no_standard_errors_but_those_of_the_levels() -> None:
    axis, measured = make(30.0)
    result = separate_shirley(axis, measured, ends=WINDOWS)
    assert result.uncertainty is None
    assert np.isnan([result.sigma_area, result.sigma_kappa]).all()
    window = measured[axis <= 2.2]
    assert result.sigma_end_levels[0] == pytest.approx(window.std(ddof=1) / np.sqrt(len(window)))


@pytest.mark.parametrize(
    ("sigma", "ends", "message"),
    [
        ("gauss", WINDOWS, "'sigma' must be one of poisson, scatter; found 'gauss'"),
        ("scatter", ENDS["points"], "'sigma' can be 'scatter' only between two anchors of 2 points or more"),
        ("poisson", WINDOWS, "'sigma' can be 'poisson' only for counts; found -"),
        (np.ones(5), WINDOWS, "'sigma' must be one number or have the shape of the samples .81.; found 5"),
        (-1.0, WINDOWS, "'sigma' must be finite and zero or above at every usable sample; found -1.0"),
    ],
)
def test_a_sigma_that_cannot_be_is_refused(sigma: Any, ends: tuple[End, End], message: str) -> None:
    axis, measured = make(30.0)
    with pytest.raises(ValueError, match=message):
        separate_shirley(axis, measured - 250, ends=ends, sigma=sigma)
