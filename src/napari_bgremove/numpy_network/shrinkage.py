"""Shrinkage as a layer: the proximal maps of `filters.shrinkage` with their gradients.

With z = BN(x) the layer gives u* = argmin_u 1/2 |u - z|^2 + Lambda |u|^p, the
well-posed reading of the paper's "batch normalization layer with sparse
regularization". It stands where the ReLU would stand: a soft threshold followed
by a ReLU is ReLU(z - Lambda), another beta of the batch normalization.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_bgremove.filters.shrinkage import Penalty, shrink
from napari_bgremove.numpy_network.arrays import Array
from napari_bgremove.numpy_network.wiener import backward_local, measure_local

__all__ = [
    "LOWEST_EXCESS",
    "AdaptiveShrinkageMemory",
    "LearntShrinkageMemory",
    "ShrinkageMemory",
    "backward_adaptive_shrinkage",
    "backward_learnt_shrinkage",
    "backward_shrinkage",
    "forward_adaptive_shrinkage",
    "forward_learnt_shrinkage",
    "forward_shrinkage",
]

#: Share of the noise that a variance exceeds it by at least: where there is noise alone, Lambda is huge but finite.
LOWEST_EXCESS = 1e-12


class ShrinkageMemory(NamedTuple):
    """What went in, what came out, and how strongly it was shrunk."""

    x: Array
    y: Array
    weight: Array
    penalty: Penalty
    gamma: float


class LearntShrinkageMemory(NamedTuple):
    """A shrinkage and the theta of its weights."""

    shrinkage: ShrinkageMemory
    theta: Array


class AdaptiveShrinkageMemory(NamedTuple):
    """A shrinkage and the local statistics of its weights."""

    shrinkage: ShrinkageMemory
    mean: Array
    noise: Array
    excess: Array
    window: int


def forward_shrinkage(
    x: Array, weight: Array, *, penalty: Penalty, gamma: float = 0.5
) -> tuple[Array, ShrinkageMemory]:
    """Return the proximal map of weight |u|^p at x, as `filters.shrinkage.shrink`; weight broadcasts against x.

    Raises
    ------
    ValueError
        As `filters.shrinkage.shrink`.
    """
    y = shrink(x, weight, penalty=penalty, gamma=gamma)
    return y, ShrinkageMemory(x, y, weight, penalty, gamma)


def backward_shrinkage(g: Array, memory: ShrinkageMemory) -> tuple[Array, Array]:
    """Return the gradients with respect to x and, in the shape of x, to the weight.

    Zero where the result is zero. Elsewhere, with m = |u|: soft dm = d|x| -
    dweight; hard dm = d|x|; firm dm = (d|x| - dweight) / (1 - gamma) between
    the knees and d|x| beyond; half by differentiating what its minimum
    obeys, m - |x| + weight / (2 sqrt m) = 0.
    """
    by_magnitude, by_weight = _slopes(memory)
    return g * by_magnitude, g * np.sign(memory.x) * by_weight


def forward_learnt_shrinkage(
    x: Array, theta: Array, *, penalty: Penalty, gamma: float = 0.5
) -> tuple[Array, LearntShrinkageMemory]:
    """Shrink maps (B, C, L) by Lambda = softplus(theta) = log(1 + exp(theta)), one theta for each channel."""
    y, shrinkage = forward_shrinkage(x, np.logaddexp(0, theta)[:, None], penalty=penalty, gamma=gamma)
    return y, LearntShrinkageMemory(shrinkage, theta)


def backward_learnt_shrinkage(g: Array, memory: LearntShrinkageMemory) -> tuple[Array, Array]:
    """Return the gradients with respect to x and theta."""
    by_x, by_weight = backward_shrinkage(g, memory.shrinkage)
    # The slope of the softplus is the logistic function, written so that nothing overflows.
    return by_x, by_weight.sum(axis=(0, 2)) * np.exp(-np.logaddexp(0, -memory.theta))


def forward_adaptive_shrinkage(
    x: Array, *, window: int, penalty: Penalty, gamma: float = 0.5
) -> tuple[Array, AdaptiveShrinkageMemory]:
    """Shrink where a map varies little: Lambda = nu / sqrt(max(v - nu, 1e-12 nu, tiny)), as in BayesShrink.

    v is the local variance over `window` samples, zeros beyond the ends, nu its
    mean over the samples of a channel and signal, never below zero, and tiny the
    smallest normal number of the dtype. The gradient flows through v and nu; it
    is steep where v is little above nu, so that in a network of many such layers
    the last digits of gradients, some ten of sixteen, are rounding.

    References
    ----------
    S. G. Chang, B. Yu and M. Vetterli, IEEE Trans. Image Process. 9 (2000) 1532.
    https://doi.org/10.1109/83.862633
    """
    mean, variance = measure_local(x, window=window)
    noise = np.maximum(variance.mean(axis=-1, keepdims=True), 0)
    floor = np.maximum(LOWEST_EXCESS * noise, np.finfo(x.dtype).tiny)
    excess = np.maximum(variance - noise, floor)
    y, shrinkage = forward_shrinkage(x, noise / np.sqrt(excess), penalty=penalty, gamma=gamma)
    return y, AdaptiveShrinkageMemory(shrinkage, mean, noise, excess, window)


def backward_adaptive_shrinkage(g: Array, memory: AdaptiveShrinkageMemory) -> Array:
    """Return the gradient with respect to x.

    Where the excess has its lowest value the result is zero, and so is the
    gradient of the weight: no case of its own is needed.
    """
    shrinkage, mean, noise, excess, window = memory
    by_x, by_weight = backward_shrinkage(g, shrinkage)
    by_noise_alone = by_weight / np.sqrt(excess)
    by_excess = -by_noise_alone * noise / (2 * excess)
    by_noise = (by_noise_alone - by_excess).mean(axis=-1, keepdims=True)
    by_variance = by_excess + by_noise
    by_x += backward_local(np.zeros_like(g), by_variance, shrinkage.x, mean, window=window)
    return by_x


def _slopes(memory: ShrinkageMemory) -> tuple[Array, Array]:
    """Return the derivatives of |u| by |x| and by the weight."""
    x, y, weight, penalty, gamma = memory
    kept = (y != 0).astype(y.dtype)
    if penalty == "soft":
        return kept, -kept
    if penalty == "hard":
        return kept, np.zeros_like(kept)
    if penalty == "firm":
        between = kept * (np.abs(y) < np.abs(x))
        slope = between / (1 - gamma)
        return kept - between + slope, -slope
    # At the jump weight / (4 m^(3/2)) is 1/4 at most; zeros are put out of harm's way.
    magnitude = np.where(y == 0, 1, np.abs(y))
    slope = kept / (1 - np.where(y == 0, 0, weight) / (4 * magnitude**1.5))
    return slope, -slope / (2 * np.sqrt(magnitude))
