"""Filters with their numbers fixed: what the slides ran, and what tuning chooses."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.evaluation.filter_tuning import AS_PUBLISHED, FAMILIES, FilterFamily, FixedFilter, tune_filter
from napari_bgremove.evaluation.signal_metrics import measure_rmse
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.synthetic.signals import make_spectra, make_spikes

SPIKES = make_spikes(3, 40)


@pytest.mark.parametrize("fixed", AS_PUBLISHED, ids=lambda one: one.label)
def test_a_fixed_filter_is_the_method_with_its_parameters(fixed):
    denoised = fixed(SPIKES.measured)
    assert np.array_equal(denoised, denoise_signals(SPIKES.measured, method=fixed.method, **fixed.parameters).signal)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: one.label)
def test_every_grid_is_of_parameters_the_method_has(family):
    assert set(family.grid) <= set(METHODS[family.method].parameters)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: one.label)
def test_tuning_returns_the_candidate_with_the_least_error(family):
    short = FilterFamily(family.label, family.method, {name: values[:4] for name, values in family.grid.items()})
    chosen = tune_filter(short, SPIKES.measured, SPIKES.signal, sigma=3.0)
    others = [one for one in short.list_candidates() if None not in one.parameters.values()]
    best = min((measure_rmse(one(SPIKES.measured), SPIKES.signal).mean() for one in others), default=np.inf)
    assert measure_rmse(chosen(SPIKES.measured), SPIKES.signal).mean() <= best


def test_a_filter_that_asks_for_the_noise_is_told_it():
    chosen = tune_filter(
        FilterFamily("w", "wiener", {"window": (5,), "sigma": (None,)}), SPIKES.measured, SPIKES.signal, sigma=3.0
    )
    assert chosen.parameters == {"window": 5, "sigma": 3.0}


def test_tuning_knows_spikes_from_spectra():
    by_label = {family.label: family for family in FAMILIES}
    spectra = make_spectra(4, 40)
    errors = {
        (name, label): measure_rmse(tune_filter(by_label[label], m, s, sigma=sigma)(m), s).mean()
        for name, (s, m), sigma in (("spikes", SPIKES, 3.0), ("spectra", spectra, 1.0))
        for label in ("L1, positive", "Wiener, noise known")
    }
    assert errors["spikes", "L1, positive"] < errors["spikes", "Wiener, noise known"]
    assert errors["spectra", "L1, positive"] > errors["spectra", "Wiener, noise known"]


def test_settings_are_written_as_in_a_table():
    assert FixedFilter("x", "gmc", {"domain": "fourier", "weight": 3.0}).settings == "domain fourier, weight 3"
