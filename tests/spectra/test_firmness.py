"""Whether a background is one of the noise: laws, false alarms on weak peaks, and steps without a peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid, trapezoid

from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.firmness import measure_firmness
from napari_bgremove.spectra.shirley import ShirleyBackground, separate_shirley

AXIS = np.linspace(-40, -20, 201)
PEAK = np.exp(-np.log(2) * ((AXIS + 30) / 1.2) ** 2)
REST = 1 - cumulative_trapezoid(PEAK, AXIS, initial=0) / trapezoid(PEAK, AXIS)
STEPS = {
    "smooth": 50 + 30 / (1 + np.exp(AXIS + 30)),
    "sharp": 50 + 30 / (1 + np.exp(8 * (AXIS + 30))),
    "straight": 50 - 1.5 * (AXIS + 20),
}
WARNING = (
    "But it may exist by noise alone, as on a step without a peak: the spectrum passes its higher end level by only"
)


def ends_of(points: int) -> tuple[Anchor, Anchor]:
    inner = AXIS[points - 1], AXIS[-points]
    return Anchor(Window(AXIS[0], inner[0]), min_points=2), Anchor(Window(inner[1], AXIS[-1]), min_points=2)


def solve(measured: np.ndarray, points: int = 15, axis: np.ndarray = AXIS, **keywords: Any) -> ShirleyBackground:
    return separate_shirley(axis, measured, ends=ends_of(points), **keywords)


def draw(clean: np.ndarray, noise: float, points: int, draws: int = 400) -> list[ShirleyBackground]:
    rng = np.random.default_rng(6)
    return [solve(clean + rng.normal(0, noise, AXIS.size), points) for _ in range(draws)]


def weak_peak(height: float, step: float) -> np.ndarray:
    return 50 + height * PEAK + step * REST


SPECTRUM = weak_peak(30, 2) + np.random.default_rng(1).normal(0, 1, AXIS.size)


@pytest.mark.parametrize("change", [lambda m: 7 * m, lambda m: m + 900, lambda m: 0.001 * m])
def test_neither_the_unit_nor_an_offset_matters(change: Any) -> None:
    assert measure_firmness(solve(change(SPECTRUM))) == pytest.approx(measure_firmness(solve(SPECTRUM)), rel=1e-6)


def test_the_direction_of_the_axis_and_of_the_step_does_not_matter() -> None:
    plain = measure_firmness(solve(SPECTRUM))
    assert measure_firmness(solve(SPECTRUM[::-1], axis=AXIS[::-1])) == pytest.approx(plain, rel=1e-9)
    mirrored = separate_shirley(-AXIS, SPECTRUM, ends=tuple(Anchor(Window(-e.window.high, -e.window.low))
                                                            for e in ends_of(15)))  # fmt: skip
    assert measure_firmness(mirrored) == pytest.approx(plain, rel=1e-9)


def test_it_falls_as_the_noise_grows() -> None:
    one, two = (measure_firmness(solve(SPECTRUM, sigma=sigma)) for sigma in (1.0, 2.0))
    assert one == pytest.approx(2 * two, rel=1e-12)


def test_what_it_divides_by_is_the_scatter_of_what_the_curve_passes_by() -> None:
    """At the largest kappa the curve ends on the last interval, whose mean is compared with the level beside it."""
    noise, points = 1.0, 15
    result = solve(weak_peak(0, 2) + np.random.default_rng(3).normal(0, noise, AXIS.size), points, sigma=noise)
    firmness = measure_firmness(result)
    assert firmness is not None
    last = result.measured[points - 1 : points + 1].mean() - result.end_levels[0]
    assert firmness >= last / np.sqrt(noise**2 / 2 + noise**2 / points) - 1e-3


@pytest.mark.parametrize(
    "result",
    [
        solve(np.full(AXIS.size, 5.0)),
        solve(STEPS["straight"]),
        separate_shirley(AXIS, SPECTRUM, ends=(Endpoint(-39), Endpoint(-21))),
        separate_shirley(AXIS, SPECTRUM, ends=(Endpoint(-39, 52.0), Endpoint(-21, 50.0))),
        solve(weak_peak(30, 2), sigma=0.0),
    ],
    ids=["flat", "no solution", "points", "given levels", "no noise"],
)
def test_nothing_is_said_where_the_noise_is_not_known_or_nothing_was_solved(result: ShirleyBackground) -> None:
    assert measure_firmness(result) is None
    assert WARNING not in result.sentence


@pytest.mark.parametrize("points", [3, 5, 8, 15])
@pytest.mark.parametrize("shape", STEPS)
def test_on_a_noisy_step_without_a_peak_a_background_comes_with_a_warning(shape: str, points: int) -> None:
    results = draw(STEPS[shape], 1.0, points)
    solved = [result for result in results if result.status == "ok"]
    assert {result.status for result in results} <= {"ok", "no_solution"}
    silent = sum(WARNING not in result.sentence for result in solved)
    assert silent <= 0.2 * len(solved)
    assert silent <= 0.12 * len(results)  # the others have none, or a warning


@pytest.mark.parametrize(
    ("height", "step", "points", "alarms"), [(30, 2, 15, 0), (15, 2, 40, 0), (15, 2, 15, 0.08), (60, 10, 5, 0.01)]
)
def test_a_true_peak_is_seldom_doubted(height: float, step: float, points: int, alarms: float) -> None:
    results = draw(weak_peak(height, step), 1.0, points)
    assert all(result.status == "ok" for result in results)
    assert np.mean([WARNING in result.sentence for result in results]) <= alarms


def test_the_warning_says_what_to_do() -> None:
    doubted = next(result for result in draw(STEPS["smooth"], 1.0, 5, 20) if WARNING in result.sentence)
    assert doubted.sentence.startswith("Solved: net area ")
    assert doubted.sentence.endswith("Move the ends so that a peak stands between them, or average wider windows.")
