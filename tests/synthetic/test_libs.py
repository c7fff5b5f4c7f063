"""Generated LIBS shots: repeatable row by row, true to their truth, and near the real instrument's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.synthetic.libs import GeneratedSpectra, make_chemcam_set, make_line_radiance
from napari_bgremove.synthetic.libs_conditions import Conditions, Scatter
from napari_bgremove.synthetic.libs_instrument import Readout, chemcam_axis, chemcam_blocks, chemcam_response
from napari_bgremove.synthetic.rocks import BHVO2, OXIDES

STILL = Scatter(
    **dict.fromkeys(("total", "temperature", "density", "continuum", "location", "matrix"), 0.0), first_shot=1
)


@pytest.fixture(scope="module")
def small() -> GeneratedSpectra:
    return make_chemcam_set(n_targets=4, locations=2, shots=5, darks=20, seed=7)


@pytest.fixture(scope="module")
def basalt() -> GeneratedSpectra:
    """Many shots at one place, for statistics."""
    return make_chemcam_set(rocks=[BHVO2], locations=1, shots=300, darks=2, seed=1)


def test_rows_are_labelled_and_come_with_their_truth(small: GeneratedSpectra) -> None:
    assert small.set.spectra.shape == small.signal.shape == small.background.shape == (40, 6144)
    assert small.set.spectra.dtype == small.signal.dtype == small.background.dtype == np.float32
    assert small.set.distinct_targets == ("rock 000", "rock 001", "rock 002", "rock 003")
    assert [block.name for block in small.set.blocks] == ["UV", "VIO", "VNIR"]
    assert_array_equal(small.set.shots[:10], [0, 1, 2, 3, 4] * 2)
    assert_array_equal(small.set.locations[:10], [0] * 5 + [1] * 5)
    assert small.set.composition is not None
    assert small.set.composition.names == OXIDES
    assert np.isfinite(small.set.composition_of_rows()).all()


def test_a_row_depends_on_seed_target_location_and_shot_only(small: GeneratedSpectra) -> None:
    fewer = make_chemcam_set(n_targets=2, locations=1, shots=3, darks=4, seed=7)
    for target in range(2):
        rows = slice(target * 10, target * 10 + 3)
        own = slice(target * 3, target * 3 + 3)
        assert_array_equal(fewer.set.spectra[own], small.set.spectra[rows])
        assert_array_equal(fewer.signal[own], small.signal[rows])
        assert_array_equal(fewer.background[own], small.background[rows])
    assert_array_equal(fewer.dark.spectra, small.dark.spectra[:4])


def test_rows_and_seeds_differ(small: GeneratedSpectra) -> None:
    every = np.concatenate([small.set.spectra, small.dark.spectra])
    assert len(np.unique(every, axis=0)) == len(every)
    other = make_chemcam_set(n_targets=1, locations=1, shots=2, darks=2, seed=8)
    assert not np.array_equal(other.set.spectra, small.set.spectra[:2])
    assert not np.array_equal(other.dark.spectra, small.dark.spectra[:2])


def test_recorded_is_signal_plus_background_with_the_noise_of_the_readout(small: GeneratedSpectra) -> None:
    noise = small.set.spectra - small.signal - small.background
    light = np.maximum(small.background - _pedestal(small), 0) + small.signal
    pull = noise / np.sqrt(144 + light / 3 + 1 / 12)
    assert pull.mean() == pytest.approx(0, abs=0.01)
    assert pull.std() == pytest.approx(1, abs=0.01)
    assert small.saturated.shape == (0, 2)


def test_lines_are_never_negative_and_vary_with_the_rock(small: GeneratedSpectra) -> None:
    assert (small.signal >= 0).all()
    within, between = (np.corrcoef(small.signal[rows])[0, 1:] for rows in (slice(1, 5), slice(0, None, 10)))
    assert within.min() > 0.998 > between.max()


def test_dark_spectra_show_the_background_without_its_continuum(small: GeneratedSpectra) -> None:
    dark = small.dark.spectra.mean(0)
    without = make_chemcam_set(
        n_targets=1, locations=1, shots=20, darks=1, seed=7, conditions=Conditions(continuum=0.0)
    ).background.mean(0)
    # 20 darks of 12 DN and of a drift of 5 DN each, 20 drifts.
    assert np.abs(dark - without).mean() < 12 / np.sqrt(20) + 2 * 5 / np.sqrt(20)
    assert small.dark.distinct_targets == ("dark",)


def test_by_default_the_background_does_not_know_the_target() -> None:
    def spread_between_targets(target_background: float) -> float:
        scatter = replace(STILL, continuum=0.05, target_background=target_background)
        quiet = Conditions(scatter=scatter, readout=Readout(drift=0.0))
        made = make_chemcam_set(n_targets=12, locations=1, shots=4, darks=1, conditions=quiet)
        means = (made.background - _pedestal(made)).reshape(12, 4, -1).mean((1, 2))
        return float(means.std() / means.mean())

    assert spread_between_targets(0.0) < 0.05  # 0.05 / sqrt(4) of it from the shots
    assert spread_between_targets(0.5) > 0.3


def test_coupling_scales_the_light_of_a_target_with_its_continuum() -> None:
    conditions = Conditions(scatter=replace(STILL, coupling=0.3), readout=Readout(drift=0.0))
    made = make_chemcam_set(rocks=[BHVO2] * 40, locations=1, shots=1, darks=1, conditions=conditions)
    lines, continuum = np.log(made.signal.sum(1)), np.log((made.background - _pedestal(made)).sum(1))
    assert lines.std() == pytest.approx(0.3, rel=0.3)
    # Their difference is the same everywhere; traces move the lines a little.
    assert (lines - continuum).std() < 0.02


def test_the_continuum_goes_with_the_total() -> None:
    scatter = replace(STILL, total=0.06, continuum=0.2)
    made = make_chemcam_set(
        rocks=[BHVO2],
        locations=1,
        shots=200,
        darks=1,
        conditions=Conditions(scatter=scatter, readout=Readout(drift=0.0)),
    )
    continuum = np.log((made.background - _pedestal(made)).mean(1))
    assert continuum.std() == pytest.approx(0.2, rel=0.15)
    assert np.corrcoef(continuum, np.log(made.signal.sum(1)))[0, 1] == pytest.approx(0.7, abs=0.1)


def test_without_scatter_all_shots_have_the_same_light() -> None:
    made = make_chemcam_set(rocks=[BHVO2], locations=2, shots=2, darks=1, conditions=Conditions(scatter=STILL))
    assert_allclose(made.signal, made.signal[[0]].repeat(4, 0), rtol=1e-6)
    assert made.signal.max() == pytest.approx(10_000, rel=1e-3)


def test_saturation_is_marked() -> None:
    bright = make_chemcam_set(rocks=[BHVO2], locations=1, shots=2, darks=1, conditions=Conditions(exposure=20))
    rows, channels = bright.saturated.T
    assert len(rows) > 10
    assert (bright.set.spectra[rows, channels] == 65535).all()
    assert bright.set.spectra.max() == 65535
    assert bright.set.provenance["saturated_values"] == len(rows)
    assert (bright.signal.max(1) > 100_000).all()  # the truth is not cut


def test_generated_lines_resemble_those_of_the_real_basalt(shared_data: Path) -> None:
    real = np.loadtxt(
        shared_data / "libs" / "chemcam" / "chemcam_bhvo2_loc1_spectrum.csv", delimiter=",", skiprows=1, usecols=1
    )
    ours = make_line_radiance(BHVO2)
    for block, least in zip(chemcam_blocks(), (0.92, 0.87, 0.79), strict=True):
        roots = [np.sqrt(np.clip(values[block.channels], 0, None)) for values in (real, ours)]
        assert np.corrcoef(roots)[0, 1] >= least, block.name


def test_shots_scatter_as_real_ones_do(basalt: GeneratedSpectra) -> None:
    # ChemCam sol 13, shots 6 to 30 (25 of them: one sigma of a spread is 14 %).
    radiance = basalt.signal[1:] / chemcam_response()
    totals = np.stack([radiance[:, block.channels].sum(1) for block in chemcam_blocks()])
    assert_allclose(totals.std(1) / totals.mean(1), (0.049, 0.061, 0.064), rtol=0.25)
    assert_allclose(totals.mean(1) / totals.mean(1).sum(), (0.591, 0.353, 0.057), atol=0.02)
    between = np.corrcoef(radiance[:40])[np.triu_indices(40, 1)].mean()
    assert 0.999 < between < 0.9999  # real: 0.9993, with its noise
    single = make_chemcam_set(rocks=[BHVO2] * 30, locations=1, shots=4, darks=1).signal.sum(1).reshape(30, 4)
    assert (single[:, 0] / single[:, 1:].mean(1)).mean() == pytest.approx(0.89, abs=0.03)


def test_the_axis_and_its_bands_serve_as_the_archives_do(small: GeneratedSpectra) -> None:
    assert_array_equal(small.set.axis, chemcam_axis())
    assert small.set.keep(channels_outside(small.set.axis, CHEMCAM_IGNORED_BANDS)).n_channels == 5485


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_targets": 0}, "'n_targets' must be above zero; found 0"),
        ({"shots": 0}, "'shots' must be above zero; found 0"),
        ({"seed": -1}, "'seed' must lie between 0 and inf; found -1"),
        ({"rocks": []}, "'n_targets' must be above zero; found 0"),
        ({"rocks": [{"SiO2": 120.0}]}, "'rock' must lie between 0.0 and 100.0 wt%; found 120.0 wt%"),
    ],
)
def test_a_set_that_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_chemcam_set(**wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scatter(total=-0.1), "'total' must lie between 0.0 and inf; found -0.1"),
        (
            lambda: Scatter(continuum_correlation=1.1),
            "'continuum_correlation' must lie between -1.0 and 1.0; found 1.1",
        ),
        (lambda: Conditions(exposure=0.0), "'exposure' must be above zero; found 0.0"),
        (lambda: Conditions(continuum=-1.0), "'continuum' must lie between 0.0 and inf; found -1.0"),
    ],
)
def test_conditions_that_cannot_be_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def _pedestal(made: GeneratedSpectra) -> np.ndarray:
    """Pedestal with its pattern: what is left of a background without continuum and drift."""
    bare = Conditions(continuum=0.0, readout=Readout(drift=0.0))
    seed = made.set.provenance["seed"]
    return make_chemcam_set(rocks=[BHVO2], locations=1, shots=1, darks=1, seed=seed, conditions=bare).background[0]
