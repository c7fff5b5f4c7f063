"""Twice as many samples, by straight lines between them."""

from __future__ import annotations

import numpy as np

from napari_bgremove.numpy_network.arrays import Array

__all__ = ["backward_upsample", "forward_upsample"]


def forward_upsample(x: Array) -> Array:
    """Draw 2 L samples evenly from the first to the last of L samples, linearly between them.

    Sample j lies at j (L - 1) / (2 L - 1) of the old ones, so that both ends
    stay what they are (torch: align_corners=True): sample 2i lies i / (2 L - 1)
    before old sample i, sample 2i + 1 as far behind old sample i as 2 (L - 1 - i)
    lies before old sample L - 1 - i. A single sample is repeated. There is no
    memory: the backward pass needs the gradient alone.

    Parameters
    ----------
    x : ndarray
        (..., L). Not modified.

    Returns
    -------
    ndarray
        (..., 2 L).
    """
    length = x.shape[-1]
    step = np.diff(x, axis=-1)
    y = np.repeat(x, 2, axis=-1)
    y[..., 2::2] -= _shares(length, x) * step
    y[..., 1:-1:2] += _shares(length, x)[::-1] * step
    return y


def backward_upsample(g: Array) -> Array:
    """Return the gradient with respect to x, (..., L), for one with respect to the 2 L samples."""
    length = g.shape[-1] // 2
    by_x = g[..., ::2] + g[..., 1::2]
    by_step = _shares(length, g)[::-1] * g[..., 1:-1:2] - _shares(length, g) * g[..., 2::2]
    by_x[..., 1:] += by_step
    by_x[..., :-1] -= by_step
    return by_x


def _shares(length: int, like: Array) -> Array:
    """Return i / (2 L - 1) for the samples i = 1 ... L - 1."""
    return (np.arange(1, length) / (2 * length - 1)).astype(like.dtype)
