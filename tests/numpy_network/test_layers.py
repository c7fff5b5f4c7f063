"""Laws that every layer obeys, its gradients against differences, and its numbers against torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_bgremove.numpy_network.convolution import backward_convolution, forward_convolution
from napari_bgremove.numpy_network.normalization import backward_norm, forward_norm
from napari_bgremove.numpy_network.pooling import (
    backward_adaptive_max,
    backward_average_pool,
    backward_max_pool,
    forward_adaptive_max,
    forward_average_pool,
    forward_max_pool,
)
from napari_bgremove.numpy_network.rectifier import backward_relu, forward_relu
from napari_bgremove.numpy_network.shrinkage import (
    backward_adaptive_shrinkage,
    backward_learnt_shrinkage,
    forward_adaptive_shrinkage,
    forward_learnt_shrinkage,
)
from napari_bgremove.numpy_network.upsampling import backward_upsample, forward_upsample
from napari_bgremove.numpy_network.wiener import backward_wiener, forward_wiener

CHANNELS = 4
SHAPES = [(3, CHANNELS, 20), (1, CHANNELS, 17)]


@dataclass(frozen=True)
class Layer:
    """One layer, what it learns besides, and the same in torch; `constants` get no gradient."""

    name: str
    forward: Callable[..., tuple[np.ndarray, Any]]
    backward: Callable[..., Any]
    in_torch: Callable[..., torch.Tensor]
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    mixes_signals: bool = False

    def make(self, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
        rng = np.random.default_rng(seed)
        sizes = [tuple(shape[0] if n == -1 else n for n in size) for size in self.weights.values()]
        return rng.normal(0.2, 1.5, shape), [rng.normal(0.3, 1, size) for size in sizes]

    def run(self, x: np.ndarray, weights: list[np.ndarray]) -> tuple[np.ndarray, Any]:
        return self.forward(x, *weights, **{name: value.astype(x.dtype) for name, value in self.constants.items()})

    def gradients(self, g: np.ndarray, memory: Any) -> list[np.ndarray]:
        found = self.backward(g, memory)
        return list(found) if isinstance(found, tuple) else [found]

    def run_torch(self, x: np.ndarray, weights: list[np.ndarray], g: np.ndarray) -> list[np.ndarray]:
        """The result and the gradients."""
        tensors = [torch.from_numpy(value.copy()).requires_grad_() for value in (x, *weights)]
        y = self.in_torch(*tensors, **{n: torch.from_numpy(v.astype(x.dtype)) for n, v in self.constants.items()})
        y.backward(torch.from_numpy(g))
        # A hard threshold has no slope, and torch says so with None.
        slopes = [torch.zeros_like(t) if t.grad is None else t.grad for t in tensors]
        return [value.detach().numpy() for value in (y, *slopes)]


def _convolve_each(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    batch, _, length = x.shape
    folded = functional.conv1d(x.reshape(1, -1, length), kernel.flatten(0, 1), padding=1, groups=batch)
    return folded.reshape(batch, -1, length) + bias[:, None]


def _batch_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, training: bool, **running: torch.Tensor
) -> torch.Tensor:
    return functional.batch_norm(x, weight=weight, bias=bias, training=training, **running)


def _local_in_torch(x: torch.Tensor, window: int) -> tuple[torch.Tensor, torch.Tensor]:
    mean = functional.avg_pool1d(x, window, 1, window // 2)
    return mean, functional.avg_pool1d(x**2, window, 1, window // 2) - mean**2


def _wiener_in_torch(x: torch.Tensor, window: int, noise: float | None = None) -> torch.Tensor:
    mean, variance = _local_in_torch(x, window)
    level = variance.mean(-1, keepdim=True) if noise is None else torch.full_like(variance[..., :1], noise)
    return torch.where(variance >= level, mean + (1 - level / variance) * (x - mean), mean)


def _shrink_in_torch(x: torch.Tensor, weight: torch.Tensor, penalty: str) -> torch.Tensor:
    size = x.abs()
    if penalty == "soft":
        return x.sign() * functional.relu(size - weight)
    if penalty == "hard":
        return torch.where(size > (2 * weight.detach()).sqrt(), x, 0)
    if penalty == "firm":
        return x.sign() * torch.minimum(functional.relu(size - weight) / (1 - 0.4), size)
    # Xu et al. 2012, whose quadratic term has no factor 1/2: lambda = 2 weight.
    strength = 2 * weight
    above = size > 54 ** (1 / 3) / 4 * strength ** (2 / 3)
    angle = torch.arccos(strength / 8 * (torch.where(above, size, 1e9 * strength + 1) / 3) ** -1.5)
    return torch.where(above, 2 / 3 * x * (1 + torch.cos(2 * torch.pi / 3 - 2 / 3 * angle)), 0)


def _learnt_in_torch(x: torch.Tensor, theta: torch.Tensor, penalty: str) -> torch.Tensor:
    return _shrink_in_torch(x, functional.softplus(theta)[:, None], penalty)


def _adaptive_in_torch(x: torch.Tensor, penalty: str) -> torch.Tensor:
    _, variance = _local_in_torch(x, 5)
    noise = variance.mean(-1, keepdim=True)
    excess = torch.maximum(variance - noise, 1e-12 * noise)
    return _shrink_in_torch(x, noise / excess.sqrt(), penalty)


_CHANNEL = {"weight": (CHANNELS,), "bias": (CHANNELS,)}
_RUNNING = {"running_mean": np.linspace(-1, 1, CHANNELS), "running_var": np.linspace(0.5, 2, CHANNELS)}
PENALTIES = ("soft", "half", "hard", "firm")

LAYERS = [
    Layer(
        "convolution",
        partial(forward_convolution, padding=1),
        backward_convolution,
        partial(functional.conv1d, padding=1),
        {"kernel": (5, CHANNELS, 3), "bias": (5,)},
    ),
    Layer(
        "convolution, four taps, no padding",
        forward_convolution,
        backward_convolution,
        functional.conv1d,
        {"kernel": (2, CHANNELS, 4), "bias": (2,)},
    ),
    Layer(
        "convolution, wide padding",
        partial(forward_convolution, padding=5),
        backward_convolution,
        partial(functional.conv1d, padding=5),
        {"kernel": (2, CHANNELS, 3), "bias": (2,)},
    ),
    Layer(
        "convolution, a kernel each",
        partial(forward_convolution, padding=1),
        backward_convolution,
        _convolve_each,
        {"kernel": (-1, 5, CHANNELS, 3), "bias": (5,)},
    ),
    *(
        Layer(
            f"norm, {norm}",
            partial(forward_norm, norm=norm),
            backward_norm,
            partial(_batch_norm, training=norm == "batch"),
            _CHANNEL,
            _RUNNING,
            mixes_signals=norm == "batch",
        )
        for norm in ("fixed", "batch")
    ),
    Layer(
        "norm, signal",
        partial(forward_norm, norm="signal"),
        backward_norm,
        lambda x, weight, bias, **running: functional.instance_norm(x, weight=weight, bias=bias),
        _CHANNEL,
        _RUNNING,
    ),
    Layer("relu", forward_relu, backward_relu, functional.relu),
    *(
        Layer(
            f"max pool of {size}",
            partial(forward_max_pool, size=size),
            backward_max_pool,
            partial(functional.max_pool1d, kernel_size=size),
        )
        for size in (2, 3)
    ),
    *(
        Layer(
            f"average pool of {size}",
            partial(forward_average_pool, size=size),
            backward_average_pool,
            partial(functional.avg_pool1d, kernel_size=size),
        )
        for size in (2, 3)
    ),
    *(
        Layer(
            f"adaptive max into {outputs}",
            partial(forward_adaptive_max, outputs=outputs),
            backward_adaptive_max,
            partial(functional.adaptive_max_pool1d, output_size=outputs),
        )
        for outputs in (1, 3, 23)
    ),
    Layer(
        "upsampling",
        lambda x: (forward_upsample(x), None),
        lambda g, _: backward_upsample(g),
        partial(functional.interpolate, scale_factor=2, mode="linear", align_corners=True),
    ),
    *(
        Layer(
            f"Wiener, {window} samples, noise {noise or 'measured'}",
            partial(forward_wiener, window=window, noise=noise),
            backward_wiener,
            partial(_wiener_in_torch, window=window, noise=noise),
        )
        for window, noise in ((3, None), (5, None), (5, 1.2))
    ),
    *(
        Layer(
            f"{penalty} shrinkage, learnt",
            partial(forward_learnt_shrinkage, penalty=penalty, gamma=0.4),
            backward_learnt_shrinkage,
            partial(_learnt_in_torch, penalty=penalty),
            {"theta": (CHANNELS,)},
        )
        for penalty in PENALTIES
    ),
    *(
        Layer(
            f"{penalty} shrinkage, adaptive",
            partial(forward_adaptive_shrinkage, window=5, penalty=penalty, gamma=0.4),
            backward_adaptive_shrinkage,
            partial(_adaptive_in_torch, penalty=penalty),
        )
        for penalty in PENALTIES
    ),
]
every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def _same(ours: np.ndarray, theirs: np.ndarray, dtype: type) -> None:
    assert ours.dtype == dtype
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs).max()
    assert difference <= (1e-10 if dtype is np.float64 else 1e-5 * max(np.abs(theirs).max(), 1))


# Laws.


@every_layer
@every_shape
def test_forward_and_backward_change_nothing_and_are_repeatable(layer: Layer, shape: tuple[int, ...]) -> None:
    x, weights = layer.make(shape)
    y, memory = layer.run(x, weights)
    g = np.random.default_rng(1).normal(size=y.shape)
    given = [value.copy() for value in (x, *weights, g, y)]
    first = layer.gradients(g, memory)
    second = layer.gradients(g, layer.run(x, weights)[1])
    again = layer.gradients(g, memory)  # the memory is none the worse for having been used
    for one, two, three in zip(first, second, again, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    for before, after in zip(given, (x, *weights, g, layer.run(x, weights)[0]), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("layer", [one for one in LAYERS if not one.mixes_signals], ids=lambda layer: layer.name)
def test_a_batch_is_its_signals_one_by_one(layer: Layer) -> None:
    x, weights = layer.make((3, CHANNELS, 19))
    whole = layer.run(x, weights)[0]
    for i in range(3):
        sizes = layer.weights.values()
        alone = [value[i : i + 1] if size[0] == -1 else value for value, size in zip(weights, sizes, strict=True)]
        np.testing.assert_allclose(layer.run(x[i : i + 1], alone)[0], whole[i : i + 1], rtol=1e-13, atol=1e-13)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_no_block_of_memory_give_the_same(layer: Layer, dtype: type) -> None:
    x, weights = layer.make((3, CHANNELS, 20))
    x = x.astype(dtype)
    weights = [value.astype(dtype) for value in weights]
    straight = layer.run(x, weights)
    strided = layer.run(np.asfortranarray(x), [np.asfortranarray(value) for value in weights])
    np.testing.assert_allclose(strided[0], straight[0], rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-6)


# Gradients.


@every_layer
@every_shape
def test_gradients_are_those_of_differences(layer: Layer, shape: tuple[int, ...], measure_slopes: Any) -> None:
    x, weights = layer.make(shape)
    y, memory = layer.run(x, weights)
    probe = np.random.default_rng(1).normal(size=y.shape)
    values = [x, *weights]
    for place, (value, gradient) in enumerate(zip(values, layer.gradients(probe, memory), strict=True)):

        def against(changed: np.ndarray, place: int = place) -> float:
            at = [*values[:place], changed, *values[place + 1 :]]
            return float(np.sum(probe * layer.run(at[0], at[1:])[0]))

        slopes = measure_slopes(against, value)
        assert np.abs(gradient - slopes).max() <= 1e-6 * max(np.abs(slopes).max(), 1)


# torch.


@every_layer
@every_shape
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_and_gradients_are_those_of_torch(layer: Layer, shape: tuple[int, ...], dtype: type) -> None:
    x, weights = layer.make(shape)
    x, weights = x.astype(dtype), [value.astype(dtype) for value in weights]
    y, memory = layer.run(x, weights)
    g = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    for ours, theirs in zip([y, *layer.gradients(g, memory)], layer.run_torch(x, weights, g), strict=True):
        _same(ours, theirs, dtype)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_the_shortest_signals_are_upsampled_as_in_torch(length: int) -> None:
    layer = next(one for one in LAYERS if one.name == "upsampling")
    x = np.random.default_rng(0).normal(size=(2, 3, length))
    g = np.random.default_rng(1).normal(size=(2, 3, 2 * length))
    y, by_x = layer.run_torch(x, [], g)
    _same(forward_upsample(x), y, np.float64)
    _same(backward_upsample(g), by_x, np.float64)


@pytest.mark.parametrize("layer", [one for one in LAYERS if "max" in one.name], ids=lambda layer: layer.name)
def test_of_equals_the_first_gets_the_gradient_as_in_torch(layer: Layer) -> None:
    x = np.random.default_rng(0).integers(0, 3, (3, CHANNELS, 17)).astype(np.float64)
    y, memory = layer.run(x, [])
    g = np.random.default_rng(1).normal(size=y.shape)
    _same(layer.gradients(g, memory)[0], layer.run_torch(x, [], g)[1], np.float64)
