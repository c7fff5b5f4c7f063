"""Shirley backgrounds against closed forms, other programs, polynomial roots and the printed iteration."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import cumulative_trapezoid

from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.shirley import ShirleyBackground, separate_shirley

PEERS = ("Au4f_KE_lg4xv2", "Au4f_KE_lmfitxps", "C1s_lg4x", "Co2p_CoO", "Cu2p_CuO", "Fe2p_FeO", "Mn2p_MnO", "Ni2p_NiO", "O1s_lg4x")  # fmt: skip  # noqa: E501


def step_of(result: ShirleyBackground) -> np.ndarray:
    return np.abs(np.diff(result.end_levels, axis=-1))


def points(axis: np.ndarray) -> tuple[Endpoint, Endpoint]:
    return Endpoint(axis[0]), Endpoint(axis[-1])


def windows(axis: np.ndarray, count: int) -> tuple[Anchor, Anchor]:
    s = np.sort(axis)
    return (
        Anchor(Window(s[0], s[count - 1]), min_points=1),
        Anchor(Window(s[-count], s[-1]), min_points=1),
    )


def doublet(distance: float, step: float, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A net spectrum and the background that belongs to it: exactly, by the trapezoid rule of the definition."""
    middle = (axis[0] + axis[-1]) / 2
    net = sum(h * np.exp(-((axis - middle - s * distance / 2) ** 2) / 0.98) for h, s in ((75, -1), (100, 1)))
    rest = cumulative_trapezoid(net, axis, initial=0)
    return net, 500 + step * (1 - rest / rest[-1])


@pytest.mark.parametrize("name", PEERS)
def test_real_core_levels_equal_other_programs_and_the_iteration(shared_data: Path, name: str) -> None:
    """Columns computed by lmfitxps 4.2.0 and fityk 1.3.2, printed with 6 to 10 digits."""
    table = np.genfromtxt(shared_data / "xps" / "peer_shirley" / f"{name}.csv", delimiter=",", skip_header=1)
    axis, measured = table[:, 0], table[:, 1]
    direct = separate_shirley(axis, measured, ends=points(axis))
    sweeps = separate_shirley(axis, measured, ends=points(axis), method="iterate", tolerance=1e-14)
    assert (direct.status, sweeps.status) == ("ok", "ok")
    assert_allclose(direct.background, sweeps.background, atol=1e-11 * step_of(direct)[0], rtol=0)
    assert_allclose(direct.background, table[:, 2], atol=1e-6 * step_of(direct)[0], rtol=0)
    assert_allclose(direct.background, table[:, 3], atol=5e-5 * step_of(direct)[0], rtol=0)


@pytest.mark.parametrize("window", [(-19.5, -14.5), (-36.0, -27.0)])
@pytest.mark.parametrize("averaged", [1, 5])
def test_every_line_of_a_real_detector_image_is_solved(
    shared_data: Path, window: tuple[float, float], averaged: int
) -> None:
    with h5py.File(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5") as file:
        image = file["Matrix"][()]
    axis = -43 + 0.05 * np.arange(721)
    inside = (axis > window[0] - 1e-6) & (axis < window[1] + 1e-6)
    lines, energies = image.reshape(391, 721)[:, inside], axis[inside]
    ends = points(energies) if averaged == 1 else windows(energies, averaged)
    direct = separate_shirley(energies, lines, ends=ends)
    sweeps = separate_shirley(energies, lines, ends=ends, method="iterate", tolerance=1e-14)
    assert (direct.status == "ok").sum() == (sweeps.status == "ok").sum() == 391
    assert (np.abs(direct.background - sweeps.background) / step_of(direct)).max() < 1e-11
    assert direct.evaluations.max() <= 4


@pytest.mark.parametrize("levels", [(0.3, 0.1), (1.0, 0.0), (3.0, 0.5)])
def test_a_lorentzian_on_its_step_has_the_kappa_of_the_paper(levels: tuple[float, float]) -> None:
    """B_L of Qajar belongs to a Lorentzian of area pi, so kappa = (I1 - I2) / pi."""
    axis = np.arange(-5000, 5001) * 0.01
    background = levels[1] + (levels[0] - levels[1]) / np.pi * (np.pi / 2 - np.arctan(axis))
    ends = Endpoint(-50, level=background[0]), Endpoint(50, level=background[-1])
    result = separate_shirley(axis, 1 / (1 + axis**2) + background, ends=ends)
    assert result.kappa == pytest.approx((levels[0] - levels[1]) / np.pi, abs=1e-5)
    assert_allclose(result.background, background, atol=1e-5 * (levels[0] - levels[1]))


def test_a_wide_doublet_is_solved_where_the_iteration_swings_for_ever() -> None:
    """Two peaks 14 apart on a step of 120: kappa D / sqrt(pi^2 + ln^2(a / b)) is above 1, so sweeps diverge."""
    axis = np.linspace(0, 30, 301)
    net, background = doublet(14, 120, axis)
    ends = Endpoint(0, level=background[0]), Endpoint(30, level=background[-1])
    direct = separate_shirley(axis, net + background, ends=ends)
    sweeps = separate_shirley(axis, net + background, ends=ends, method="iterate", max_sweeps=2000)
    assert direct.kappa * 14 / np.hypot(np.pi, np.log(100 / 75)) > 1.5
    assert direct.status == "ok"
    assert np.abs(direct.background - background).max() < 1e-10 * 120
    assert sweeps.status == "not_converged"
    assert np.isnan(sweeps.background).all()
    assert "did not settle: after 2000 sweeps" in sweeps.sentence


@pytest.mark.parametrize("distance", [0, 4, 10, 14])
@pytest.mark.parametrize("step", [-60, -5, 5, 60])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_background_made_by_its_definition_comes_back(distance: float, step: float, uneven: bool) -> None:
    axis = np.linspace(0, 30, 301)
    if uneven:
        axis = axis + np.random.default_rng(2).uniform(-0.04, 0.04, 301)
    net, background = doublet(distance, step, axis)
    ends = Endpoint(axis[0], level=background[0]), Endpoint(axis[-1], level=background[-1])
    result = separate_shirley(axis, net + background, ends=ends)
    assert_allclose(result.background, background, atol=1e-10 * abs(step), rtol=0)
    assert result.net_area == pytest.approx(np.sum((net[1:] + net[:-1]) / 2 * np.diff(axis)), rel=1e-10)


@pytest.mark.parametrize("seed", range(40))
def test_kappa_is_the_first_root_of_the_polynomial_whose_roots_are_all_solutions(seed: int) -> None:
    """Companion matrix: with equal steps the coefficients are the first differences of [I1, middles, I2]."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 101))
    axis = np.arange(n + 1) * 0.1
    peak = rng.uniform(50, 150) * np.exp(-((axis - rng.uniform(0.3, 0.7) * axis[-1]) ** 2) / 0.2)
    measured = 100 + peak - rng.uniform(10, 60) * axis / axis[-1] + rng.choice([0, 1, 10]) * rng.normal(size=n + 1)
    high, low = max(measured[0], measured[-1] + 1), measured[-1]
    ends = Endpoint(0, level=high), Endpoint(axis[-1], level=low)
    middles = (measured[1:] + measured[:-1]) / 2
    roots = np.roots(np.diff([high, *middles, low])[::-1])
    real = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 1e-9) & (roots.real < 1 - 1e-9)].real
    result = separate_shirley(axis, measured, ends=ends)
    if not real.size:
        assert result.status in {"no_solution", "negative_area"}
        return
    assert result.kappa == pytest.approx(2 * (1 - real.max()) / (0.1 * (1 + real.max())), rel=1e-10)


@pytest.mark.parametrize("count", range(3, 16))
@pytest.mark.parametrize("what", ["O 1s", "Fermi edge", "pure step"])
def test_where_no_background_exists_there_is_none_and_the_reason_is_given(
    shared_data: Path, what: str, count: int
) -> None:
    """The first root would be kappa without end; every iteration wanders on these."""
    axis = np.linspace(-10, 10, 201)
    measured = 100 - 50 * np.tanh(axis)
    if what == "O 1s":
        axis, measured = np.genfromtxt(
            shared_data / "xps" / "lg4x_111216_0459_O1s.csv", delimiter=",", skip_header=1, unpack=True
        )
    if what == "Fermi edge":
        axis, measured = np.genfromtxt(shared_data / "xps" / "lmfitxps_FermiEdge.csv", delimiter=",", unpack=True)
    result = separate_shirley(axis, measured, ends=windows(axis, count), sigma="scatter")
    assert result.status == "no_solution"
    assert np.isnan([result.kappa, result.net_area, result.sigma_area]).all()
    assert np.isnan(result.background).all()
    assert 0 < result.shortfall < step_of(result)[0]
    assert "No Shirley background exists between" in result.sentence
    assert "because the spectrum" in result.sentence
    if what != "pure step":
        assert f"The nearest curve stays {result.shortfall:.3g} short of the higher end level" in result.sentence


def test_a_step_that_reaches_its_level_by_rounding_alone_has_no_background() -> None:
    axis = np.linspace(0, 10, 201)
    for measured in (np.where(axis < 4, 150.0, 50.0), np.where(axis < 4, 50.0, 150.0)):
        result = separate_shirley(axis, measured, ends=windows(axis, 5))
        assert result.status == "no_solution"
        assert "it is a step without a peak. Only a curve that runs along the data reaches" in result.sentence


def test_a_peak_upside_down_has_no_background_with_a_positive_area() -> None:
    axis = np.linspace(0, 20, 201)
    measured = 200 + 10 * (axis > 10) - 100 * np.exp(-((axis - 10) ** 2))
    direct = separate_shirley(axis, measured, ends=windows(axis, 5))
    sweeps = separate_shirley(axis, measured, ends=windows(axis, 5), method="iterate")
    assert (direct.status, sweeps.status) == ("negative_area", "negative_area")
    assert np.isnan(sweeps.background).all()
    assert "the spectrum would lie below it" in direct.sentence


@pytest.mark.parametrize("method", ["direct", "iterate"])
def test_equal_levels_give_a_flat_line(method: str) -> None:
    axis = np.linspace(-5, 5, 201)
    peak = 30 * np.exp(-(axis**2))
    result = separate_shirley(
        axis, 7 + peak, ends=(Endpoint(-5, level=7), Endpoint(5, level=7, sigma=0.1)), method=method, sigma=0.2
    )
    assert (result.status, result.kappa) == ("flat", 0)
    assert_allclose(result.background, 7)
    assert result.net_area == pytest.approx(30 * np.sqrt(np.pi), rel=1e-9)
    assert "Both end levels are 7, so the background is a flat line" in result.sentence


def test_a_first_root_hidden_between_two_nodes_is_found() -> None:
    """Close to where two roots merge and vanish, the height only just passes the step, within a narrow range."""
    axis = np.linspace(0, 30, 301)
    net, background = doublet(14, 120, axis)
    measured = net + background
    high = []
    for level in 620 + np.linspace(0, 0.5, 101):
        ends = Endpoint(0, level=level), Endpoint(30, level=500)
        high.append(separate_shirley(axis, measured, ends=ends).status == "ok")
    last = np.flatnonzero(high)[-1]
    assert all(high[: last + 1])  # no gaps on the way to the merger
    assert not any(high[last + 1 :])


def test_with_noise_the_first_of_several_roots_is_taken() -> None:
    """The larger ones let the background run along the data; their net area is far too small."""
    rng = np.random.default_rng(0)
    axis = np.linspace(0, 30, 301)
    net, background = doublet(8, 40, axis)
    measured = net + background + rng.normal(0, 1, (200, 301))
    result = separate_shirley(axis, measured, ends=windows(axis, 40), sigma="scatter")
    assert (result.status == "ok").all()
    area = cumulative_trapezoid(net, axis)[-1]
    assert abs(result.net_area.mean() - area) < 4 * result.net_area.std() / np.sqrt(200)
    assert result.net_area.min() > 0.8 * area
