"""Laws of the transport: physics constants, energy conservation, charge sharing, calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.synthetic.calibration import TIMEPIX_SHAPE, beta_energies, cluster_sizes, make_timepix_frames
from napari_bgremove.synthetic.charge import collect_charge
from napari_bgremove.synthetic.silicon import (
    compton_attenuation,
    electron_range,
    photoelectric_attenuation,
    range_to_energy,
)
from napari_bgremove.synthetic.sources import electrons_from_outside, interacting_photons, photon_electrons
from napari_bgremove.synthetic.transport import Deposits, Electrons, Sensor, track_electrons

JUNGFRAU = Sensor()


def _beam(count: int, energy: float, rng: np.random.Generator) -> Electrons:
    point = 20 + 10 * rng.random((count, 2))
    return electrons_from_outside(point, np.full(count, energy), sensor=JUNGFRAU, entry_power=1.0, rng=rng)


@pytest.mark.parametrize(("energy", "length"), [(100.0, 78.0), (300.0, 460.0), (500.0, 950.0), (1000.0, 2300.0)])
def test_the_range_of_electrons_is_the_tabulated_csda_range(energy: float, length: float) -> None:
    # NIST ESTAR silicon, to the two digits given in the specification of the generator.
    assert float(electron_range(energy)) == pytest.approx(length, rel=0.03)


def test_range_to_energy_inverts_the_range() -> None:
    energies = np.array([30.0, 200.0, 900.0, 2000.0])
    np.testing.assert_allclose(range_to_energy(electron_range(energies)), energies, rtol=5e-3)


@pytest.mark.parametrize(("energy", "probability"), [(20.0, 0.28), (60.0, 0.024), (100.0, 0.014), (1000.0, 0.005)])
def test_photons_interact_in_320_um_of_silicon_as_tabulated(energy: float, probability: float) -> None:
    # NIST XCOM without coherent scattering; 10 % covers the rounding of the table.
    total = photoelectric_attenuation(energy) + compton_attenuation(energy)
    assert float(-np.expm1(-320 * total)) == pytest.approx(probability, rel=0.1)


@pytest.mark.parametrize("energy", [5.0, 60.0, 400.0, 2000.0])
def test_deposits_and_escapes_add_up_to_the_energy_put_in(energy: float) -> None:
    rng = np.random.default_rng(3)
    deposits = track_electrons(_beam(400, energy, rng), sensor=JUNGFRAU, rng=rng)
    total = deposits.energy.sum() + deposits.leaving.energy.sum()
    assert total == pytest.approx(400 * energy, rel=1e-12)
    assert (deposits.energy >= 0).all()


def test_deposits_lie_inside_the_sensor() -> None:
    rng = np.random.default_rng(4)
    depth = track_electrons(_beam(300, 800.0, rng), sensor=JUNGFRAU, rng=rng).position[:, 2]
    assert depth.min() >= -1e-6
    assert depth.max() <= JUNGFRAU.thickness + 1e-6


def test_a_fast_particle_loses_the_minimum_ionising_energy() -> None:
    rng = np.random.default_rng(5)
    count = 2000
    position = np.tile([500.0, 500.0, 1e-6], (count, 1))
    start = Electrons(position, np.tile([0.0, 0.0, 1.0], (count, 1)), np.full(count, 3e5), np.arange(count))
    deposits = track_electrons(start, sensor=JUNGFRAU, rng=rng)
    per_track = np.bincount(deposits.hit, weights=deposits.energy)
    # 80-100 keV for a perpendicular crossing of 320 um: most probable loss of a minimum-ionising particle.
    assert 80 <= np.median(per_track) <= 105


@pytest.mark.parametrize(("sigma", "share"), [(5.0, 0.60), (7.0, 0.47), (10.0, 0.29)])
def test_the_share_of_photons_in_one_pixel_is_that_of_a_gaussian_cloud(sigma: float, share: float) -> None:
    # 75 um pixels, more than 95 % of the charge in one pixel.
    rng = np.random.default_rng(6)
    side, pixels = 100, 3
    sensor = Sensor(75.0, 320.0, cloud_start=sigma, cloud_drift=0.0)
    cells = np.stack(np.divmod(np.arange(side**2), side), axis=1)
    place = pixels * cells + 1 + rng.random((side**2, 2))  # one photon per 3 x 3 block, in its middle pixel
    position = np.column_stack([place * 75.0, np.full(side**2, 100.0)])
    deposits = Deposits(position, np.ones(side**2), np.arange(side**2), Electrons.none())
    image = collect_charge(deposits, (pixels * side, pixels * side), sensor=sensor)[0]
    brightest = image.reshape(side, pixels, side, pixels).max(axis=(1, 3))
    assert (brightest > 0.95).mean() == pytest.approx(share, abs=0.015)


def test_charge_sharing_keeps_the_energy_of_deposits_inside() -> None:
    rng = np.random.default_rng(7)
    position = np.column_stack([75 * (5 + 20 * rng.random((500, 2))), 320 * rng.random(500)])
    deposits = Deposits(position, rng.random(500), np.arange(500), Electrons.none())
    image = collect_charge(deposits, (30, 30), sensor=JUNGFRAU, frames=4)
    assert image.shape == (4, 30, 30)
    assert image.sum() == pytest.approx(deposits.energy.sum(), rel=1e-12)


def test_compton_electrons_stay_below_the_compton_edge() -> None:
    rng = np.random.default_rng(8)
    photon = np.full(4000, 1000.0)
    electrons = photon_electrons(np.zeros((4000, 2)), photon, sensor=JUNGFRAU, isotropy=0.5, rng=rng)
    edge = 1000.0 * 2 * (1000 / 511) / (1 + 2 * 1000 / 511)
    compton = electrons.energy[electrons.energy < 999]
    assert compton.size > 3900
    assert compton.max() <= edge + 0.1
    assert compton.mean() == pytest.approx(440.0, rel=0.05)  # Klein-Nishina mean energy transfer at 1 MeV
    np.testing.assert_allclose(np.linalg.norm(electrons.direction, axis=1), 1.0, atol=1e-12)


def test_lead_lines_are_drawn_in_their_share() -> None:
    spectrum = {"cold_kev": 40.0, "hot_kev": 900.0, "hot_share": 0.5, "filter_mm": 1.0, "thickness": 320.0}
    rng = np.random.default_rng(9)
    energies = interacting_photons(4000, line_share=0.25, rng=rng, **spectrum)
    assert np.isin(energies, [10.55, 12.61, 72.8, 74.97, 84.94]).mean() == pytest.approx(0.25, abs=0.03)


def test_a_sensor_without_thickness_is_refused() -> None:
    with pytest.raises(ValueError, match="'thickness' must be above zero; found 0"):
        Sensor(75.0, 0.0)


def test_the_beta_source_ends_at_the_end_point_of_yttrium() -> None:
    energies = beta_energies(20_000, np.random.default_rng(10))
    assert energies.max() <= 2279
    # ENSDF mean beta energies 195.8 and 933.6 keV, equal activities.
    assert energies.mean() == pytest.approx((195.8 + 933.6) / 2, rel=0.04)


def test_clusters_are_eight_connected_and_counted_per_frame() -> None:
    frames = np.zeros((2, 5, 5))
    frames[0, 0, 0] = frames[0, 1, 1] = 1.0
    frames[1, 0, 0] = frames[1, 0, 2] = 1.0
    assert sorted(cluster_sizes(frames)) == [1, 1, 2]


@pytest.mark.parametrize(("absorber", "expected"), [(0.0, (5, 13, 26)), (1.46, (5, 14, 28))])
def test_generated_sr90_clusters_have_the_sizes_of_real_ones(absorber: float, expected: tuple[int, int, int]) -> None:
    # Real frames: 0.00 mm median 5, p90 13, p99 26; 1.46 mm median 5, p90 14, p99 28 (the tuned case).
    frames = make_timepix_frames(60, 50.0, absorber_mm=absorber, rng=np.random.default_rng(11))
    median, p90, p99 = np.percentile(cluster_sizes(frames), [50, 90, 99])
    assert abs(median - expected[0]) <= 1
    assert abs(p90 - expected[1]) <= 2
    assert abs(p99 - expected[2]) <= 5


def test_real_0_mm_frames_have_the_cluster_sizes_the_generator_predicts(shared_data: Path) -> None:
    with np.load(shared_data / "saxs" / "noise" / "cernatschool_sr90_0-00mm_frame_x_y_tot.npz") as archive:
        table = archive["frame_x_y_tot"]
    table = table[table[:, 0] < 60]
    real = np.zeros((60, *TIMEPIX_SHAPE))
    real[table[:, 0], table[:, 2], table[:, 1]] = table[:, 3]
    made = make_timepix_frames(60, 72.0, absorber_mm=0.0, rng=np.random.default_rng(12))
    difference = np.subtract(*(np.percentile(cluster_sizes(f), [50, 90, 99]) for f in (made, real)))
    assert (np.abs(difference) <= [1, 2, 5]).all(), difference
