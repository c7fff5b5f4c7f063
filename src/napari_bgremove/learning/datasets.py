"""Training samples that depend only on (seed, epoch, index).

No random state travels along: any sample can be made at any time by anyone.
That is what makes a run resume bit for bit, in the middle of an epoch, and
what lets two processes share an epoch without seeing the same sample twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.pairs import TrainingPair, combine_patches
from napari_bgremove.images.patch_set import PatchSet

__all__ = ["Dataset", "SyntheticSums"]

Batch = dict[str, NDArray[Any]]


class Dataset(Protocol):
    """What the training loop needs to know of its data."""

    def __len__(self) -> int:
        """Return the number of samples of one epoch."""
        ...

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return the samples with these indices of that epoch, stacked."""
        ...


@dataclass(frozen=True)
class SyntheticSums:
    """Pairs of a signal patch and a freshly drawn background patch, summed.

    Attributes
    ----------
    signal, background : PatchSet
    seed : int
    amplitude_decades : tuple of float
        The signal is multiplied by 10^u, u uniform in this range.
    hit_free_share : float
        Share of samples without any background, so that the network learns
        to do nothing.
    samples : int, optional
        Samples of one epoch; by default one per signal patch.
    percentiles, normalization
        As in `combine_patches`.
    rot90 : bool
        Turn each pair by a random multiple of 90 degrees: the control
        experiment for a network that is not equivariant.
    fixed : bool
        True draws the same samples in every epoch (validation).
    """

    signal: PatchSet
    background: PatchSet
    seed: int = 0
    amplitude_decades: tuple[float, float] = (-1.0, 1.0)
    hit_free_share: float = 0.1
    samples: int | None = None
    percentiles: tuple[float, float] = (1.0, 99.95)
    normalization: str = "conserving"
    rot90: bool = False
    fixed: bool = False

    def __len__(self) -> int:
        return self.samples or len(self.signal)

    def pair(self, epoch: int, index: int) -> TrainingPair:
        """Return one sample; the same arguments give the same sample."""
        rng = np.random.default_rng([self.seed, 0 if self.fixed else epoch, index])
        signal = self.signal.patches[self._signal_index(epoch, index)]
        signal = signal * np.float32(10 ** rng.uniform(*self.amplitude_decades))
        background = self.background.patches[rng.integers(len(self.background))]
        if rng.random() < self.hit_free_share:
            background = np.zeros_like(signal)
        if self.rot90:
            turns = int(rng.integers(4))
            signal, background = np.rot90(signal, turns), np.rot90(background, turns)
        return combine_patches(signal, background, percentiles=self.percentiles, normalization=self.normalization)

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return measured, signal, background and valid, each (B, 1, H, W) float32."""
        pairs = [self.pair(epoch, i) for i in indices]
        names = ("measured", "signal", "background", "valid")
        return {name: np.stack([getattr(p, name) for p in pairs])[:, None].astype(np.float32) for name in names}

    def _signal_index(self, epoch: int, index: int) -> int:
        # Every signal patch once before any comes twice, in a new order each round.
        total = epoch * len(self) + index if not self.fixed else index
        round_, position = divmod(total, len(self.signal))
        order = np.random.default_rng([self.seed, 1 << 30, round_]).permutation(len(self.signal))
        return int(order[position])
