"""The rectified linear unit."""

from __future__ import annotations

import numpy as np

from napari_bgremove.numpy_network.arrays import Array

__all__ = ["backward_relu", "forward_relu"]


def forward_relu(x: Array) -> tuple[Array, Array]:
    """Return max(x, 0), and it once more as the memory."""
    y = np.maximum(x, 0)
    return y, y


def backward_relu(g: Array, y: Array) -> Array:
    """Return the gradient with respect to x: g where y > 0, zero elsewhere."""
    return np.asarray(g * (y > 0))
