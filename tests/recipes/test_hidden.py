"""Recipes of networks from which hidden units were taken: trained further, and told of only where there are any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.spectra_set import SpectraSet

SAXS = SaxsUnetRecipe(preset="tiny", hidden=(1, 2, 3, 4, 5, 6, 4, 3, 2, 1, 2))
DENOISER = DenoiserRecipe(width=2, hidden=(1, 2, 3, 4, 5, 6, 3, 1))
SPECTRA = SpectroscopyNetRecipe(depth=4, features=3, hidden=(2, 1))


@pytest.mark.parametrize("recipe", [SAXS, DENOISER, SPECTRA])
def test_a_recipe_builds_the_narrowed_network_and_tells_of_it(recipe: Any, spectra_set: SpectraSet) -> None:
    arguments = (spectra_set,) if recipe is SPECTRA else ()
    network, whole = (one.build_network(*arguments) for one in (recipe, replace(recipe, hidden=())))
    assert tuple(network.spec.hidden) == recipe.hidden
    assert [layer.units for layer in network.hidden_layers()] == list(recipe.hidden)
    assert sum(p.numel() for p in network.parameters()) < sum(p.numel() for p in whole.parameters())
    assert TypeAdapter(type(recipe)).validate_python(recipe.to_dict()) == recipe
    assert "hidden" not in replace(recipe, hidden=()).to_dict()  # reads as before there was such a field


@pytest.mark.parametrize("kind", [SaxsUnetRecipe, DenoiserRecipe, SpectroscopyNetRecipe])
@pytest.mark.parametrize("hidden", [(0, 1), (1.5,), ("a",)])
def test_numbers_of_units_are_whole_and_above_zero(kind: Any, hidden: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"'hidden' must be whole numbers from 1 on, .*; found"):
        kind(hidden=hidden)


def test_as_many_widths_as_hidden_layers() -> None:
    with pytest.raises(ValueError, match="'hidden' must be empty or hold one width for each of 8 hidden layers"):
        DenoiserRecipe(hidden=(1, 2)).build_spec()
