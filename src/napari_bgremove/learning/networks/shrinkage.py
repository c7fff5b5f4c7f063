"""Shrinkage of feature maps in the place of ReLU: u = prox(z) of Lambda |u|^p, after normalization.

The closed forms are those of `filters.shrinkage`, written for gradients. A
soft threshold followed by ReLU would be ReLU(z - Lambda), no new function;
therefore shrinkage acts on both signs and takes the place of the ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from napari_bgremove.learning.networks.wiener import measure_local_moments
from napari_bgremove.numpy_network.spec import PriorGuidedSpec
from napari_bgremove.numpy_network.weights import FIRST_LAMBDA

__all__ = ["AdaptiveShrinkage", "LearntShrinkage", "make_activation"]

_FIRST_THETA = math.log(math.expm1(FIRST_LAMBDA))
Shrink = Callable[[Tensor, Tensor], Tensor]


class LearntShrinkage(nn.Module):
    """Shrinkage of (B, C, L) with one weight per channel, Lambda = softplus(theta)."""

    def __init__(self, channels: int, shrink: Shrink) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((channels,), _FIRST_THETA))
        self._shrink = shrink

    def forward(self, z: Tensor) -> Tensor:
        # Exact for large theta, too, where nn.Softplus goes over to a straight line.
        weight = torch.logaddexp(self.theta, torch.zeros_like(self.theta))
        return self._shrink(z, weight[:, None])


class AdaptiveShrinkage(nn.Module):
    """Shrinkage of (B, C, L) with a weight per sample, Lambda = nu / sqrt(v - nu).

    v is the local variance, nu its mean over the samples of a channel, as the
    Wiener filter has them: strong where there is nothing but noise, infinite
    where v does not exceed nu. The weight is that of BayesShrink.

    References
    ----------
    S. G. Chang, B. Yu and M. Vetterli, IEEE Trans. Image Process. 9 (2000)
    1532. https://doi.org/10.1109/83.862633
    """

    def __init__(self, window: int, shrink: Shrink) -> None:
        super().__init__()
        self._window, self._shrink = window, shrink

    def forward(self, z: Tensor) -> Tensor:
        _, variance = measure_local_moments(z, self._window)
        noise = variance.mean(-1, keepdim=True)
        above = variance > noise
        # The inner choice keeps the infinite slope of the root at zero out of the gradient.
        weight = noise / torch.where(above, variance - noise, 1).sqrt()
        return self._shrink(z, torch.where(above, weight, math.inf))


def make_activation(spec: PriorGuidedSpec, channels: int) -> nn.Module:
    """Return what follows a normalization of so many channels."""
    if spec.activation == "relu":
        return nn.ReLU()
    shrink = partial(_firm, gamma=spec.firm_gamma) if spec.activation == "firm" else _SHRINK[spec.activation]
    if spec.threshold == "adaptive":
        return AdaptiveShrinkage(spec.wiener_window, shrink)
    return LearntShrinkage(channels, shrink)


def _soft(z: Tensor, weight: Tensor) -> Tensor:
    return z.sign() * torch.relu(z.abs() - weight)


def _hard(z: Tensor, weight: Tensor) -> Tensor:
    return torch.where(z.abs() > (2 * weight).sqrt(), z, 0)


def _half(z: Tensor, weight: Tensor) -> Tensor:
    threshold = 1.5 * weight ** (2 / 3)
    kept = z.abs() > threshold
    ratio = torch.where(kept, threshold, 0) / torch.where(kept, z.abs(), 1)
    angle = torch.arccos(ratio**1.5 / math.sqrt(2))
    return torch.where(kept, 2 / 3 * z * (1 + torch.cos(2 / 3 * (math.pi - angle))), 0)


def _firm(z: Tensor, weight: Tensor, *, gamma: float) -> Tensor:
    between = torch.relu(z.abs() - weight) / (1 - gamma)
    return z.sign() * torch.minimum(between, z.abs())


_SHRINK: Mapping[str, Shrink] = {"soft": _soft, "half": _half, "hard": _hard}
