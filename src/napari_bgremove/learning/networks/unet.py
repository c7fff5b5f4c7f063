"""The UNet of Starke & Smid: an encoder, its mirror, and 16 latent maps.

The same class is the equivariant network (convolutions between C4 fields) and
the ordinary one it is compared with (plain convolutions over as many
channels): only the convolution differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.p4 import P4Conv, fill_normal
from napari_bgremove.learning.networks.upsampling import upsample_and_convolve

__all__ = ["STRIDE", "UNet", "plain_conv"]

STRIDE = 8  # three poolings by two: image sides are multiples of this
Conv = Callable[..., nn.Module]


def plain_conv(
    in_fields: int,
    out_fields: int,
    kernel_size: int = 3,
    *,
    in_kind: str = "regular",
    out_kind: str = "regular",
    gain: float = 2.0,
) -> nn.Conv2d:
    """Return an ordinary convolution with the signature of `P4Conv`.

    A "regular" width stands for four channels per field, so that the plain
    network holds the same feature maps as the equivariant one and the kinds
    only set widths.
    """
    width_in = in_fields * (4 if in_kind == "regular" else 1)
    width_out = out_fields * (4 if out_kind == "regular" else 1)
    conv = nn.Conv2d(width_in, width_out, kernel_size, padding=kernel_size // 2)
    fill_normal(conv.weight, (gain / (width_in * kernel_size**2)) ** 0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class _DoubleConv(nn.Module):
    """Two 3x3 convolutions with `hidden` units between them, each followed by ReLU; topology A adds a 1x1 shortcut."""

    def __init__(
        self,
        conv: Conv,
        in_fields: int,
        hidden: int,
        out_fields: int,
        *,
        in_kind: str = "regular",
        shortcut: bool = False,
    ):
        super().__init__()
        unit = "regular" if conv is P4Conv else "trivial"  # a unit of the plain network is a single channel
        self.first = conv(in_fields, hidden, in_kind=in_kind, out_kind=unit)
        self.second = conv(hidden, out_fields, in_kind=unit)
        self.shortcut = conv(in_fields, out_fields, 1, in_kind=in_kind, gain=1.0) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        # In place: a convolution does not need its output for its gradient.
        y: Tensor = self.second(functional.relu(self.first(x), inplace=True))
        if self.shortcut is not None:
            y = y.add_(self.shortcut(x))
        return functional.relu(y, inplace=True)


class UNet(nn.Module):
    """Encoder of four blocks, mirrored decoder with skips, no batch norm.

    Shape: (B, 1, H, W) -> (B, latents, H, W), H and W multiples of 8.

    Every operation between the convolutions commutes with a rotation by 90
    degrees: 2x2 max pooling and nearest upsampling do, strided or transposed
    3x3 convolutions do not.

    Parameters
    ----------
    conv : callable
        `P4Conv` or `plain_conv`.
    fields : sequence of int
        Fields (or quarter channels) of the four encoder blocks.
    hidden : sequence of int
        Fields (or channels) between the two convolutions of each block, the
        encoder's first. A shortcut leads past them.
    latents : int
        Trivial output channels: plain images that turn with the input.
    topology : {"D", "A"}
        D is the plainest reading of the paper; A adds 1x1 shortcuts to the
        decoder blocks, which brings the parameter count to the published 5.88
        million. The record does not say which one was used: topology not
        confirmed.
    """

    def __init__(
        self,
        conv: Conv,
        fields: Sequence[int],
        hidden: Sequence[int],
        *,
        in_channels: int = 1,
        latents: int = 16,
        topology: str = "D",
    ) -> None:
        super().__init__()
        widths = list(fields)
        ins = [in_channels, *widths[:-1]]
        kinds = ["trivial"] + ["regular"] * (len(widths) - 1)
        self.encoder = nn.ModuleList(
            _DoubleConv(conv, i, h, o, in_kind=kind)
            for i, h, o, kind in zip(ins, hidden[: len(widths)], widths, kinds, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # (256, 128), (128, 64), (64, 32)
        self.halve = nn.ModuleList(conv(wide, narrow, gain=1.0) for wide, narrow in pairs)
        self.decoder = nn.ModuleList(
            _DoubleConv(conv, 2 * n, h, n, shortcut=topology == "A")
            for h, (_, n) in zip(hidden[len(widths) :], pairs, strict=True)
        )
        # Quiet: large latents push a fresh head below zero everywhere, and make each step of the head a leap.
        self.to_latents = conv(widths[0], latents, out_kind="trivial", gain=1e-4)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.encoder[:-1]:
            # Free for `P4Conv`, whose kernels already lay their maps out so.
            x = block(x).contiguous(memory_format=torch.channels_last)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.encoder[-1](x)
        for halve, block in zip(self.halve, self.decoder, strict=True):
            x = upsample_and_convolve(x, *_kernel_and_bias(halve))
            x = block(torch.cat((x, skips.pop()), dim=1))
        latents: Tensor = self.to_latents(x)
        return latents

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return what lies between the two convolutions of each block, "encoder.0" first and "decoder.2" last."""
        blocks = [
            (f"{part}.{i}", block) for part in ("encoder", "decoder") for i, block in enumerate(getattr(self, part))
        ]
        return tuple(HiddenLayer(name, block.first, block.second) for name, block in blocks)


def _kernel_and_bias(conv: nn.Module) -> tuple[Tensor, Tensor]:
    if isinstance(conv, P4Conv):
        return conv.expand()
    return cast("tuple[Tensor, Tensor]", (conv.weight, conv.bias))


def conv_for(equivariant: bool) -> Conv:
    """Return the convolution of the equivariant or of the plain network."""
    return P4Conv if equivariant else plain_conv
