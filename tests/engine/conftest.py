"""A training small enough for a test: 32 x 32 patches, a network of one field per block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

PATCH = 32


def _patches(role: str, seed: int) -> PatchSet:
    rng = np.random.default_rng(seed)
    n = 24
    if role == "signal":
        rows, columns = np.mgrid[:PATCH, :PATCH]
        values = np.stack([5 + 3 * np.sin((rows * a + columns * b) / 6) for a, b in rng.normal(size=(n, 2))])
    else:
        values = np.where(rng.random((n, PATCH, PATCH)) < 0.05, rng.uniform(20, 90, (n, PATCH, PATCH)), 0)
    shots = np.arange(n) % 4
    return PatchSet(
        values.astype(np.float32), role, np.zeros((n, 2)), np.zeros(n), shots, tuple(f"shot {i}" for i in range(4))
    )


@pytest.fixture
def patch_files(tmp_path: Path) -> dict[str, str]:
    files = {}
    for seed, role in enumerate(("signal", "background")):
        files[role] = str(write_patch_set(tmp_path / f"{role}.npz", _patches(role, seed)))
    return files


@pytest.fixture
def train_job(patch_files: dict[str, str]) -> TrainJob:
    recipe = SaxsUnetRecipe(preset="tiny", epochs=3, batch_size=4, learning_rate=1e-3, warmup_steps=2)
    return TrainJob(recipe=recipe, **patch_files, samples_per_epoch=12, validation_samples=4, device="cpu", threads=1)
