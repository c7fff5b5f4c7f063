"""The instrument: held against the real axis, the flight response, real lines and real shots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import trapezoid

from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.synthetic.libs_instrument import (
    CHEMCAM,
    Readout,
    chemcam_axis,
    chemcam_blocks,
    chemcam_response,
    spread_lines,
)

QUIET = Readout(pattern=0.0, drift=0.0, read_noise=0.0)


@pytest.fixture(scope="session")
def real_axis(shared_data: Path) -> np.ndarray:
    path = shared_data / "libs" / "chemcam" / "chemcam_bhvo2_loc1_spectrum.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=0)


def test_the_axis_is_the_archives_to_a_thirtieth_of_a_channel(real_axis: np.ndarray) -> None:
    steps = np.concatenate([np.gradient(real_axis[block.channels]) for block in chemcam_blocks()])
    assert (np.abs(chemcam_axis() - real_axis) < steps / 30).all()


def test_the_papers_bands_leave_5485_channels() -> None:
    kept = channels_outside(chemcam_axis(), CHEMCAM_IGNORED_BANDS)
    assert [int(kept[block.channels].sum()) for block in chemcam_blocks()] == [1884, 1928, 1673]


def test_the_response_follows_the_flight_instruments_where_it_is_used(shared_data: Path) -> None:
    flight = np.loadtxt(shared_data / "libs" / "instrument" / "ccam_gain_mars.edit")[:, 1]
    kept = channels_outside(chemcam_axis(), CHEMCAM_IGNORED_BANDS)
    # Measured when the points were chosen: 3.8, 2.0 and 5.1 %.
    for block, spectrometer, ripple in zip(chemcam_blocks(), CHEMCAM, (0.04, 0.022, 0.053), strict=True):
        used = kept[block.channels]
        ratio = np.log(spectrometer.photons_per_dn() / np.maximum(flight[block.channels], 1))[used]
        assert ratio.std() < ripple
        assert abs(ratio.mean()) < 0.01
    assert (chemcam_response() > 0).all()


@pytest.mark.parametrize(("centre", "number"), [(288.2, 0), (422.8, 1), (766.7, 2)])
def test_a_line_keeps_its_photons_and_has_the_width_of_its_spectrometer(centre: float, number: int) -> None:
    spread = spread_lines(np.array([centre]), broadening=np.zeros(1)).toarray()[:, 0]
    spectrometer, block = CHEMCAM[number], chemcam_blocks()[number]
    assert (spread[: block.start] == 0).all()
    assert (spread[block.stop :] == 0).all()
    shape, axis = spread[block.channels], spectrometer.axis()
    # The wings beyond the reach hold 1 % of the Lorentzian's share.
    assert trapezoid(shape, axis) == pytest.approx(spectrometer.scale, rel=0.02)
    above = axis[shape > shape.max() / 2]
    assert above[-1] - above[0] == pytest.approx(spectrometer.width, abs=1.5 * np.diff(axis).max())


def test_widths_are_those_of_real_lines(real_axis: np.ndarray, shared_data: Path) -> None:
    path = shared_data / "libs" / "chemcam" / "chemcam_bhvo2_loc1_spectrum.csv"
    real = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    # Lines that stand alone: Si I in the UV, Ca I in the VIO.
    for centre, number in ((288.242, 0), (422.792, 1)):
        ours = spread_lines(np.array([centre]), broadening=np.zeros(1)).toarray()[:, 0]
        near = np.abs(real_axis - centre) < 0.6
        widths = [_width_at_half(real_axis[near], values[near]) for values in (real, ours)]
        assert widths[1] == pytest.approx(widths[0], rel=0.25), CHEMCAM[number].name


def test_a_broadened_line_is_a_lorentzian() -> None:
    axis = chemcam_axis()
    shape = spread_lines(np.array([656.46]), broadening=np.array([0.6])).toarray()[:, 0]
    assert _width_at_half(axis, shape) == pytest.approx(2 * (0.6 + 0.6 / 2.355), rel=0.1)


def test_lines_are_spread_each_as_if_alone() -> None:
    lines, broadening = np.array([250.0, 250.01, 430.0]), np.array([0.0, 0.0, 0.3])
    together = spread_lines(lines, broadening=broadening).toarray()
    for number in range(3):
        alone = spread_lines(lines[[number]], broadening=broadening[[number]]).toarray()
        assert_array_equal(together[:, number], alone[:, 0])


def test_recorded_light_has_the_variance_of_real_shots() -> None:
    # Raw shots of a ChemCam-like testbed: var = 150..184 + 0.25..0.47 mean (DN^2).
    readout, rng = Readout(), np.random.default_rng(0)
    light = np.tile(np.linspace(0, 4000, 60), 100)
    offset = np.full(light.shape, 700.0)
    shots = np.array(
        [readout.record(light, offset + readout.drift * rng.standard_normal(), rng) for _ in range(400)]
    ).reshape(400, 100, 60)
    gain, floor = np.polyfit(shots.mean((0, 1)) - 700, shots.var(0, ddof=1).mean(0), 1)
    assert 150 < floor < 184
    assert 0.25 < gain < 0.47
    assert shots.mean() == pytest.approx(2700, abs=1)


def test_recorded_values_are_whole_and_end_at_full_scale() -> None:
    rng = np.random.default_rng(0)
    recorded = Readout(full_scale=4095.0).record(np.linspace(0, 8000, 100), np.full(100, 700.0), rng)
    assert_array_equal(recorded, np.rint(recorded))
    assert recorded.max() == 4095
    assert (recorded == 4095).sum() > 40


def test_without_noise_only_poissons_remains() -> None:
    rng = np.random.default_rng(0)
    recorded = QUIET.record(np.zeros(50), np.full(50, 700.0), rng)
    assert_array_equal(recorded, np.full(50, 700.0))


def test_cosmic_hits_come_at_their_rate_and_only_add() -> None:
    light, offset = np.zeros(200_000), np.full(200_000, 700.0)
    hit = replace(QUIET, spike_rate=1e-2).record(light, offset, np.random.default_rng(1))
    assert (hit >= 700).all()
    assert (hit > 700).mean() == pytest.approx(1e-2, rel=0.1)


def test_the_pattern_is_that_of_three_pedestals() -> None:
    pattern = Readout().draw_pattern(np.random.default_rng(0))
    for block, pedestal in zip(chemcam_blocks(), Readout().pedestal, strict=True):
        assert pattern[block.channels].mean() == pytest.approx(pedestal, abs=0.3)
        assert pattern[block.channels].std() == pytest.approx(3.0, rel=0.05)
    drift = Readout().draw_drift(np.random.default_rng(0))
    assert_allclose([len(np.unique(drift[block.channels])) for block in chemcam_blocks()], 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"electrons_per_dn": 0.0}, "'electrons_per_dn' must be above zero; found 0.0"),
        ({"read_noise": -1.0}, "'read_noise' must lie between 0.0 and inf DN; found -1.0 DN"),
        ({"spike_rate": 2.0}, "'spike_rate' must lie between 0.0 and 1.0; found 2.0"),
    ],
)
def test_a_readout_that_cannot_be_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Readout(**wrong)


def _width_at_half(axis: np.ndarray, values: np.ndarray) -> float:
    """Full width at half maximum, between channels."""
    half, peak = values.max() / 2, int(values.argmax())
    left = peak - int(np.argmax(values[peak::-1] < half))
    right = peak + int(np.argmax(values[peak:] < half))
    low = np.interp(half, values[[left, left + 1]], axis[[left, left + 1]])
    high = np.interp(half, values[[right, right - 1]], axis[[right, right - 1]])
    return float(high - low)
