"""The additive model on top of latent maps: n = ReLU(conv(l)), s = ReLU(x - n)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.networks.unet import Conv

__all__ = ["AdditiveHead", "live_relu"]

# Below zero the literal ReLU passes no gradient, and with a mean absolute
# error, whose minimum for rare hits is zero, a head that has once gone silent
# never speaks again. A tenth of the gradient is let through, forward unchanged.
BACKWARD_SLOPE = 0.1
# What a fresh head predicts, about, in units of the normalised input.
START = 0.05


class _LiveReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, gradients[0], gradients[0] * BACKWARD_SLOPE)


def live_relu(x: Tensor) -> Tensor:
    """Return max(x, 0) exactly; below zero a tenth of the gradient flows back."""
    if not torch.is_grad_enabled():
        return functional.relu(x)
    result: Tensor = _LiveReLU.apply(x)  # type: ignore[no-untyped-call]
    return result


class AdditiveHead(nn.Module):
    """Split the input into signal and background by way of latent maps.

    Shape: x (B, 1, H, W), latents (B, L, H, W) -> signal, background (B, 1, H, W)

    Parameters
    ----------
    conv : callable
        `P4Conv` (33 coefficients for 16 latents, commutes with rotations) or
        `plain_conv` (145; breaks the symmetry).
    latents : int
    literal : bool
        True takes the gradient of the printed ReLU, which can die.
    """

    def __init__(self, conv: Conv, latents: int = 16, *, literal: bool = False) -> None:
        super().__init__()
        # A quiet start just above zero: every pixel is alive, whatever the seed.
        self.conv = conv(latents, 1, in_kind="trivial", out_kind="trivial", gain=0.01)
        nn.init.constant_(self.conv.get_parameter("bias"), START)
        self.literal = literal

    def forward(self, x: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.conv(latents)
        background = functional.relu(raw) if self.literal else live_relu(raw)
        return functional.relu(x - background), background
