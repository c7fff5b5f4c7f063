"""Laws of the shots: repeatable, additive, honest about their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_bgremove.synthetic.detector import Detector
from napari_bgremove.synthetic.hits import Hits, make_hits, make_rate_map
from napari_bgremove.synthetic.patterns import Grid, form_factor, power_law
from napari_bgremove.synthetic.saxs import Shot, make_full_shot, make_shot_pair, make_xray_only_shot
from napari_bgremove.synthetic.scattering import FAMILIES, Scattering, count_photons, make_expected
from napari_bgremove.synthetic.transport import Sensor

SHAPE = (96, 160)
QUIET = Detector(read_noise=0.0, common_mode=0.0, column_residue=0.0, bad_share=0.0)


def _fields(shot: Shot) -> tuple[np.ndarray, ...]:
    return shot.measured, shot.signal, shot.background, shot.valid_mask


@pytest.mark.parametrize("make", [make_xray_only_shot, make_full_shot])
def test_the_same_seed_gives_the_same_arrays(make: object) -> None:
    first, second, other = (make(seed, shape=SHAPE) for seed in (5, 5, 6))  # type: ignore[operator]
    for a, b in zip(_fields(first), _fields(second), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.metadata == second.metadata
    assert not np.array_equal(first.measured, other.measured)


@pytest.mark.parametrize("seed", range(12))
def test_drawn_shots_are_finite_float32_and_the_xray_only_one_has_no_background(seed: int) -> None:
    xray_only, full = make_shot_pair(seed, shape=SHAPE)
    for shot in (xray_only, full):
        for image in _fields(shot)[:3]:
            assert image.dtype == np.float32
            assert image.shape == SHAPE
            assert np.isfinite(image).all()
        assert shot.valid_mask.mean() > 0.8
        assert (shot.background >= 0).all()
    assert not xray_only.background.any()


@pytest.mark.parametrize("seed", range(6))
def test_measured_is_signal_plus_background_where_valid_and_unsaturated(seed: int) -> None:
    shot = make_full_shot(seed, shape=SHAPE, detector=QUIET)
    usable = shot.valid_mask & (shot.measured < QUIET.saturation)
    np.testing.assert_allclose(shot.measured[usable], (shot.signal + shot.background)[usable], rtol=1e-5, atol=1e-4)


def test_what_is_left_over_is_the_electronic_noise() -> None:
    detector = Detector(read_noise=0.29, common_mode=0.0, column_residue=0.0)
    shot = make_full_shot(3, scattering=Scattering(level_kev=10.0), detector=detector)
    left = (shot.measured - shot.signal - shot.background)[shot.valid_mask]
    assert left.std() == pytest.approx(0.29, rel=0.02)
    assert left.mean() == pytest.approx(0.0, abs=0.005)


def test_the_common_mode_is_shared_by_a_readout_chip() -> None:
    detector = replace(QUIET, common_mode=0.25)
    shot = make_xray_only_shot(1, scattering=Scattering(level_kev=10.0), detector=detector)
    left = (shot.measured - shot.signal).reshape(2, 256, 4, 256)
    assert np.ptp(left, axis=(1, 3)).max() < 1e-2
    assert left.mean(axis=(1, 3)).std() > 0.05


def test_no_hits_leave_no_background() -> None:
    shot = make_full_shot(2, shape=SHAPE, hits=Hits(rate=0.0))
    assert not shot.background.any()
    assert shot.metadata["hit_count"] == 0


def test_the_number_of_hits_is_the_rate_times_the_pixels() -> None:
    hits = Hits(rate=0.05, electron_share=0.0, muon_share=0.0)
    counts = [make_hits((128, 128), hits, sensor=Sensor(), rng=np.random.default_rng(s))[1] for s in range(8)]
    expected = 8 * 0.05 * 128 * 128
    assert abs(sum(counts) - expected) < 4 * np.sqrt(expected)


def test_the_rate_map_has_the_stated_mean_and_shadows_in_it() -> None:
    hits = Hits(rate=0.02, contrast=0.0, shadows=3)
    rate = make_rate_map((200, 300), hits, np.random.default_rng(1))
    assert rate.mean() == pytest.approx(0.02)
    assert rate.max() > 1.05 * rate.min() > 0


def test_a_counting_detector_drops_pixels_below_its_threshold() -> None:
    hits = Hits(rate=0.02, pixel_threshold=4.0, frames=1)
    image, _ = make_hits((128, 128), hits, sensor=Sensor(55.0, 300.0), rng=np.random.default_rng(2))
    assert image[image > 0].min() >= 4.0


def test_the_drawn_hits_hold_the_summed_timepix_frames_of_the_report_card() -> None:
    # 10-60 frames of 72 clusters on 256 x 256 pixels: 0.011-0.066 hits per pixel, mostly electrons.
    drawn = [Hits.draw(np.random.default_rng(seed)) for seed in range(300)]
    alike = [h for h in drawn if 0.011 <= h.rate <= 0.066 and h.electron_share > 0.9 and h.pixel_threshold > 0]
    assert len(alike) >= 3


def test_the_power_law_slope_is_found_by_a_radial_fit() -> None:
    scattering = Scattering(exponent=3.2, optics_px=0.0, photon_kev=0.0)
    grid = Grid.around((400, 400), (200.0, 200.0))
    image = power_law(grid.radius, scattering.exponent, 2.0)
    radius, values = grid.radius.ravel(), image.ravel()
    chosen = (radius > 30) & (radius < 180)
    slope = np.polyfit(np.log(radius[chosen]), np.log(values[chosen]), 1)[0]
    assert -slope == pytest.approx(3.2, abs=0.02)


def test_the_first_minimum_of_spheres_lies_where_it_was_put() -> None:
    radius = np.linspace(0, 100, 2001, dtype=np.float32)[None, :]
    profile = form_factor(radius, 60.0, 0.01)[0]
    window = radius[0] < 80
    assert radius[0][window][np.argmin(profile[window])] == pytest.approx(60.0, abs=1.5)


def test_counting_noise_is_that_of_poisson() -> None:
    scattering = Scattering(photon_kev=8.0, level_kev=80.0)
    expected = np.full((300, 300), 80.0, dtype=np.float32)
    counted = count_photons(expected, scattering, np.random.default_rng(0))
    assert counted.mean() == pytest.approx(80.0, rel=0.01)
    assert counted.var() == pytest.approx(8.0 * 80.0, rel=0.03)
    assert np.allclose(counted % 8.0, 0.0)


def test_photons_that_share_charge_keep_their_energy() -> None:
    scattering = Scattering(photon_kev=8.0, charge_shared=True)
    expected = np.zeros((60, 60), dtype=np.float32)
    expected[10:50, 10:50] = 4.0
    rng = np.random.default_rng(1)
    shared = count_photons(expected, scattering, rng, sensor=Sensor())
    assert shared.sum() % 8.0 == pytest.approx(0.0, abs=1e-6) or shared.sum() % 8.0 == pytest.approx(8.0, abs=1e-6)
    assert (shared % 8.0 > 0.1).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_reaches_its_level_and_is_never_negative(family: str) -> None:
    scattering = Scattering(family=family, level_kev=50.0)
    image = make_expected((128, 256), scattering, np.random.default_rng(4))
    assert image.shape == (128, 256)
    assert image.min() >= 0
    assert np.quantile(image, 0.99) == pytest.approx(50.0, rel=0.25)


def test_both_shots_of_a_seed_share_detector_and_beam_centre() -> None:
    xray_only, full = make_shot_pair(9, shape=SHAPE)
    assert xray_only.metadata["detector"] == full.metadata["detector"]
    for key in ("family", "centre", "stopped", "framed"):
        assert xray_only.metadata["scattering"][key] == full.metadata["scattering"][key]
    np.testing.assert_array_equal(xray_only.valid_mask, full.valid_mask)


def test_draws_cover_counting_and_smooth_images_pedestals_and_every_family() -> None:
    drawn = [Scattering.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert {s.family for s in drawn} == set(FAMILIES)
    assert any(s.photon_kev == 0 for s in drawn)
    assert any(s.photon_kev > s.level_kev for s in drawn)
    assert any(s.pedestal_kev > s.level_kev for s in drawn)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scattering(family="xafs"), "'family' must be one of saxs, .*; found 'xafs'"),
        (lambda: Scattering(level_kev=0.0), "'level_kev' must be above zero; found 0.0 keV"),
        (lambda: Hits(rate=-1.0), "'rate' must lie between 0.0 and 10.0 hits per pixel; found -1.0"),
        (lambda: Hits(electron_share=0.8, muon_share=0.5), "'electron_share \\+ muon_share' must lie between"),
        (lambda: Detector(bad_share=2.0), "'bad_share' must lie between 0.0 and 1.0; found 2.0"),
        (lambda: make_full_shot(0, shape=(0, 5)), "'rows' must be above zero; found 0 pixels"),
    ],
)
def test_impossible_parameters_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
