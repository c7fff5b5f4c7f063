"""Small data and networks shared by the tests of learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.learning.datasets import SyntheticSums


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def planted_patches(role: str, n: int, *, side: int = 32, seed: int = 0) -> PatchSet:
    """Smooth waves for the signal; sharp, rare hits for the background."""
    rng = np.random.default_rng([seed, role == "signal"])
    if role == "signal":
        rows, columns = np.indices((side, side))
        phase, tilt, period = rng.uniform(0, 6, (n, 1, 1)), rng.uniform(0, 3, (n, 1, 1)), rng.uniform(12, 30, (n, 1, 1))
        along = np.cos(tilt) * rows + np.sin(tilt) * columns
        patches = 2 + np.cos(2 * np.pi * along / period + phase)
    else:
        patches = np.where(rng.random((n, side, side)) < 0.06, rng.uniform(4, 12, (n, side, side)), 0)
    shots = np.arange(n) % 4
    names = tuple(f"{role} {i}" for i in range(4))
    return PatchSet(patches.astype(np.float32), role, np.zeros((n, 2)), np.zeros(n), shots, names)


@pytest.fixture
def planted_sums() -> SyntheticSums:
    """A separation with a known answer: 64 samples of 32 x 32 an epoch."""
    return SyntheticSums(
        planted_patches("signal", 64), planted_patches("background", 64), seed=1, amplitude_decades=(-0.3, 0.3)
    )


class TinySums:
    """The smallest data that obey the protocol: 8 x 8 samples from a formula of (epoch, index)."""

    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def batch(self, epoch: int, indices: Sequence[int]) -> dict[str, np.ndarray]:
        rngs = [np.random.default_rng([epoch, i]) for i in indices]
        signal = np.stack([r.random((1, 8, 8)) for r in rngs]).astype(np.float32) / 2
        background = np.stack([r.random((1, 8, 8)) < 0.2 for r in rngs]).astype(np.float32) / 2
        return {
            "measured": signal + background, "signal": signal, "background": background, "valid": np.ones_like(signal),
        }  # fmt: skip


@pytest.fixture
def tiny_sums() -> type[TinySums]:
    return TinySums
