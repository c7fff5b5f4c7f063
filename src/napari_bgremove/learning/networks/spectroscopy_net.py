"""Two convolutional branches over channels, one for the signal and one for the background.

"SpectroscopyNet: Learning to pre-process Spectroscopy Signals without clean
data", Castorena & Oyen, arXiv:2110.13748 (2021): h1 sees a spectrum and says
its signal z_x, h2, with weights of its own, its background z_n. Each is
DnCNN-like; the last layer is linear, because after a last ReLU the
orthogonality of the objective forces one of the two outputs to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.narrowable_spec import NarrowableSpec

__all__ = ["Branch", "SpectroscopyNet", "SpectroscopyNetSpec", "convolve_blocks"]

# Widest dilation of the dilated variant, in channels.
_MOST_DILATED = 32


class SpectroscopyNetSpec(NarrowableSpec):
    """Everything that decides the shape of the network, and nothing else.

    Attributes
    ----------
    depth : int
        Convolutions of a branch; D = 18 in section 3 of the paper.
    features : int
        Feature maps between them; not in the paper, 64 in DnCNN.
    kernel : int
        Channels of a convolution, odd; not in the paper, 3 in DnCNN.
    dilated : bool
        Spreads the taps of layer i by 2^i, up to 32 and back: the network then
        sees a broad continuum, which 37 channels (depth 18, kernel 3) do not.
    linear_background : bool
        The background's branch has no ReLU: what it takes away is a learnt
        linear filter of the spectrum (ours). A calibration is linear, too,
        and forgives a background that is a little wrong in the same way in
        every spectrum more than one that is nearly right in ever new ways.
    smoothing : int
        Standard deviation, channels, of the Gaussian the background is
        smoothed with (ours): a background is broader than a line. 0: none.
    pedestals : bool
        Gives the background a constant of its own in each spectrometer (ours).
        Shared convolutions cannot tell one spectrometer from another where
        nothing but a level is to be seen.
    blocks : tuple of int
        Channels of each spectrometer. A spectrum of as many channels in all is
        convolved block by block, each with margins of its own; one of any
        other length (a crop) lies within one block.
    hidden : tuple of int
        Feature maps that are left behind the second convolution of the signal's
        branch, the third, up to the last but two; then of the background's.
        What the first convolution makes, and what the last one reads, is whole.
    """

    family: Literal["spectroscopy_net"] = "spectroscopy_net"
    depth: Annotated[int, Field(ge=3, le=64)] = 18
    features: Annotated[int, Field(ge=1, le=1024)] = 64
    kernel: Literal[3, 5, 7, 9, 11, 13, 15] = 3
    dilated: bool = False
    linear_background: bool = False
    smoothing: Annotated[int, Field(ge=0, le=4096)] = 0
    pedestals: bool = False
    blocks: Annotated[tuple[Annotated[int, Field(ge=1, le=2**20)], ...], Field(max_length=64)] = ()

    @property
    def whole_widths(self) -> dict[str, int]:
        branches = ("signal", "background")
        return {f"{branch}.{i}": self.features for branch in branches for i in range(1, self.depth - 2)}

    @property
    def dilations(self) -> tuple[int, ...]:
        """Distance of neighbouring taps, layer by layer."""
        rise = (min(layer, self.depth - 1 - layer) for layer in range(self.depth))
        return tuple(min(2**layer, _MOST_DILATED) if self.dilated else 1 for layer in rise)

    @property
    def receptive_field(self) -> int:
        """Channels that one output channel depends on."""
        return 1 + (self.kernel - 1) * sum(self.dilations)


class Branch(nn.Module):
    """Conv + ReLU, then Conv + BatchNorm + ReLU, and a linear Conv at the end, as in DnCNN; then the pedestals, if any.

    Shape: (B, 1, N) -> (B, 1, N). Of crops `block`, shape (B, n), says in
    which spectrometer each channel lies. The convolutions are written as 1 x k over
    images of one row, for which the fast kernels of two axes exist (channels
    last); over one axis torch has none.
    """

    def __init__(
        self,
        spec: SpectroscopyNetSpec,
        hidden: Sequence[int],
        *,
        linear: bool = False,
        smoothing: int = 0,
        pedestals: bool = False,
    ) -> None:
        super().__init__()
        widths = [1, spec.features, *hidden, spec.features, 1]
        ends = (0, spec.depth - 1)
        # A bias before batch normalisation would be subtracted again.
        self.convolutions = nn.ModuleList(
            _make_convolution(widths[i], widths[i + 1], spec.kernel, dilation, bias=i in ends)
            for i, dilation in enumerate(spec.dilations)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[2:-1])
        self.blocks = spec.blocks
        self.activation = nn.Identity() if linear else nn.ReLU()
        self.smoothing = Smoothing(smoothing) if smoothing else nn.Identity()
        self.pedestals = nn.Parameter(torch.zeros(max(len(spec.blocks), 1))) if pedestals else None

    def forward(self, spectra: Tensor, block: Tensor | None = None) -> Tensor:
        first, *middle, last = self.convolutions
        blocks = self.blocks if sum(self.blocks) == spectra.shape[-1] else (spectra.shape[-1],)
        maps = self.activation(convolve_blocks(first, spectra[:, :, None], blocks))
        for convolution, norm in zip(middle, self.norms, strict=True):
            # The statistics are those of all blocks together.
            maps = self.activation(norm(convolve_blocks(convolution, maps, blocks)))
        smooth = convolve_blocks(self.smoothing, convolve_blocks(last, maps, blocks), blocks)
        return self.add_pedestals(smooth[:, :, 0], block)

    def add_pedestals(self, values: Tensor, block: Tensor | None = None) -> Tensor:
        """Add the constant of each spectrometer to values of shape (..., n); without `block` they are whole spectra."""
        if self.pedestals is None:
            return values
        if block is not None:
            return values + self.pedestals[block][:, None]
        sizes = torch.tensor(self.blocks or (values.shape[-1],), device=values.device)
        return values + torch.repeat_interleave(self.pedestals, sizes)

    def hidden_layers(self, name: str) -> tuple[HiddenLayer, ...]:
        """Return what lies between two convolutions that are neither the first nor the last, as "signal.1"."""
        middle = list(self.convolutions)[1:-1]
        return tuple(
            HiddenLayer(f"{name}.{i}", producer, consumer, norm)
            for i, (producer, consumer, norm) in enumerate(
                zip(middle[:-1], middle[1:], self.norms[:-1], strict=True), 1
            )
        )


class Smoothing(nn.Module):
    """Gaussian mean along the channels, with the ends carried on.

    Shape: (B, 1, 1, n) -> (B, 1, 1, n).
    """

    weights: Tensor

    def __init__(self, sigma: int) -> None:
        super().__init__()
        reach = torch.arange(-3.0 * sigma, 3.0 * sigma + 1)
        weights = torch.exp(-0.5 * (reach / sigma) ** 2)
        # Known from the specification, so no part of a model file.
        self.register_buffer("weights", (weights / weights.sum())[None, None, None], persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        margin = self.weights.shape[-1] // 2
        return functional.conv2d(functional.pad(maps, (margin, margin, 0, 0), mode="replicate"), self.weights)


class SpectroscopyNet(nn.Module):
    """Spectra in, signal z_x and background z_n out.

    Shape: (B, 1, N) -> two of (B, 1, N). Values are counts divided by one
    constant per block, so that they are of order one.
    """

    def __init__(self, spec: SpectroscopyNetSpec) -> None:
        super().__init__()
        self.spec = spec
        hidden = tuple(spec.hidden_widths.values())
        self.signal = Branch(spec, hidden[: spec.depth - 3])
        self.background = Branch(
            spec,
            hidden[spec.depth - 3 :],
            linear=spec.linear_background,
            smoothing=spec.smoothing,
            pedestals=spec.pedestals,
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub does not know the argument

    @property
    def pattern_shape(self) -> tuple[int]:
        """Channels of the self-test's input in a model file."""
        return (sum(self.spec.blocks) or 64,)

    def forward(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        return self.signal(spectra), self.background(spectra)

    def separate(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal and background."""
        parts: tuple[Tensor, Tensor] = self(measured)
        return parts

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return those of the signal's branch, then those of the background's; none where there are three layers."""
        return self.signal.hidden_layers("signal") + self.background.hidden_layers("background")


def convolve_blocks(layer: nn.Module, maps: Tensor, blocks: Sequence[int]) -> Tensor:
    """Apply a layer to each block of channels alone, so that none sees across a join."""
    if len(blocks) == 1:
        alone: Tensor = layer(maps)
        return alone
    return torch.cat([layer(part) for part in torch.split(maps, list(blocks), dim=-1)], dim=-1)


def _make_convolution(inputs: int, outputs: int, kernel: int, dilation: int, *, bias: bool) -> nn.Conv2d:
    margin = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, (1, kernel), padding=(0, margin), dilation=(1, dilation), bias=bias)
