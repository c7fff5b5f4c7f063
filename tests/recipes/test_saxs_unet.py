"""Laws of the recipe: plain numbers in, the right parts built from them, no torch before that."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.patches import PatchSet
from napari_bgremove.learning.networks import PRESETS
from napari_bgremove.recipes.saxs_unet import NETWORK_PRESETS, SaxsUnetRecipe


def _patches(role: str, shots: int = 4) -> PatchSet:
    n = 3 * shots
    patches = np.random.default_rng(0).random((n, 8, 8)).astype(np.float32)
    return PatchSet(
        patches, role, np.zeros((n, 2)), np.zeros(n), np.arange(n) % shots, tuple(f"{role} {i}" for i in range(shots))
    )


def test_importing_the_recipe_does_not_import_torch() -> None:
    code = "import sys, napari_bgremove.recipes.saxs_unet; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_presets_of_the_form_are_those_of_the_networks() -> None:
    assert tuple(PRESETS) == NETWORK_PRESETS


def test_a_recipe_is_frozen_and_survives_json() -> None:
    recipe = SaxsUnetRecipe(preset="tiny", min_intensity=3.5)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        recipe.preset = "small"  # type: ignore[misc]
    back = json.loads(json.dumps(recipe.to_dict()))
    assert back["preset"] == "tiny"
    assert set(back) == {f.name for f in dataclasses.fields(SaxsUnetRecipe)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"preset": "huge"}, "'preset' must be one of paper, medium, small, tiny; found 'huge'"),
        ({"topology": "B"}, "'topology' must be one of D, A; found 'B'"),
    ],
)
def test_an_unknown_preset_or_topology_is_refused(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SaxsUnetRecipe(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("equivariant", [True, False])
@pytest.mark.parametrize("topology", ["D", "A"])
def test_the_network_is_the_one_the_recipe_names(equivariant: bool, topology: str) -> None:
    recipe = SaxsUnetRecipe(
        equivariant=equivariant,
        topology=topology,
        preset="tiny",
        latents=8,
        guides=(3, 9),
        literal_head=True,
        seed=3,
    )
    network, again = recipe.build_network(), recipe.build_network()
    spec = network.spec
    assert (spec.family, spec.topology) == ("c4_unet" if equivariant else "plain_unet", topology)
    assert (spec.fields, spec.latents, spec.guides, spec.literal_head) == ((4, 8, 16, 32), 8, (3, 9), True)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_training_and_validation_share_no_shot_and_only_validation_is_fixed() -> None:
    recipe = SaxsUnetRecipe(
        hit_free_share=0.3, amplitude_decades=(0.0, 0.5), normalization="literal", percentiles=(2, 99), rot90=True
    )
    training, held = recipe.build_datasets(_patches("signal"), _patches("background"))
    for role in ("signal", "background"):
        assert not set(getattr(training, role).shots) & set(getattr(held, role).shots)
        assert len(getattr(training, role)) + len(getattr(held, role)) == 12
    assert (training.fixed, held.fixed) == (False, True)
    assert (training.rot90, held.rot90) == (True, False)
    assert training.seed != held.seed
    for data in (training, held):
        assert (data.hit_free_share, data.amplitude_decades, data.normalization, data.percentiles) == (
            0.3, (0.0, 0.5), "literal", (2, 99),
        )  # fmt: skip


def test_one_shot_cannot_be_split() -> None:
    with pytest.raises(ComputeError, match="'background patches' must come from at least 2 shots"):
        SaxsUnetRecipe().build_datasets(_patches("signal"), _patches("background", 1))


def test_options_and_description_repeat_the_recipes_numbers() -> None:
    recipe = SaxsUnetRecipe(
        preset="tiny", epochs=3, batch_size=5, learning_rate=2e-3, weight_decay=0.1, warmup_steps=7, schedule="cosine",
        seed=9, normalization="literal", percentiles=(2.0, 98.0), patch=64, merge="median", padded=False,
        sample_mean="geometric", flux_weight=0.5,
    )  # fmt: skip
    train, apply = recipe.build_train_options(precision="bfloat16"), recipe.build_apply_options()
    assert (train.epochs, train.batch_size, train.learning_rate, train.weight_decay) == (3, 5, 2e-3, 0.1)
    assert (train.warmup_steps, train.schedule, train.seed, train.precision) == (7, "cosine", 9, "bfloat16")
    assert (apply.normalization, apply.percentiles, apply.tile, apply.merge, apply.padded) == (
        "literal",
        (2, 98),
        64,
        "median",
        False,
    )
    assert (recipe.build_objective().mean, recipe.build_objective().flux_weight) == ("geometric", 0.5)
    network = recipe.build_network()
    described = recipe.build_description(network, author="x")
    assert described.network == network.spec
    assert (described.normalization, described.percentiles, described.tile, described.merge) == (
        "literal",
        (2, 98),
        64,
        "median",
    )
    assert described.recipe["name"] == "saxs_unet"
    assert described.recipe["epochs"] == 3
    assert described.provenance == {"author": "x"}
