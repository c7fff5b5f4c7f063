"""Fang's denoiser: a small U-Net over signals, its deepest kernel guided by the Wiener filter of each signal.

H. Fang, "Advanced Project Updating", NYU Tandon School of Engineering (2021).
The kernel is modulated in the forward pass and never written back, so that the
prior learns, and a result does not depend on what was computed before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.double_conv import DoubleConv
from napari_bgremove.learning.networks.wiener import measure_impulse_response
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL, NormMode, PriorGuidedSpec
from napari_bgremove.numpy_network.weights import FIRST_BETA, KERNEL, list_blocks

__all__ = ["NORMS", "PriorEncoder", "PriorGuidedNet"]

#: Whose statistics can normalize.
NORMS: tuple[NormMode, ...] = get_args(NormMode)


class PriorEncoder(nn.Module):
    """What the Wiener filter of a signal says of the deepest kernel: h0 of (B, 1, L) in, g of (B, 8 width, 3) out.

    Channels are those of the U-Net on its way down, normalization and ReLU
    whatever it has. The pooling adapts, so that any length gives three taps.
    """

    def __init__(self, spec: PriorGuidedSpec) -> None:
        super().__init__()
        w, plain = spec.width, replace(spec, normalized=True, activation="relu")
        self.inc = DoubleConv(1, w, w, plain)
        self.down1 = DoubleConv(w, 2 * w, 2 * w, plain)
        self.down2 = DoubleConv(2 * w, 4 * w, 4 * w, plain)
        self.down3 = DoubleConv(4 * w, 8 * w, 8 * w, plain)

    def forward(self, h0: Tensor, norm: NormMode) -> Tensor:
        x = self.inc(h0, norm)
        for block in (self.down1, self.down2, self.down3):
            x = block(functional.max_pool1d(x, 2), norm)
        return functional.adaptive_max_pool1d(x, KERNEL)


class PriorGuidedNet(nn.Module):
    """Measured signals in, signals without noise out.

    Shape: (..., L) -> (..., L), L at least 16. All axes but the last count as
    one batch. K' = K (1 + beta g) is the deepest kernel of each signal, with g
    from `PriorEncoder` and K, beta, and the encoder's weights learnt.

    Parameters
    ----------
    spec : PriorGuidedSpec

    Attributes
    ----------
    norm : {"fixed", "batch", "signal"}
        Whose statistics normalize when the network is not in training. In
        training they are always those of the batch.
    """

    def __init__(self, spec: PriorGuidedSpec) -> None:
        super().__init__()
        self.spec = spec
        self.norm: NormMode = "fixed"
        sizes = list_blocks(spec)
        self.inc = DoubleConv(*sizes["inc"], spec)
        self.down1 = DoubleConv(*sizes["down1"], spec)
        self.down2 = DoubleConv(*sizes["down2"], spec)
        self.down3 = DoubleConv(*sizes["down3"], spec)
        self.down4 = DoubleConv(*sizes["down4"], spec)
        self.up1 = DoubleConv(*sizes["up1"], spec)
        self.up2 = DoubleConv(*sizes["up2"], spec)
        self.up3 = DoubleConv(*sizes["up3"], spec)
        self.up4 = DoubleConv(*sizes["up4"], spec)
        self.outc = nn.Conv1d(spec.width, 1, 1)
        if spec.prior != "off":
            self.prior = PriorEncoder(spec)
            self.beta = nn.Parameter(torch.tensor(FIRST_BETA))

    @property
    def pattern_shape(self) -> tuple[int]:
        """Samples of the self-test's input in a model file."""
        return (100,)

    def set_norm(self, norm: NormMode) -> None:
        """Choose whose statistics normalize when the network is not in training."""
        check_choice("norm", norm, NORMS)
        self.norm = norm

    def separate(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal and background, here the noise, by the running statistics."""
        signal = self(measured, norm="fixed")
        return signal, measured - signal

    def forward(self, measured: Tensor, norm: NormMode | None = None) -> Tensor:
        """Denoise; `norm`, where given, counts instead of the attribute."""
        if measured.shape[-1] < SHORTEST_SIGNAL:
            msg = (
                f"'measured' must have {SHORTEST_SIGNAL} samples or more along its last axis; found "
                f"{describe_shape(measured.shape)}."
            )
            raise ValueError(msg)
        norm = norm or self.norm
        x = measured.reshape(-1, 1, measured.shape[-1])
        skips = [self.inc(x, norm)]
        for block in (self.down1, self.down2, self.down3):
            skips.append(block(functional.max_pool1d(skips[-1], 2), norm))
        deep = self.down4(functional.max_pool1d(skips[-1], 2), norm, self._guide(x, norm))
        for block in (self.up1, self.up2, self.up3, self.up4):
            deep = block(_join(skips.pop(), deep), norm)
        denoised: Tensor = self.outc(deep)
        return denoised.reshape(measured.shape)

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return what lies between the two convolutions of each block; not of the deepest where a prior guides it."""
        blocks = {name: block for name, block in self.named_children() if isinstance(block, DoubleConv)}
        return tuple(blocks[name].hidden_layer(name) for name in self.spec.whole_widths)

    def _guide(self, x: Tensor, norm: NormMode) -> Tensor | None:
        """Return the deepest kernel of each signal, (B, O, I, 3), or None where there is no prior."""
        if self.spec.prior == "off":
            return None
        prior = self.prior(measure_impulse_response(x, self.spec.wiener_window), norm)
        if self.spec.prior == "batch-mean":
            prior = prior.mean(0, keepdim=True).expand_as(prior)
        kernels: Tensor = self.down4.conv1.weight * (1 + self.beta * prior[:, :, None])
        return kernels


def _join(skip: Tensor, deep: Tensor) -> Tensor:
    """Stretch what comes from below to twice its length, pad it with zeros to that of the skip, and put it behind."""
    up = functional.interpolate(deep, scale_factor=2, mode="linear", align_corners=True)
    missing = skip.shape[-1] - up.shape[-1]
    return torch.cat([skip, functional.pad(up, (missing // 2, missing - missing // 2))], dim=1)
