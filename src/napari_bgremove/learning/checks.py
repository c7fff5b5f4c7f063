"""Quick looks at a network: how fast it would learn, and whether it turns with its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.learning.networks import AdditiveNetwork
from napari_bgremove.learning.training import Objective, StepDone, Training, TrainOptions

__all__ = ["compare_turned", "measure_equivariance", "measure_training_speed"]


@dataclass(frozen=True)
class _Pattern:
    """Samples for timing alone: a slope with points on it."""

    samples: int
    patch: int

    def __len__(self) -> int:
        return self.samples

    def batch(self, epoch: int, indices: Sequence[int]) -> dict[str, NDArray[np.float32]]:
        rng = np.random.default_rng(epoch)
        shape = (len(indices), 1, self.patch, self.patch)
        signal = np.broadcast_to(np.linspace(0, 0.5, self.patch, dtype=np.float32), shape).copy()
        background = np.where(rng.random(shape) < 0.05, np.float32(0.5), np.float32(0))
        return {
            "measured": signal + background,
            "signal": signal,
            "background": background,
            "valid": np.ones(shape, np.float32),
        }


def measure_training_speed(
    network: AdditiveNetwork, objective: Objective, options: TrainOptions, *, patch: int, device: torch.device
) -> float:
    """Time training steps on made-up samples and return seconds per step; the first step only warms up."""
    samples = _Pattern(3 * options.batch_size, patch)
    training = Training(network, objective, samples, None, replace(options, epochs=1), device=device)
    speeds = [done.samples_per_second for done in training.run() if isinstance(done, StepDone)]
    return options.batch_size / speeds[-1]


def measure_equivariance(
    network: AdditiveNetwork, image: NDArray[np.float32] | None = None, *, side: int = 128
) -> float:
    """Turn, predict and compare, on the CPU in the precision of the network.

    Parameters
    ----------
    network : AdditiveNetwork
    image : ndarray, shape (rows, columns), optional
        Its middle is taken, NaN as its smallest value; without it a pattern.
    side : int
        Side of the square that is turned, a multiple of 8.

    Returns
    -------
    float
        The largest difference of latents and outputs over three quarter turns,
        relative to the largest latent. About 1e-6 for a C4 network; a plain
        one gives 0.01 and more.
    """
    tile = _middle(image, side) if image is not None and min(image.shape) >= side else None
    if tile is None:
        tile = np.random.default_rng(0).random((side, side)).astype(np.float32) ** 8
    return compare_turned(network.cpu().eval(), torch.from_numpy(tile.copy())[None, None])


@torch.inference_mode()
def compare_turned(network: AdditiveNetwork, x: Tensor) -> float:
    """Return what `measure_equivariance` returns, for a batch (B, 1, H, W) that the network takes as it is."""
    straight = (network.latents(x), *network(x))
    worst = 0.0
    for quarters in (1, 2, 3):
        turned = torch.rot90(x, quarters, (2, 3))
        for part, other in zip(straight, (network.latents(turned), *network(turned)), strict=True):
            worst = max(worst, float((torch.rot90(part, quarters, (2, 3)) - other).abs().max()))
    return worst / max(float(straight[0].abs().max()), 1e-12)


def _middle(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    row, column = ((n - side) // 2 for n in image.shape)
    tile = image[row : row + side, column : column + side]
    usable = np.isfinite(tile)
    filled = np.where(usable, tile, tile[usable].min() if usable.any() else 0).astype(np.float32)
    return measure_percentile_range(filled).apply(filled)
