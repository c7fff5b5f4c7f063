"""Pooling over neighbouring samples: the largest or the mean, of a fixed number of samples or into a fixed number."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np

from napari_bgremove.numpy_network.arrays import Array

__all__ = [
    "AdaptiveMemory",
    "AverageMemory",
    "MaxMemory",
    "backward_adaptive_max",
    "backward_average_pool",
    "backward_max_pool",
    "forward_adaptive_max",
    "forward_average_pool",
    "forward_max_pool",
]


class MaxMemory(NamedTuple):
    """What was pooled, and how many samples at a time."""

    x: Array
    size: int


class AverageMemory(NamedTuple):
    """How long the maps were, and how many samples became one."""

    length: int
    size: int


class AdaptiveMemory(NamedTuple):
    """What was pooled, and the windows [start, stop)."""

    x: Array
    windows: list[tuple[int, int]]


def forward_max_pool(x: Array, *, size: int = 2) -> tuple[Array, MaxMemory]:
    """Return the largest of every `size` samples; a rest at the end of the last axis is dropped.

    Raises
    ------
    ValueError
        When there are fewer samples than `size`.
    """
    # Sample by sample: numpy is slow along an axis of two.
    return reduce(np.maximum, _taps(x, size)), MaxMemory(x, size)


def backward_max_pool(g: Array, memory: MaxMemory) -> Array:
    """Return the gradient with respect to x: all of it goes to the first of the largest."""
    x, size = memory
    first = np.argmax(np.stack(_taps(x, size), axis=-1), axis=-1)
    return _spread([np.where(first == tap, g, 0) for tap in range(size)], x.shape[-1])


def forward_average_pool(x: Array, *, size: int = 2) -> tuple[Array, AverageMemory]:
    """Return the mean of every `size` samples; a rest at the end of the last axis is dropped.

    Raises
    ------
    ValueError
        When there are fewer samples than `size`.
    """
    return reduce(np.add, _taps(x, size)) / size, AverageMemory(x.shape[-1], size)


def backward_average_pool(g: Array, memory: AverageMemory) -> Array:
    """Return the gradient with respect to x: each sample of a window has the same share."""
    return _spread([g / memory.size] * memory.size, memory.length)


def forward_adaptive_max(x: Array, *, outputs: int) -> tuple[Array, AdaptiveMemory]:
    """Return the largest sample of each of `outputs` windows that cover the last axis.

    Window i of n is [floor(i L / n), ceil((i + 1) L / n)), as in torch:
    neighbours share a sample where n does not divide L, and a signal shorter
    than n repeats its samples.
    """
    length = x.shape[-1]
    windows = [(i * length // outputs, -(-(i + 1) * length // outputs)) for i in range(outputs)]
    return np.stack([x[..., a:b].max(axis=-1) for a, b in windows], axis=-1), AdaptiveMemory(x, windows)


def backward_adaptive_max(g: Array, memory: AdaptiveMemory) -> Array:
    """Return the gradient with respect to x: that of each window goes to the first of its largest samples."""
    x, windows = memory
    by_x = np.zeros(x.shape, g.dtype)
    for i, (start, stop) in enumerate(windows):
        first = x[..., start:stop].argmax(axis=-1)
        by_x[..., start:stop] += (np.arange(stop - start) == first[..., None]) * g[..., i, None]
    return by_x


def _taps(x: Array, size: int) -> list[Array]:
    """Return the first samples of all windows, the second ones, and so on."""
    windows = x.shape[-1] // size
    if windows < 1:
        msg = f"'x' must have {size} or more samples to be pooled; found {x.shape[-1]}."
        raise ValueError(msg)
    return [x[..., tap : windows * size : size] for tap in range(size)]


def _spread(taps: list[Array], length: int) -> Array:
    """Undo `_taps`; the rest at the end is zero."""
    size, windows = len(taps), taps[0].shape[-1]
    whole = np.zeros((*taps[0].shape[:-1], length), taps[0].dtype)
    for tap, values in enumerate(taps):
        whole[..., tap : windows * size : size] = values
    return whole
