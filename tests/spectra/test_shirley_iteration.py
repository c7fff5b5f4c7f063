"""The printed iteration: its end conditions in every sweep, its rate, and that it says when it fails."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.integrate import cumulative_trapezoid

from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.iteration import sweep_backgrounds
from napari_bgremove.spectra.one_pole import make_grid
from napari_bgremove.spectra.shirley import separate_shirley

AXIS = np.linspace(0, 30, 301)


def doublet(distance: float, step: float) -> np.ndarray:
    net = sum(h * np.exp(-((AXIS - 15 - s * distance / 2) ** 2) / 0.98) for h, s in ((75, -1), (100, 1)))
    rest = cumulative_trapezoid(net, AXIS, initial=0)
    return net + 500 + step * (1 - rest / rest[-1])


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_every_sweep_meets_both_end_levels(noise: float) -> None:
    """Whether it converges or not: here it does for the first spectrum only."""
    rows = np.stack([doublet(2, 30), doublet(14, 120)]) + noise * np.random.default_rng(1).normal(size=(2, 301))
    step = rows[:, 0] - rows[:, -1]
    above = rows[:, ::-1] - rows[:, -1:]
    for background in islice(sweep_backgrounds(make_grid(AXIS), above, step), 50):
        assert_array_equal(background[:, 0], 0)
        assert_array_equal(background[:, -1], step)


def test_a_sweep_is_the_formula_of_the_paper() -> None:
    """B(E) = I2 + (I1 - I2) times A2(E) / A, written out for the first two sweeps."""
    measured = doublet(4, 40)
    first, last = measured[0], measured[-1]
    expected, sweeps = (
        np.full(301, last),
        sweep_backgrounds(make_grid(AXIS), measured[None, ::-1] - last, np.array([first - last])),
    )
    for background in islice(sweeps, 2):
        rest = cumulative_trapezoid((measured - expected)[::-1], -AXIS[::-1], initial=0)[::-1]
        expected = last + (first - last) * rest / rest[0]
        np.testing.assert_allclose(background[0, ::-1] + last, expected, rtol=1e-13)


@pytest.mark.parametrize(("distance", "step"), [(6.0, 60.0), (10.0, 30.0), (10.0, 60.0)])
def test_it_converges_at_the_rate_of_the_theory(distance: float, step: float) -> None:
    """Each sweep leaves kappa D / sqrt(pi^2 + ln^2(a / b)) of the error for two narrow peaks D apart."""
    measured = doublet(distance, step)
    ends = Endpoint(0, level=500 + step), Endpoint(30, level=500)
    direct = separate_shirley(AXIS, measured, ends=ends)
    above = measured[None, ::-1] - 500
    errors = [
        np.abs(background[0, ::-1] + 500 - direct.background).max()
        for background in islice(sweep_backgrounds(make_grid(AXIS), above, np.array([step])), 24)
    ]
    rate = direct.kappa * distance / np.hypot(np.pi, np.log(100 / 75))
    assert (errors[-1] / errors[-13]) ** (1 / 12) == pytest.approx(rate, rel=0.1)


def test_the_tolerance_has_no_unit() -> None:
    counts = {
        factor: int(
            separate_shirley(
                AXIS, factor * doublet(4, 40), ends=(Endpoint(0), Endpoint(30)), method="iterate"
            ).evaluations
        )
        for factor in (1e-6, 1.0, 1e6)
    }
    assert len(set(counts.values())) == 1


def test_a_looser_tolerance_takes_fewer_sweeps_and_leaves_a_larger_error() -> None:
    measured, ends = doublet(4, 40), (Endpoint(0), Endpoint(30))
    direct = separate_shirley(AXIS, measured, ends=ends)
    loose, tight = (
        separate_shirley(AXIS, measured, ends=ends, method="iterate", tolerance=tolerance)
        for tolerance in (1e-3, 1e-12)
    )
    assert loose.evaluations < tight.evaluations
    errors = [np.abs(one.background - direct.background).max() for one in (loose, tight)]
    assert 1e-6 < errors[0] < 0.04
    assert errors[1] < 1e-9


def test_too_few_sweeps_are_reported_and_draw_nothing() -> None:
    result = separate_shirley(AXIS, doublet(4, 40), ends=(Endpoint(0), Endpoint(30)), method="iterate", max_sweeps=3)
    assert result.status == "not_converged"
    assert result.evaluations == 3
    assert 0 < result.shortfall < 40
    assert np.isnan(result.background).all()
    assert "after 3 sweeps it still moves by" in result.sentence


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"tolerance": 0.0}, "'tolerance' must be above zero; found 0.0"),
        ({"max_sweeps": 0}, "'max_sweeps' must be above zero; found 0"),
        ({"method": "newton"}, "'method' must be one of direct, iterate; found 'newton'"),
    ],
)
def test_settings_that_cannot_be_are_refused(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        separate_shirley(AXIS, doublet(4, 40), ends=(Endpoint(0), Endpoint(30)), **{"method": "iterate", **keywords})  # type: ignore[arg-type]
