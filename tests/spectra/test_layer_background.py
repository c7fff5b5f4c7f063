"""The numbers of the layer term: what they mean along a run, and which are refused."""

from __future__ import annotations

import math

import pytest

from napari_bgremove.spectra.layer_background import LayerBackground


def test_the_strength_rises_linearly_between_the_ends_of_its_ramp() -> None:
    options = LayerBackground(strength=0.6, ramp_start=0.1, ramp_end=0.4)
    rising = [options.find_strength(progress) for progress in (0, 0.1, 0.2, 0.25, 0.4, 0.7, 1)]
    assert rising == pytest.approx([0, 0, 0.2, 0.3, 0.6, 0.6, 0.6])


@pytest.mark.parametrize("start", [0.0, 0.3, 1.0])
def test_a_ramp_of_no_length_is_a_step(start: float) -> None:
    options = LayerBackground(strength=0.6, ramp_start=start, ramp_end=start)
    assert options.find_strength(start) == 0.6
    assert options.find_strength(start - 1e-9) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gate": "voigt"}, "'gate' must be one of lorentzian, gaussian, shirley; found 'voigt'"),
        ({"units": "layers"}, "'units' must be one of neurons, weights; found 'layers'"),
        ({"strength": -0.1}, "'strength' must lie between 0 and .*; found -0.1"),
        ({"strength": math.inf}, "'strength' must lie between 0 and .*; found inf"),
        ({"strength": math.nan}, "'strength' must lie between 0 and .*; found nan"),
        ({"e0": 0}, "'e0' must be above zero; found 0"),
        ({"gamma": -1}, "'gamma' must be above zero; found -1"),
        ({"ramp_end": 1.1}, "'ramp_end' must lie between 0 and 1; found 1.1"),
        ({"ramp_start": 0.5}, "'ramp_start' must lie between 0 and 0.4; found 0.5"),
    ],
    ids=str,
)
def test_numbers_that_mean_nothing_are_refused(wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LayerBackground(**wrong)
