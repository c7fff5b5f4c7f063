"""Batch normalization with the statistics of the training, of the batch, or of each signal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_bgremove.errors import ComputeError
from napari_bgremove.numpy_network.arrays import Array
from napari_bgremove.numpy_network.spec import NormMode

__all__ = ["EPSILON", "MOMENTUM", "NormMemory", "backward_norm", "forward_norm", "update_running"]

#: Added to the variance under the root.
EPSILON = 1e-5
#: Weight of the newest batch in the running statistics.
MOMENTUM = 0.1

# The axes that the statistics are taken over.
_AXES: dict[NormMode, tuple[int, ...]] = {"fixed": (), "batch": (0, 2), "signal": (2,)}


class NormMemory(NamedTuple):
    """What the backward pass needs; mean and biased variance broadcast against x."""

    x: Array
    weight: Array
    mean: Array
    variance: Array
    norm: NormMode


def forward_norm(
    x: Array, weight: Array, bias: Array, running_mean: Array, running_var: Array, *, norm: NormMode = "fixed"
) -> tuple[Array, NormMemory]:
    """Bring each channel to a learnt mean and spread: y = weight (x - mean) / sqrt(variance + 1e-5) + bias.

    Parameters
    ----------
    x : ndarray
        Maps (B, C, L). Not modified.
    weight, bias, running_mean, running_var : ndarray
        (C,) each: gamma and beta of the paper, and the statistics learnt in training.
    norm : {"fixed", "batch", "signal"}
        Mean and biased variance are the running ones, those of all signals at
        hand, or those of each signal by itself.

    Returns
    -------
    y : ndarray
        Shape of x.
    memory : NormMemory
        The running statistics are not changed; `update_running` says what they would become.

    Raises
    ------
    ComputeError
        When mean and variance would come from a single value.

    References
    ----------
    S. Ioffe and C. Szegedy, ICML (2015). https://arxiv.org/abs/1502.03167
    """
    mean, variance = _measure(x, running_mean, running_var, norm)
    scale = weight[:, None] / np.sqrt(variance + x.dtype.type(EPSILON))
    y = x * scale
    y += bias[:, None] - mean * scale
    return y, NormMemory(x, weight, mean, variance, norm)


def backward_norm(g: Array, memory: NormMemory) -> tuple[Array, Array, Array]:
    """Return the gradients with respect to x, weight and bias.

    Statistics of the batch or of a signal depend on x: what is constant over
    their samples, and what is proportional to x, does not come through.
    """
    x, weight, mean, variance, norm = memory
    inverse = 1 / np.sqrt(variance + x.dtype.type(EPSILON))
    normalized = (x - mean) * inverse
    along = g * normalized
    by_normalized = g
    if axes := _AXES[norm]:
        by_normalized = g - g.mean(axis=axes, keepdims=True) - normalized * along.mean(axis=axes, keepdims=True)
    return by_normalized * (weight[:, None] * inverse), along.sum(axis=(0, 2)), g.sum(axis=(0, 2))


def update_running(memory: NormMemory, running_mean: Array, running_var: Array) -> tuple[Array, Array]:
    """Return the running statistics after one more batch: 0.9 of the old and 0.1 of its mean and unbiased variance."""
    x, _, mean, variance, norm = memory
    if norm != "batch":
        msg = f"'memory' must be of the statistics of a batch; found {norm!r}."
        raise ValueError(msg)
    values = x.shape[0] * x.shape[2]
    unbiased = variance.ravel() * (values / (values - 1))
    return (
        running_mean + MOMENTUM * (mean.ravel() - running_mean),
        running_var + MOMENTUM * (unbiased - running_var),
    )


def _measure(x: Array, running_mean: Array, running_var: Array, norm: NormMode) -> tuple[Array, Array]:
    if norm == "fixed":
        return running_mean[:, None], running_var[:, None]
    values = x.shape[2] * (x.shape[0] if norm == "batch" else 1)
    if values < 2:
        msg = (
            f"'x' must give two or more values per channel for mean and variance in the mode {norm!r}; "
            f"found {values}. Use longer signals, or the mode 'fixed'."
        )
        raise ComputeError(msg)
    mean = x.mean(axis=_AXES[norm], keepdims=True)
    return mean, np.square(x - mean).mean(axis=_AXES[norm], keepdims=True)
