"""Convolution over the samples of a signal, with one kernel for all signals or with one for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_bgremove._validation import describe_shape
from napari_bgremove.numpy_network.arrays import Array

__all__ = ["ConvolutionMemory", "backward_convolution", "forward_convolution"]


class ConvolutionMemory(NamedTuple):
    """What the backward pass needs: what every output sample saw, (B, C K, L'), and the kernel."""

    seen: Array
    kernel: Array
    length: int
    padding: int


def forward_convolution(x: Array, kernel: Array, bias: Array, *, padding: int = 0) -> tuple[Array, ConvolutionMemory]:
    """Correlate maps with a kernel: y[b,o,t] = bias[o] + sum over c, k of kernel[o,c,k] x[b,c,t+k-padding].

    Parameters
    ----------
    x : ndarray
        Maps (B, C, L); beyond their ends they are zero. Not modified.
    kernel : ndarray
        (O, C, K), or (B, O, C, K) with one kernel for each signal.
    bias : ndarray
        (O,).
    padding : int
        Zeros on either side.

    Returns
    -------
    y : ndarray
        (B, O, L + 2 padding - K + 1).
    memory : ConvolutionMemory

    Raises
    ------
    ValueError
        When maps and kernel do not fit, or the signal is shorter than the kernel.
    """
    batch, channels, length = x.shape
    taps = kernel.shape[-1]
    if kernel.shape[-2] != channels or kernel.shape[:-3] not in ((), (batch,)):
        msg = f"'kernel' ({describe_shape(kernel.shape)}) must fit maps of {batch} x {channels} channels."
        raise ValueError(msg)
    outputs = length + 2 * padding - taps + 1
    if outputs < 1:
        msg = f"'x' must be as long as the kernel; found {length} samples, {padding} zeros each side, {taps} taps."
        raise ValueError(msg)
    seen = np.empty((batch, channels, taps, outputs), x.dtype)
    for tap, (here, there) in enumerate(_overlaps(length, outputs, taps, padding)):
        seen[:, :, tap, there] = x[:, :, here]
        seen[:, :, tap, : there.start] = 0
        seen[:, :, tap, there.stop :] = 0
    seen = seen.reshape(batch, channels * taps, outputs)
    # One matrix product per signal: the fast way through BLAS, and the same for one kernel and for many.
    y = np.matmul(_as_matrix(kernel), seen)
    y += bias[:, None]
    return y, ConvolutionMemory(seen, kernel, length, padding)


def backward_convolution(g: Array, memory: ConvolutionMemory) -> tuple[Array, Array, Array]:
    """Return the gradients with respect to x, kernel and bias, each in the shape of what it belongs to."""
    seen, kernel, length, padding = memory
    channels, taps = kernel.shape[-2:]
    by_signal = np.matmul(g, seen.swapaxes(-1, -2))
    by_kernel = by_signal if kernel.ndim == 4 else by_signal.sum(axis=0)
    by_seen = np.matmul(_as_matrix(kernel).swapaxes(-1, -2), g).reshape(len(g), channels, taps, -1)
    by_x = np.zeros((len(g), channels, length), g.dtype)
    for tap, (here, there) in enumerate(_overlaps(length, g.shape[-1], taps, padding)):
        by_x[:, :, here] += by_seen[:, :, tap, there]
    return by_x, by_kernel.reshape(kernel.shape), g.sum(axis=(0, 2))


def _as_matrix(kernel: Array) -> Array:
    return kernel.reshape(*kernel.shape[:-2], -1)


def _overlaps(length: int, outputs: int, taps: int, padding: int) -> list[tuple[slice, slice]]:
    """For each tap, which inputs meet which outputs: input = output + tap - padding, both within their range."""
    shifts = [tap - padding for tap in range(taps)]
    first = [min(max(0, -shift), outputs) for shift in shifts]
    last = [max(start, min(outputs, length - shift)) for start, shift in zip(first, shifts, strict=True)]
    return [(slice(a + s, b + s), slice(a, b)) for a, b, s in zip(first, last, shifts, strict=True)]
