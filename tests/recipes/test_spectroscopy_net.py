"""Laws of the recipe for spectra: plain numbers in, the right parts built from them, no torch before that."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.model_file import read_spectra_model, write_model
from napari_bgremove.learning.spectrum_inference import separate_spectra
from napari_bgremove.learning.training import EpochDone, Training
from napari_bgremove.learning.triplets import SpectraTriplets
from napari_bgremove.recipes.documentation import attribute_docs
from napari_bgremove.recipes.spectroscopy_net import SPECTROSCOPY_PRESETS, SpectroscopyNetRecipe
from napari_bgremove.spectra.spectra_set import Block, SpectraSet, make_spectra_set

BLOCKS = (Block("UV", 0, 30), Block("VNIR", 30, 50))


def _spectra(targets: int = 8, shots: int = 3) -> SpectraSet:
    values = np.random.default_rng(0).random((targets * shots, 50)).astype(np.float32) + 1
    names = np.repeat([f"t{i}" for i in range(targets)], shots)
    axis = np.concatenate([np.linspace(240, 340, 30), np.linspace(480, 850, 20)])
    return make_spectra_set(axis, values, targets=names, blocks=BLOCKS)


def _tiny(**changes: Any) -> SpectroscopyNetRecipe:
    return SpectroscopyNetRecipe(**{"depth": 3, "features": 2, "batch_size": 8, "epochs": 2, **changes})


def _training(spectra: SpectraSet, recipe: SpectroscopyNetRecipe) -> Training:
    data, held = recipe.build_datasets(spectra)
    return Training(recipe.build_network(spectra), recipe.build_objective(), data, held, recipe.build_train_options())


def test_importing_the_recipe_does_not_import_torch() -> None:
    code = "import sys, napari_bgremove.recipes.spectroscopy_net; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_numbers_of_the_paper_are_the_defaults() -> None:
    """Section 3 of Castorena & Oyen."""
    recipe = SpectroscopyNetRecipe()
    options = recipe.build_train_options()
    assert (recipe.depth, recipe.epochs, recipe.batch_size) == (18, 60, 512)
    assert (options.optimizer, options.learning_rate, options.momentum, options.schedule) == ("sgd", 0.1, 0.9, "cosine")


def test_a_recipe_is_frozen_and_survives_json() -> None:
    recipe = SpectroscopyNetRecipe(signal_bands=((1.0, 2.0),), clip_norm=None)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        recipe.depth = 3  # type: ignore[misc]
    back = json.loads(json.dumps(recipe.to_dict()))
    assert set(back) == {f.name for f in dataclasses.fields(recipe)} - {"hidden"}  # of it only where units were taken
    assert SpectroscopyNetRecipe(**back) == dataclasses.replace(recipe, signal_bands=back["signal_bands"])


def test_every_field_is_explained() -> None:
    assert set(attribute_docs(SpectroscopyNetRecipe)) == {f.name for f in dataclasses.fields(SpectroscopyNetRecipe)}


def test_a_preset_changes_what_it_says_and_nothing_else() -> None:
    assert SpectroscopyNetRecipe.of_preset("paper") == SpectroscopyNetRecipe()
    small = SpectroscopyNetRecipe.of_preset("small", epochs=3)
    assert small == SpectroscopyNetRecipe(features=16, epochs=3)
    assert all(SpectroscopyNetRecipe.of_preset(name) for name in SPECTROSCOPY_PRESETS)
    with pytest.raises(ValueError, match="'preset' must be one of paper, medium, small, dilated, smooth; found 'huge'"):
        SpectroscopyNetRecipe.of_preset("huge")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depth": 2}, "'depth' must lie between 3 and 64; found 2"),
        ({"features": 1.5}, "'features' must be a whole number; found 1.5"),
        ({"kernel": 4}, "'kernel' must be odd, between 3 and 15 channels; found 4"),
        ({"dilated": 1}, "'dilated' must be true or false; found 1"),
        ({"crop": 0}, "'crop' must lie between 1 and .*; found 0"),
        ({"form": "printed"}, "'form' must be one of stable, literal; found 'printed'"),
        ({"schedule": "linear"}, "'schedule' must be one of cosine, constant; found 'linear'"),
        ({"sparsity": -0.1}, "'sparsity' must not be negative; found -0.1"),
        ({"alignment": float("nan")}, "'alignment' must be a finite number; found nan"),
        ({"momentum": 1.2}, "'momentum' must lie between 0 and 1; found 1.2"),
        ({"learning_rate": 0.0}, "'learning_rate' must be above zero; found 0.0"),
        ({"clip_norm": 0.0}, "'clip_norm' must be above zero; found 0.0"),
        ({"at_once": 0}, "'at_once' must lie between 1 and .*; found 0"),
        ({"epochs": 0}, "'epochs' must lie between 1 and .*; found 0"),
        ({"seed": -1}, "'seed' must lie between 0 and 4294967295; found -1"),
        ({"validation_share": 1.0}, "'validation_share' must lie between 0 and 1, both excluded; found 1.0"),
        ({"signal_bands": ((2.0, 1.0),)}, "'signal_bands' must be the lower and then the upper end .*; found 2.0 1.0"),
    ],
)
def test_a_number_that_breaks_its_rule_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SpectroscopyNetRecipe(**changes)


def test_the_network_knows_the_spectrometers_and_the_seed_its_weights() -> None:
    spectra = _spectra()
    first, again, other = (_tiny(seed=seed).build_network(spectra) for seed in (1, 1, 2))
    assert first.spec.blocks == (30, 20)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


@pytest.mark.parametrize(("targets", "held"), [(8, 3), (40, 4), (6, 3)])
def test_validation_holds_out_targets(targets: int, held: int) -> None:
    training, validation = _tiny().build_datasets(_spectra(targets))
    apart = set(training.spectra.distinct_targets), set(validation.spectra.distinct_targets)
    assert apart[0].isdisjoint(apart[1])
    assert (len(apart[0]), len(apart[1])) == (targets - held, held)
    assert (training.fixed, validation.fixed) == (False, True)
    assert training.scales == validation.scales


def test_with_few_targets_validation_draws_fixed_triplets_of_all() -> None:
    training, validation = _tiny().build_datasets(_spectra(5))
    assert len(training) == len(validation) == 15
    with pytest.raises(ComputeError, match="must come from at least 3 targets"):
        _tiny().build_datasets(_spectra(2))


def test_a_short_training_ends_in_a_model_file_that_separates(tmp_path: Path) -> None:
    spectra = _spectra()
    recipe = _tiny(signal_bands=((290.0, 300.0),), crop=15, at_once=4)
    training = _training(spectra, recipe)
    data = cast("SpectraTriplets", training.dataset)
    epochs = [event for event in training.run() if isinstance(event, EpochDone)]
    assert [set(epoch.training) for epoch in epochs] == [set(epoch.validation) for epoch in epochs]
    assert {"loss", "residual", "orthogonality", "alignment", "background_share"} <= set(epochs[0].validation)
    path = tmp_path / "model.safetensors"
    description = recipe.build_description(training.network, data, author="me")  # type: ignore[arg-type]
    write_model(path, training.network, description, training=training.state()[0])  # type: ignore[arg-type]
    model = read_spectra_model(path)
    assert set(model.training) == set(training.state()[0])
    assert [block.name for block in model.description.blocks] == ["UV", "VNIR"]
    assert [block.scale for block in model.description.blocks] == list(data.scales)
    marked = np.flatnonzero((spectra.axis >= 290) & (spectra.axis <= 300))
    assert model.description.signal_channels == ((int(marked[0]), int(marked[-1]) + 1),)
    assert model.description.recipe["name"] == "spectroscopy_net"
    found = separate_spectra(model, spectra.spectra, axis=spectra.axis)
    np.testing.assert_allclose(found.signal + found.background, spectra.spectra, rtol=1e-6)
    second = np.diff(found.background[:, marked[0] - 1 : marked[-1] + 2], n=2, axis=1)
    np.testing.assert_allclose(second, 0, atol=1e-5)  # a straight line


def test_a_stopped_training_goes_on_bit_for_bit_running_statistics_included(tmp_path: Path) -> None:
    spectra, recipe = _spectra(), _tiny(depth=4, features=4, at_once=3, same_target=0.2)
    whole, first = _training(spectra, recipe), _training(spectra, recipe)
    list(whole.run())
    events = first.run()
    next(events)
    next(events)
    tensors, numbers = first.state()
    path = tmp_path / "model.safetensors"
    description = recipe.build_description(first.network, first.dataset)  # type: ignore[arg-type]
    write_model(path, first.network, description.model_copy(update={"progress": numbers}), training=tensors)  # type: ignore[arg-type]
    loaded = read_spectra_model(path)
    second = _training(spectra, recipe)
    second.network.load_state_dict(loaded.network.state_dict())
    second.restore(loaded.training, loaded.description.progress)
    list(second.run())
    expected, found = whole.network.state_dict(), second.network.state_dict()
    assert any("running_var" in name for name in expected)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
