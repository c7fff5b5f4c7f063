"""Shared fixtures: where the real data are, one thread for repeatable numbers, nobody's own preferences."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
