"""Shared fixtures: where the real data are, one thread for repeatable numbers, nobody's own preferences."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import Block, SpectraSet, make_spectra_set

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NAPARI_CONFIG"] = ""  # napari neither reads nor writes settings

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data, never part of the repository."""
    folder = Path(os.environ.get("BGREMOVE_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set BGREMOVE_DATA")
    return folder


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """An untrained network of the smallest size, with tiles of 32 pixels."""
    from napari_bgremove.learning.model_file import ModelDescription, write_model
    from napari_bgremove.learning.networks import NetworkSpec, build_network

    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=3)
    path = tmp_path / "model.safetensors"
    write_model(path, network, ModelDescription(network=network.spec, tile=32))
    return path


@pytest.fixture
def spectra_set() -> SpectraSet:
    """Two spectrometers, eight targets, one line whose height is the reference value, one that never changes."""
    rng = np.random.default_rng(0)
    channel, amounts = np.arange(96), np.linspace(1, 8, 8)
    line, constant = (np.exp(-((channel - place) ** 2) / 8.0) for place in (20, 70))
    floor = 50 + 20 * np.sin(channel / 15)
    signal = np.repeat(amounts, 4)[:, None] * 30 * line + 100 * constant
    names = tuple(f"rock {n}" for n in range(8))
    return make_spectra_set(
        300 + 0.5 * channel,
        (signal + floor + rng.normal(0, 1, (32, 96))).astype(np.float32),
        targets=np.repeat(names, 4),
        blocks=(Block("UV", 0, 48), Block("VIS", 48, 96)),
        composition=Composition(names, ("SiO2",), amounts[:, None]),
    )


@pytest.fixture
def spectra_file(spectra_set: SpectraSet, tmp_path: Path) -> Path:
    """The same set as a file."""
    return write_spectra_set(tmp_path / "set.npz", spectra_set)


@pytest.fixture
def spectra_model(spectra_set: SpectraSet, tmp_path: Path) -> Path:
    """An untrained network for this set, of the smallest size."""
    from napari_bgremove.learning.model_file import write_model
    from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe

    recipe = SpectroscopyNetRecipe(depth=3, features=2)
    network = recipe.build_network(spectra_set)
    description = recipe.build_description(network, recipe.build_datasets(spectra_set)[0])
    write_model(tmp_path / "cleaner.safetensors", network, description)
    return tmp_path / "cleaner.safetensors"


@pytest.fixture
def denoiser_file(tmp_path: Path) -> Path:
    """An untrained denoiser of signals, of the smallest size."""
    from napari_bgremove.learning.model_file import SignalModelDescription, write_model
    from napari_bgremove.learning.networks import PriorGuidedSpec, build_network

    spec = PriorGuidedSpec(width=1)
    description = SignalModelDescription(
        network=spec, batch_size=16, source="spectra", length=128, noise=1.0, loss="mse"
    )
    write_model(tmp_path / "denoiser.safetensors", build_network(spec, seed=0), description)
    return tmp_path / "denoiser.safetensors"
