"""The prior: what the Wiener filter was for a signal, encoded, modulates the deepest kernel of the network.

The published code wrote the modulated kernel back into the layer in every
forward pass and cut the gradient to the encoder (beta stayed at 1e-6, so the
prior did nothing). Here the modulated kernel is a value like any other: nothing
is written, and the gradient reaches the encoder and beta.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from napari_bgremove.numpy_network.arrays import Array, Weights
from napari_bgremove.numpy_network.blocks import EncoderMemory, Gradients, backward_encoder, forward_encoder
from napari_bgremove.numpy_network.pooling import AdaptiveMemory, backward_adaptive_max, forward_adaptive_max
from napari_bgremove.numpy_network.spec import NormMode, PriorGuidedSpec
from napari_bgremove.numpy_network.weights import KERNEL
from napari_bgremove.numpy_network.wiener import forward_wiener

__all__ = [
    "REGULARIZATION",
    "ModulationMemory",
    "PriorMemory",
    "backward_modulation",
    "backward_prior",
    "estimate_impulse_response",
    "forward_modulation",
    "forward_prior",
]

#: Added to |X|^2 in the division of spectra, in units of its mean.
REGULARIZATION = 1e-6


class PriorMemory(NamedTuple):
    """Of the encoder, and of the pooling to the size of a kernel."""

    encoder: EncoderMemory
    pool: AdaptiveMemory


class ModulationMemory(NamedTuple):
    """What was multiplied; `guidance` has one entry where all signals share one."""

    kernel: Array
    beta: Array
    guidance: Array
    batch: int


def estimate_impulse_response(measured: Array, *, window: int) -> Array:
    """Return h0 = |IFFT(W conj(X) / (|X|^2 + 1e-6 mean |X|^2))|: the linear filter that Wiener's was for each signal.

    X is the spectrum of a signal, W that of its Wiener filtered self. The
    published division W / X is not regularized. In double precision, whatever
    the dtype: where X is small, single precision would not tell W / X.

    Parameters
    ----------
    measured : ndarray
        (B, L). Not modified.
    window : int
        Samples of the local mean and variance, odd.

    Returns
    -------
    ndarray
        (B, L), dtype of `measured`; zero for a signal that is zero.
    """
    precise = measured.astype(np.float64)
    spectrum, filtered = np.fft.rfft(precise), np.fft.rfft(forward_wiener(precise, window=window)[0])
    # The mean of |X|^2 over all frequencies is the sum of x^2 (Parseval).
    power = np.abs(spectrum) ** 2 + REGULARIZATION * np.sum(precise**2, axis=-1, keepdims=True)
    ratio = np.divide(filtered * spectrum.conj(), power, out=np.zeros_like(spectrum), where=power > 0)
    return np.abs(np.fft.irfft(ratio, n=measured.shape[-1])).astype(measured.dtype)


def forward_prior(
    measured: Array, weights: Weights, spec: PriorGuidedSpec, norm: NormMode
) -> tuple[Array, PriorMemory]:
    """Encode the impulse responses of signals (B, L) into their guidance g, (B, 8 width, 3).

    The encoder has the shape of the network's, always with batch normalization
    and ReLU. The largest values of thirds of its deepest map fit a kernel at any
    length; the published pooling by 4 does at 96 to 127 samples only.
    """
    response = estimate_impulse_response(measured, window=spec.wiener_window)
    plain = replace(spec, normalized=True, activation="relu")
    maps, encoder = forward_encoder(response[:, None], weights, "prior.", plain, norm)
    guidance, pool = forward_adaptive_max(maps[-1], outputs=KERNEL)
    return guidance, PriorMemory(encoder, pool)


def backward_prior(g: Array, memory: PriorMemory) -> Gradients:
    """Return the gradients of the encoder's weights; the impulse response is data."""
    return backward_encoder([0.0, 0.0, 0.0, backward_adaptive_max(g, memory.pool)], memory.encoder)


def forward_modulation(kernel: Array, beta: Array, guidance: Array, *, shared: bool) -> tuple[Array, ModulationMemory]:
    """Return K (1 + beta g) for each signal, (B, O, C, 3), or, `shared`, for the mean of g, (O, C, 3).

    Kernel (O, C, 3), guidance (B, O, 3): it is the same for all input channels.
    """
    batch = len(guidance)
    guidance = guidance.mean(axis=0, keepdims=True) if shared else guidance
    modulated = kernel * (1 + beta * guidance)[:, :, None]
    return modulated[0] if shared else modulated, ModulationMemory(kernel, beta, guidance, batch)


def backward_modulation(g: Array, memory: ModulationMemory) -> tuple[Array, Array, Array]:
    """Return the gradients with respect to kernel, beta and guidance."""
    kernel, beta, guidance, batch = memory
    g = g.reshape(-1, *kernel.shape)
    by_kernel = np.sum(g * (1 + beta * guidance)[:, :, None], axis=0)
    by_factor = np.sum(g * kernel, axis=2)
    by_guidance = np.broadcast_to(by_factor * beta * (len(guidance) / batch), (batch, *guidance.shape[1:]))
    return by_kernel, np.asarray(np.sum(by_factor * guidance)), by_guidance
