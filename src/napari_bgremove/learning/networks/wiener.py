"""The local Wiener filter of a signal, and the impulse response of the linear system it amounts to.

J. S. Lim, Two-Dimensional Signal and Image Processing, Prentice Hall (1990),
section 9.2: the paper's reference [9].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_bgremove.numpy_network.prior import REGULARIZATION

__all__ = ["measure_impulse_response", "measure_local_moments", "wiener_filter"]


def measure_local_moments(x: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance in a window around each sample of (B, C, L), with zeros beyond the ends."""
    mean, mean_square = (functional.avg_pool1d(part, window, stride=1, padding=window // 2) for part in (x, x * x))
    return mean, mean_square - mean * mean


def wiener_filter(x: Tensor, window: int) -> Tensor:
    """Filter each signal of (B, C, L): m + (1 - nu/v) (x - m) where v >= nu, and m elsewhere.

    m and v are the local mean and variance, nu the mean of v over the signal:
    its noise, if most of it is flat. The values are those of `scipy.signal.wiener`.
    """
    mean, variance = measure_local_moments(x, window)
    noise = variance.mean(-1, keepdim=True)
    gain = 1 - noise / variance.clamp_min(torch.finfo(x.dtype).tiny)
    return mean + torch.where(variance >= noise, gain, 0) * (x - mean)


@torch.no_grad()
def measure_impulse_response(x: Tensor, window: int) -> Tensor:
    """Return h0 = |IFFT(FFT(wiener(x)) / FFT(x))| of each signal of (B, C, L), zero for a signal that is zero.

    The division is regularised, W X* / (|X|^2 + 1e-6 mean|X|^2): a frequency
    that is absent from the signal says nothing of the filter. In double
    precision where the device has it: where X is small, single precision would
    not tell W / X. h0 is data: no gradient goes back to the signal.
    """
    precise = x if x.device.type == "mps" else x.double()
    spectrum, filtered = torch.fft.rfft(precise), torch.fft.rfft(wiener_filter(precise, window))
    # The mean of |X|^2 over all frequencies is the sum of x^2 (Parseval).
    floor = REGULARIZATION * precise.square().sum(-1, keepdim=True)
    power = (spectrum.abs().square() + floor).clamp_min(torch.finfo(precise.dtype).tiny)
    response: Tensor = torch.fft.irfft(filtered * spectrum.conj() / power, n=x.shape[-1]).abs().to(x.dtype)
    return response
