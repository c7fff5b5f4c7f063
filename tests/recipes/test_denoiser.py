"""Laws of the denoiser's recipe: the paper's numbers, the right parts built from them, no torch before that."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.learning.networks import PriorGuidedSpec
from napari_bgremove.learning.objectives.denoising import DenoisingObjective, Noise2SelfObjective
from napari_bgremove.learning.signal_pairs import FixedPairs, FreshPairs, MeasuredRows
from napari_bgremove.learning.signal_scaling import standardize_rows
from napari_bgremove.learning.training import EpochDone, Training
from napari_bgremove.recipes.denoiser import DENOISER_PRESETS, DenoiserRecipe
from napari_bgremove.recipes.documentation import attribute_docs
from napari_bgremove.synthetic.signals import make_spectra, make_spikes

ROWS = make_spectra(0, 10, length=60).measured * 7 + 500


def _train(recipe: DenoiserRecipe, rows: Any = None) -> tuple[Training, list[EpochDone]]:
    data, held = recipe.build_datasets(rows)
    training = Training(recipe.build_network(), recipe.build_objective(), data, held, recipe.build_train_options())
    return training, [event for event in training.run() if isinstance(event, EpochDone)]


def test_importing_the_recipe_does_not_import_torch() -> None:
    code = "import sys, napari_bgremove.recipes.denoiser; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_numbers_of_the_paper_are_the_defaults() -> None:
    """`train.py` of the published code: ICNN_s, 1000 pairs split 70/30, and its optimizer."""
    recipe = DenoiserRecipe()
    assert recipe == DenoiserRecipe.of_preset("paper")
    assert recipe.build_spec() == PriorGuidedSpec()
    options = recipe.build_train_options()
    assert (options.epochs, options.batch_size, options.optimizer) == (200, 1, "sgd")
    assert (options.learning_rate, options.momentum, options.weight_decay) == (1e-4, 0.9, 1e-6)
    assert (options.stair_epochs, options.stairs, options.lowest_rate) == (10, 10, 1e-6)
    training, validation = recipe.build_datasets()
    assert isinstance(training, FixedPairs)
    assert (len(training), len(validation)) == (700, 300)
    assert recipe.build_objective() == DenoisingObjective("smooth_l1")
    loop = Training(recipe.build_network(), recipe.build_objective(), training, validation, options)
    rates = []
    for loop.epoch in (0, 9, 10, 50, 100, 150, 199):
        rates.append(loop.learning_rate())
    cosine = [1, 1, np.cos(np.pi / 10), 0, -1, 0, np.cos(np.pi * 19 / 10)]
    assert rates == pytest.approx([1e-6 + (1e-4 - 1e-6) * (1 + c) / 2 for c in cosine])


def test_a_recipe_is_frozen_and_survives_json() -> None:
    recipe = DenoiserRecipe(crop=64, clip_norm=1.0)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        recipe.width = 3  # type: ignore[misc]
    assert DenoiserRecipe(**json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_every_field_is_explained() -> None:
    assert set(attribute_docs(DenoiserRecipe)) == {f.name for f in dataclasses.fields(DenoiserRecipe)}


def test_a_preset_changes_what_it_says_and_nothing_else() -> None:
    for name, changes in DENOISER_PRESETS.items():
        recipe = DenoiserRecipe.of_preset(name, epochs=3)
        assert recipe == DenoiserRecipe(**{**changes, "epochs": 3})
    with pytest.raises(ValueError, match="'preset' must be one of paper, spikes, spectra, rows; found 'huge'"):
        DenoiserRecipe.of_preset("huge")


@pytest.mark.parametrize(("preset", "steps"), [("spikes", 2500), ("spectra", 1500)])
def test_the_presets_for_generators_take_few_steps_of_adam(preset: str, steps: int) -> None:
    recipe = DenoiserRecipe.of_preset(preset)
    options = recipe.build_train_options()
    assert (options.optimizer, options.weight_decay, options.schedule) == ("adamw", 0, "cosine")
    assert recipe.epochs * recipe.pairs / recipe.batch_size == steps
    training, validation = recipe.build_datasets()
    assert isinstance(training, FreshPairs)
    assert training.batch(0, [3])["signal"].tolist() != training.batch(1, [3])["signal"].tolist()
    assert validation.batch(0, [3])["signal"].tolist() == validation.batch(1, [3])["signal"].tolist()
    assert training.batch(0, [3])["signal"].tolist() != validation.batch(0, [3])["signal"].tolist()


def test_the_spec_takes_every_field_of_its_name() -> None:
    recipe = DenoiserRecipe(
        width=3, prior="off", wiener_window=5, normalized=False, activation="firm", threshold="adaptive", firm_gamma=0.2
    )
    assert recipe.build_spec() == PriorGuidedSpec(3, "off", 5, False, "firm", "adaptive", 0.2)
    assert recipe.build_network().spec == recipe.build_spec()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 0}, "'width' must lie between 1 and 256; found 0"),
        ({"width": 2.5}, "'width' must be a whole number; found 2.5"),
        ({"prior": "on"}, "'prior' must be one of off, per-sample, batch-mean; found 'on'"),
        ({"wiener_window": 4}, "'wiener_window' must be odd, so that it has a middle; found 4"),
        ({"normalized": 1}, "'normalized' must be true or false; found 1"),
        ({"activation": "tanh"}, "'activation' must be one of relu, soft, half, hard, firm; found 'tanh'"),
        ({"firm_gamma": 1.0}, "'firm_gamma' must lie between 0 and 1, both excluded; found 1.0"),
        ({"signals": "images"}, "'signals' must be one of spikes, spectra, rows; found 'images'"),
        ({"pairs": 1}, "'pairs' must lie between 2 and .*; found 1"),
        ({"crop": 15}, "'crop' must lie between 16 and .*; found 15"),
        ({"loss": "mae"}, "'loss' must be one of smooth_l1, mse; found 'mae'"),
        ({"optimizer": "adam"}, "'optimizer' must be one of sgd, adamw; found 'adam'"),
        ({"learning_rate": 0.0}, "'learning_rate' must be above zero; found 0.0"),
        ({"clip_norm": -1.0}, "'clip_norm' must be above zero; found -1.0"),
        ({"weight_decay": -1e-6}, "'weight_decay' must not be negative; found -1e-06"),
        ({"lowest_rate": float("nan")}, "'lowest_rate' must be a finite number; found nan"),
        ({"momentum": 2.0}, "'momentum' must lie between 0 and 1; found 2.0"),
        ({"validation_share": 0.0}, "'validation_share' must lie between 0 and 1, both excluded; found 0.0"),
        ({"seed": -1}, "'seed' must lie between 0 and .*; found -1"),
    ],
)
def test_a_number_that_breaks_its_rule_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DenoiserRecipe(**changes)


def test_rows_are_for_the_label_free_training_alone() -> None:
    with pytest.raises(ValueError, match="'rows' must be given for signals 'rows', and only then; found none, and"):
        DenoiserRecipe(signals="rows").build_datasets()
    with pytest.raises(ValueError, match=r"'rows' must be given .* found some, and signals 'spikes'"):
        DenoiserRecipe().build_datasets(ROWS)


def test_rows_are_brought_to_one_level_and_one_noise_and_a_share_is_held_out() -> None:
    recipe = DenoiserRecipe(signals="rows", pairs=40, crop=32)
    training, validation = recipe.build_datasets(ROWS)
    assert isinstance(training, MeasuredRows)
    assert isinstance(validation, MeasuredRows)
    assert (len(training), len(validation)) == (40, 12)
    assert (len(training.rows), len(validation.rows)) == (7, 3)
    together = np.concatenate([training.rows, validation.rows])
    assert len(np.unique(together, axis=0)) == 10
    np.testing.assert_allclose(np.median(together, axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(estimate_sigma(together), 1, rtol=1e-5)
    assert training.batch(0, [0])["measured"].shape == (1, 32)
    assert recipe.build_objective() == Noise2SelfObjective("smooth_l1")


def test_of_two_rows_and_more_each_is_trained_on_or_held_out() -> None:
    for share in (0.01, 0.3, 0.99):
        training, validation = DenoiserRecipe(signals="rows", validation_share=share).build_datasets(ROWS[:2])
        assert isinstance(training, MeasuredRows)
        assert isinstance(validation, MeasuredRows)
        assert not np.array_equal(training.rows, validation.rows)


@pytest.mark.parametrize(("samples", "share", "held"), [(128, 0.3, 38), (60, 0.1, 16), (32, 0.3, 16), (60, 0.9, 44)])
def test_a_single_profile_is_never_judged_on_samples_it_was_trained_with(samples: int, share: float, held: int) -> None:
    row = make_spectra(0, 1, length=samples).measured
    built = DenoiserRecipe.of_preset("rows", validation_share=share).build_datasets(row[0])
    parts = [part for part in built if isinstance(part, MeasuredRows)]
    training, validation = (part.rows for part in parts)
    assert (training.shape, validation.shape) == ((1, samples - held), (1, held))
    np.testing.assert_allclose(np.concatenate([training, validation], axis=1), standardize_rows(row), rtol=1e-6)
    for part in parts:
        assert part.batch(0, [0, 1])["measured"].shape == (2, min(part.rows.shape[1], samples - held))
    with pytest.raises(ValueError, match=r"'rows' must have 32 samples or more where there is one, .*; found 31"):
        DenoiserRecipe(signals="rows").build_datasets(row[0, :31])


def test_a_single_profile_can_be_trained_on() -> None:
    recipe = DenoiserRecipe.of_preset("rows", pairs=32, epochs=1, width=2, crop=32)
    training, (epoch,) = _train(recipe, ROWS[0])
    assert np.isfinite(epoch.validation["loss"])
    description = recipe.build_description(training.dataset)  # type: ignore[arg-type]
    assert (description.centred, description.source, description.length) == (True, "rows", 32)
    assert description.level == 0
    assert description.noise == pytest.approx(1, rel=0.3)


def test_a_step_of_long_rows_takes_no_longer_than_one_of_crops() -> None:
    row = np.random.default_rng(0).normal(size=100_000)
    for crop, rows, lengths in ((None, row, (1024, 1024)), (2000, row, (2000, 2000)), (None, row[:2000], (1024, 600))):
        parts = DenoiserRecipe(signals="rows", crop=crop).build_datasets(rows)
        assert tuple(part.batch(0, [0])["measured"].shape[1] for part in parts) == lengths


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_a_row_nothing_can_be_learnt_from_is_refused(value: float) -> None:
    rows = ROWS.copy()
    rows[4] = value
    with pytest.raises(ComputeError, match="'rows' must have noise, in three usable samples side by side; row 4 has"):
        DenoiserRecipe(signals="rows").build_datasets(rows)


@pytest.mark.parametrize(
    ("changes", "make", "length"), [({}, make_spikes, 100), ({"signals": "spectra", "fresh": True}, make_spectra, 128)]
)
def test_the_description_tells_noise_and_level_as_they_would_be_found_in_such_a_signal(
    changes: dict[str, Any], make: Any, length: int
) -> None:
    recipe = DenoiserRecipe(**changes)
    description = recipe.build_description(recipe.build_datasets()[0], author="me")
    assert (description.length, description.batch_size, description.loss) == (length, 1, "smooth_l1")
    assert not description.centred
    assert description.provenance == {"author": "me"}
    assert description.recipe == {"name": "denoiser", **recipe.to_dict()}
    fresh = make(5, 300).measured
    assert description.noise == pytest.approx(np.median(estimate_sigma(fresh)), rel=0.05)
    assert description.level == pytest.approx(np.median(np.median(fresh, axis=1)), abs=0.1)
    assert description.level > 0.3


@pytest.mark.parametrize("fresh", [True, False])
def test_centred_pairs_are_the_same_pairs_with_their_median_at_zero(fresh: bool) -> None:
    recipe = DenoiserRecipe(signals="spectra", fresh=fresh, pairs=20, centred=True)
    plain = dataclasses.replace(recipe, centred=False).build_datasets()[0].batch(3, range(5))
    data = recipe.build_datasets()[0]
    centred = data.batch(3, range(5))
    assert_allclose(np.median(centred["measured"], axis=1), 0, atol=1e-6)
    for name in ("signal", "measured"):
        assert_allclose(
            plain[name] - centred[name], np.median(plain["measured"], axis=1)[:, None] + 0 * plain[name], atol=1e-5
        )
    description = recipe.build_description(data)
    assert description.centred
    assert description.level == 0


def test_a_short_training_learns() -> None:
    _, epochs = _train(DenoiserRecipe.of_preset("spectra", width=4, pairs=320, epochs=3, learning_rate=1e-2))
    assert epochs[-1].validation["rmse"] < 0.9 * epochs[0].validation["rmse"]


def test_the_seed_decides_the_whole_training() -> None:
    states = [
        _train(DenoiserRecipe.of_preset("spectra", width=2, pairs=32, epochs=1, seed=seed))[0].network.state_dict()
        for seed in (3, 3, 4)
    ]
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    assert not all(torch.equal(states[0][name], value) for name, value in states[2].items())
