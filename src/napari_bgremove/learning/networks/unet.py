"""The UNet of Starke & Smid: an encoder, its mirror, and 16 latent maps.

The same class is the equivariant network (convolutions between C4 fields) and
the ordinary one it is compared with (plain convolutions over as many
channels): only the convolution differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.p4 import ORIENTATIONS, P4Conv, fill_normal
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
        self, conv: Conv, ins: int, hidden: int, outs: int, *, in_kind: str, unit: str, shortcut: bool = False
    ):
        super().__init__()
        self.first = conv(ins, hidden, in_kind=in_kind, out_kind=unit)
        self.second = conv(hidden, outs, in_kind=unit, out_kind=unit)
        self.shortcut = conv(ins, outs, 1, in_kind=in_kind, out_kind=unit, gain=1.0) if shortcut else None

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
    hidden : mapping of str to int
        Fields (or channels) of each hidden layer: "encoder.0" between the two
        convolutions of a block, past which a shortcut leads; "encoder.3.out"
        on the way up, between a block and the convolution that alone reads it.
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
        hidden: Mapping[str, int],
        *,
        in_channels: int = 1,
        latents: int = 16,
        topology: str = "D",
    ) -> None:
        super().__init__()
        unit, per_field = ("regular", 1) if conv is P4Conv else ("trivial", ORIENTATIONS)
        skips = [per_field * n for n in fields[:-1]]
        up = skips[::-1]
        outs = [hidden.get(f"decoder.{i}.out", n) for i, n in enumerate(up)]
        bottom = hidden["encoder.3.out"]
        kinds = ["trivial"] + [unit] * len(skips)
        self.encoder = nn.ModuleList(
            _DoubleConv(conv, ins, hidden[f"encoder.{i}"], out, in_kind=kind, unit=unit)
            for i, (ins, out, kind) in enumerate(zip([in_channels, *skips], [*skips, bottom], kinds, strict=True))
        )
        self.halve = nn.ModuleList(
            conv(wide, narrow, in_kind=unit, out_kind=unit, gain=1.0)
            for wide, narrow in zip([bottom, *outs[:-1]], up, strict=True)
        )
        self.decoder = nn.ModuleList(
            _DoubleConv(conv, 2 * n, hidden[f"decoder.{i}"], out, in_kind=unit, unit=unit, shortcut=topology == "A")
            for i, (n, out) in enumerate(zip(up, outs, strict=True))
        )
        # Quiet: large latents push a fresh head below zero everywhere, and make each step of the head a leap.
        self.to_latents = conv(outs[-1], latents, in_kind=unit, out_kind="trivial", gain=1e-4)

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
        """Return what lies between the two convolutions of each block, and behind each block that has one reader.

        Skips have two, and the output of a block with a shortcut is made by two.
        """
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        named = [
            (f"{part}.{i}", cast("_DoubleConv", block))
            for part, blocks in parts.items()
            for i, block in enumerate(blocks)
        ]
        readers = [None] * (len(self.encoder) - 1) + [*self.halve, self.to_latents]
        layers = []
        for (name, block), reader in zip(named, readers, strict=True):
            layers.append(HiddenLayer(name, block.first, block.second))
            if reader is not None and block.shortcut is None:
                layers.append(HiddenLayer(f"{name}.out", block.second, reader))
        return tuple(layers)


def _kernel_and_bias(conv: nn.Module) -> tuple[Tensor, Tensor]:
    if isinstance(conv, P4Conv):
        return conv.expand()
    return cast("tuple[Tensor, Tensor]", (conv.weight, conv.bias))


def conv_for(equivariant: bool) -> Conv:
    """Return the convolution of the equivariant or of the plain network."""
    return P4Conv if equivariant else plain_conv
