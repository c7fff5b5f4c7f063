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
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.learning.networks import PRESETS, NetworkSpec
from napari_bgremove.recipes.documentation import attribute_docs
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
    recipe = SaxsUnetRecipe(preset="tiny", min_intensity=3.5, hidden=(1,))
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
        ({"normalization": "zscore"}, "'normalization' must be one of conserving, literal; found 'zscore'"),
        ({"schedule": "linear"}, "'schedule' must be one of constant, cosine; found 'linear'"),
        ({"sample_mean": "harmonic"}, "'sample_mean' must be one of arithmetic, geometric; found 'harmonic'"),
        ({"merge": "max"}, "'merge' must be one of weighted, median, mean; found 'max'"),
        ({"padded": "no"}, "'padded' must be true or false; found no"),
        ({"patch": 100}, "'patch' must be a multiple of 8 pixels; found 100"),
        ({"patch": 0}, "'patch' must lie between 8 and 4096; found 0"),
        ({"signal_patches": 0}, "'signal_patches' must lie between 1 and .*; found 0"),
        ({"background_patches": -3}, "'background_patches' must lie between 1 and .*; found -3"),
        ({"latents": 0}, "'latents' must lie between 1 and 256; found 0"),
        ({"epochs": 0}, "'epochs' must lie between 1 and .*; found 0"),
        ({"epochs": 2.5}, "'epochs' must be a whole number; found 2.5"),
        ({"batch_size": -1}, "'batch_size' must lie between 1 and .*; found -1"),
        ({"warmup_steps": -1}, "'warmup_steps' must lie between 0 and .*; found -1"),
        ({"seed": -1}, "'seed' must lie between 0 and 4294967295; found -1"),
        ({"min_intensity": float("nan")}, "'min_intensity' must be a finite number; found nan"),
        ({"mask_threshold": 0.0}, "'mask_threshold' must be above zero; found 0.0"),
        ({"learning_rate": 0.0}, "'learning_rate' must be above zero; found 0.0"),
        ({"learning_rate": float("inf")}, "'learning_rate' must be a finite number; found inf"),
        ({"weight_decay": -1.0}, "'weight_decay' must not be negative; found -1.0"),
        ({"rmse_weight": -0.1}, "'rmse_weight' must not be negative; found -0.1"),
        ({"flux_weight": -0.1}, "'flux_weight' must not be negative; found -0.1"),
        ({"hit_free_share": 1.1}, "'hit_free_share' must lie between 0 and 1; found 1.1"),
        ({"validation_share": 0.0}, "'validation_share' must lie between 0 and 1, both excluded; found 0.0"),
        ({"validation_share": 1.0}, "'validation_share' must lie between 0 and 1, both excluded; found 1.0"),
        ({"percentiles": (99.0, 1.0)}, "'percentiles' must rise, between 0 and 100; found 99.0 1.0"),
        ({"percentiles": (1.0, 101.0)}, "'percentiles' must rise, between 0 and 100; found 1.0 101.0"),
        ({"percentiles": (1.0,)}, "'percentiles' must be two numbers; found 1.0"),
        ({"amplitude_decades": (1.0, 400.0)}, "'amplitude_decades' must lie between -12 and 12; found 400.0"),
        ({"amplitude_decades": (1.0, -1.0)}, "'amplitude_decades' must be the lower and then the upper end; found"),
        ({"amplitude_decades": (float("nan"), 1.0)}, "'amplitude_decades' must be a finite number; found nan"),
        ({"guides": (4,)}, "'guides' must be at most 8 odd sizes between 3 and 33 pixels; found 4"),
        ({"guides": (3,) * 9}, "'guides' must be at most 8 odd sizes"),
        ({"offsets": ()}, "'offsets' must be pairs of rows and columns, whole and not negative; found none"),
        ({"offsets": ((0, -1),)}, "'offsets' must be pairs of rows and columns, whole and not negative; found"),
    ],
)
def test_every_field_of_the_recipe_is_checked(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SaxsUnetRecipe(**changes)  # type: ignore[arg-type]


def test_what_a_person_leaves_open_is_allowed() -> None:
    recipe = SaxsUnetRecipe(min_intensity=None, mask_threshold=None, mask_grow=None, guides=())
    assert recipe.mask_threshold is recipe.mask_grow is None


@pytest.mark.parametrize("equivariant", [True, False])
def test_the_fields_of_a_network_build_that_network_again(equivariant: bool) -> None:
    recipe = SaxsUnetRecipe(
        equivariant=equivariant, preset="tiny", topology="A", latents=3, guides=(3, 9), literal_head=True,
        hidden=(1, 2, 3, 4, 5, 6, 4, 3),
    )  # fmt: skip
    fields = SaxsUnetRecipe.network_fields(recipe.build_spec())
    assert SaxsUnetRecipe(**fields).build_spec() == recipe.build_spec() == recipe.build_network().spec


def test_a_width_without_a_name_has_no_recipe() -> None:
    with pytest.raises(ValueError, match=r"'fields' must be those of a preset \(paper, .*\); found 1 2 3 4"):
        SaxsUnetRecipe.network_fields(NetworkSpec(fields=(1, 2, 3, 4)))


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
    assert described.padded is False
    assert described.recipe["name"] == "saxs_unet"
    assert described.recipe["epochs"] == 3
    assert described.provenance == {"author": "x"}


SECTIONS = ('"Methods"', '"Data preparation"', '"Neural network"', '"Application"')


def test_every_field_says_which_section_of_the_paper_it_comes_from_or_that_it_is_ours() -> None:
    docs = attribute_docs(SaxsUnetRecipe)
    assert set(docs) == {field.name for field in dataclasses.fields(SaxsUnetRecipe)}
    silent = [name for name, text in docs.items() if "Ours" not in text and not any(part in text for part in SECTIONS)]
    assert silent == []
