"""Laws of the net area below a spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.net_area import measure_net_area
from napari_bgremove.spectra.shirley import separate_shirley

AXIS = np.linspace(-10, 10, 401)
NET = 100 * np.exp(-(AXIS**2))


def test_a_gaussian_has_the_area_of_its_closed_form() -> None:
    assert_allclose(measure_net_area(AXIS, NET), 100 * np.sqrt(np.pi), rtol=1e-12)


def test_it_is_the_area_of_shirleys_result() -> None:
    """(I1 - I2) / kappa, by the trapezoid rule between the inner edges."""
    ends = (Anchor(Window(-10, -8)), Anchor(Window(8, 10)))
    result = separate_shirley(AXIS, NET + 20 - 10 / (1 + np.exp(-3 * AXIS)), ends=ends)
    assert_allclose(measure_net_area(AXIS, result.signal, ends=ends), result.net_area, rtol=1e-12)


def test_a_falling_axis_a_stack_and_gaps() -> None:
    ends = (Endpoint(-3.0), Endpoint(4.0))
    stack = np.stack([NET, 2 * NET, np.full_like(NET, np.nan)]).reshape(3, 1, -1)
    areas = measure_net_area(AXIS, stack, ends=ends)
    assert areas.shape == (3, 1)
    assert_allclose(areas[:2, 0], measure_net_area(AXIS, NET, ends=ends) * np.array([1, 2]))
    assert np.isnan(areas[2, 0])
    assert_allclose(measure_net_area(AXIS[::-1], stack[..., ::-1], ends=ends), areas)
    line = np.where((AXIS > 1) & (AXIS < 3), np.nan, AXIS + 20)  # a straight line bridges its own gap exactly
    assert_allclose(measure_net_area(AXIS, line), 400)


def test_the_input_stays_as_it_is() -> None:
    before = NET.copy()
    measure_net_area(AXIS, NET)
    assert_array_equal(before, NET)


def test_an_end_off_the_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="'position' must lie on the axis, -10 to 10; found 11"):
        measure_net_area(AXIS, NET, ends=(Endpoint(-5), Endpoint(11)))
