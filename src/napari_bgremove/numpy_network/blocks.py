"""What the network is made of: two convolutions in a row, such a pair further down, further up, and an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from napari_bgremove.numpy_network.arrays import Array, Weights
from napari_bgremove.numpy_network.convolution import ConvolutionMemory, backward_convolution, forward_convolution
from napari_bgremove.numpy_network.normalization import NormMemory, backward_norm, forward_norm, update_running
from napari_bgremove.numpy_network.pooling import MaxMemory, backward_max_pool, forward_max_pool
from napari_bgremove.numpy_network.rectifier import backward_relu, forward_relu
from napari_bgremove.numpy_network.shrinkage import (
    AdaptiveShrinkageMemory,
    LearntShrinkageMemory,
    backward_adaptive_shrinkage,
    backward_learnt_shrinkage,
    forward_adaptive_shrinkage,
    forward_learnt_shrinkage,
)
from napari_bgremove.numpy_network.spec import NormMode, PriorGuidedSpec
from napari_bgremove.numpy_network.upsampling import backward_upsample, forward_upsample
from napari_bgremove.numpy_network.weights import ENCODER, KERNEL

__all__ = [
    "DownMemory",
    "EncoderMemory",
    "Gradients",
    "PairMemory",
    "UpMemory",
    "backward_down",
    "backward_encoder",
    "backward_pair",
    "backward_up",
    "forward_down",
    "forward_encoder",
    "forward_pair",
    "forward_up",
    "list_statistics",
]

#: Gradients by the names of the weights they belong to.
Gradients: TypeAlias = dict[str, Array]

_ActivationMemory: TypeAlias = Array | LearntShrinkageMemory | AdaptiveShrinkageMemory


class LayerMemory(NamedTuple):
    """Of convolution, normalization (if any) and activation number `number` of a block."""

    block: str
    number: int
    convolution: ConvolutionMemory
    norm: NormMemory | None
    activation: _ActivationMemory


PairMemory: TypeAlias = tuple[LayerMemory, LayerMemory]
DownMemory: TypeAlias = tuple[MaxMemory, PairMemory]
EncoderMemory: TypeAlias = tuple[PairMemory, list[DownMemory]]


class UpMemory(NamedTuple):
    """How many channels came from the skip, where the samples from below lie, and the pair above."""

    skipped: int
    place: slice
    pair: PairMemory


def forward_pair(
    x: Array, weights: Weights, block: str, spec: PriorGuidedSpec, norm: NormMode, *, kernel: Array | None = None
) -> tuple[Array, PairMemory]:
    """Convolve, normalize and activate twice; `kernel` takes the place of the first kernel among the weights."""
    y, first = _forward_layer(x, weights, block, 1, spec, norm, kernel)
    y, second = _forward_layer(y, weights, block, 2, spec, norm, None)
    return y, (first, second)


def backward_pair(g: Array, memory: PairMemory) -> tuple[Array, Gradients]:
    """Return the gradient with respect to x, and those of the weights; of a kernel that was given, under its name."""
    first, second = memory
    g, of_second = _backward_layer(g, second)
    g, of_first = _backward_layer(g, first)
    return g, {**of_first, **of_second}


def forward_down(
    x: Array, weights: Weights, block: str, spec: PriorGuidedSpec, norm: NormMode, *, kernel: Array | None = None
) -> tuple[Array, DownMemory]:
    """Halve the resolution, keeping the larger of two samples, then `forward_pair`."""
    pooled, pool = forward_max_pool(x)
    y, pair = forward_pair(pooled, weights, block, spec, norm, kernel=kernel)
    return y, (pool, pair)


def backward_down(g: Array, memory: DownMemory) -> tuple[Array, Gradients]:
    """Return the gradients with respect to x and the weights."""
    pool, pair = memory
    g, gradients = backward_pair(g, pair)
    return backward_max_pool(g, pool), gradients


def forward_up(
    x: Array, skip: Array, weights: Weights, block: str, spec: PriorGuidedSpec, norm: NormMode
) -> tuple[Array, UpMemory]:
    """Double the resolution, put the result behind the channels of the skip, then `forward_pair`.

    Where the skip has one sample more (an odd length lost it in the pooling), the last one from below is zero.
    """
    batch, skipped, length = skip.shape
    doubled = forward_upsample(x)
    start = (length - doubled.shape[-1]) // 2
    place = slice(start, start + doubled.shape[-1])
    joined = np.zeros((batch, skipped + x.shape[1], length), x.dtype)
    joined[:, :skipped] = skip
    joined[:, skipped:, place] = doubled
    y, pair = forward_pair(joined, weights, block, spec, norm)
    return y, UpMemory(skipped, place, pair)


def backward_up(g: Array, memory: UpMemory) -> tuple[Array, Array, Gradients]:
    """Return the gradients with respect to x, the skip, and the weights."""
    skipped, place, pair = memory
    g, gradients = backward_pair(g, pair)
    return backward_upsample(g[:, skipped:, place]), g[:, :skipped], gradients


def forward_encoder(
    x: Array, weights: Weights, prefix: str, spec: PriorGuidedSpec, norm: NormMode
) -> tuple[list[Array], EncoderMemory]:
    """Return the maps at the resolutions L, L/2, L/4 and L/8."""
    first, top = forward_pair(x, weights, prefix + ENCODER[0], spec, norm)
    maps, downs = [first], []
    for name in ENCODER[1:]:
        y, memory = forward_down(maps[-1], weights, prefix + name, spec, norm)
        maps.append(y)
        downs.append(memory)
    return maps, (top, downs)


def backward_encoder(by_maps: Sequence[Array | float], memory: EncoderMemory) -> Gradients:
    """Return the gradients of the weights, for one of each map, finest first; 0 where nothing else saw it.

    There is none with respect to what went in: it is data.
    """
    top, downs = memory
    *by_finer, g = by_maps
    gradients: Gradients = {}
    for by_map, down in zip(reversed(by_finer), reversed(downs), strict=True):
        g, of_block = backward_down(np.asarray(g), down)
        gradients |= of_block
        g = g + by_map
    return gradients | backward_pair(np.asarray(g), top)[1]


def list_statistics(weights: Weights, pairs: Iterable[PairMemory]) -> dict[str, Array]:
    """Return what the running statistics become after the batch that `pairs` remember."""
    updates: dict[str, Array] = {}
    for layer in (layer for pair in pairs for layer in pair):
        if layer.norm is None:
            continue
        name = f"{layer.block}.norm{layer.number}"
        mean, variance = update_running(layer.norm, weights[f"{name}.running_mean"], weights[f"{name}.running_var"])
        tracked = np.asarray(weights[f"{name}.num_batches_tracked"] + 1)
        updates |= {
            f"{name}.running_mean": mean, f"{name}.running_var": variance, f"{name}.num_batches_tracked": tracked
        }  # fmt: skip
    return updates


def _forward_layer(
    x: Array, weights: Weights, block: str, number: int, spec: PriorGuidedSpec, norm: NormMode, kernel: Array | None
) -> tuple[Array, LayerMemory]:
    conv = f"{block}.conv{number}"
    kernel = weights[f"{conv}.weight"] if kernel is None else kernel
    y, convolution = forward_convolution(x, kernel, weights[f"{conv}.bias"], padding=KERNEL // 2)
    normalization = None
    if spec.normalized:
        names = ("weight", "bias", "running_mean", "running_var")
        y, normalization = forward_norm(y, *(weights[f"{block}.norm{number}.{name}"] for name in names), norm=norm)
    y, activation = _activate(y, weights, f"{block}.shrink{number}.theta", spec)
    return y, LayerMemory(block, number, convolution, normalization, activation)


def _backward_layer(g: Array, memory: LayerMemory) -> tuple[Array, Gradients]:
    block, number, convolution, normalization, activation = memory
    gradients: Gradients = {}
    if isinstance(activation, LearntShrinkageMemory):
        g, by_theta = backward_learnt_shrinkage(g, activation)
        # A hard threshold has no slope: none, not one of zero, or weight decay would move it.
        if activation.shrinkage.penalty != "hard":
            gradients[f"{block}.shrink{number}.theta"] = by_theta
    elif isinstance(activation, AdaptiveShrinkageMemory):
        g = backward_adaptive_shrinkage(g, activation)
    else:
        g = backward_relu(g, activation)
    if normalization is not None:
        norm = f"{block}.norm{number}"
        g, gradients[f"{norm}.weight"], gradients[f"{norm}.bias"] = backward_norm(g, normalization)
    conv = f"{block}.conv{number}"
    g, gradients[f"{conv}.weight"], gradients[f"{conv}.bias"] = backward_convolution(g, convolution)
    return g, gradients


def _activate(x: Array, weights: Weights, theta: str, spec: PriorGuidedSpec) -> tuple[Array, _ActivationMemory]:
    if spec.activation == "relu":
        return forward_relu(x)
    penalty, gamma = spec.activation, spec.firm_gamma
    if spec.threshold == "learnt":
        return forward_learnt_shrinkage(x, weights[theta], penalty=penalty, gamma=gamma)
    return forward_adaptive_shrinkage(x, window=spec.wiener_window, penalty=penalty, gamma=gamma)
