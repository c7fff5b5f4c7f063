"""Networks by name: a validated description in, a module out.

A model file names its architecture by these descriptions and never by an
import path, so a file cannot make the program import or run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast, overload

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.additive_head import AdditiveHead
from napari_bgremove.learning.networks.narrowable_spec import NarrowableSpec
from napari_bgremove.learning.networks.p4 import ORIENTATIONS, P4Conv
from napari_bgremove.learning.networks.prior_guided import PriorGuidedNet
from napari_bgremove.learning.networks.spectroscopy_net import SpectroscopyNet, SpectroscopyNetSpec
from napari_bgremove.learning.networks.unet import STRIDE, UNet, conv_for
from napari_bgremove.numpy_network.spec import PriorGuidedSpec

__all__ = [
    "PRESETS",
    "STRIDE",
    "AdditiveNetwork",
    "Network",
    "NetworkSpec",
    "PriorGuidedNet",
    "PriorGuidedSpec",
    "Spec",
    "SpectroscopyNet",
    "SpectroscopyNetSpec",
    "build_network",
    "count_parameters",
]

Width = Annotated[int, Field(ge=1, le=1024)]
Odd = Literal[3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33]

PRESETS: dict[str, tuple[int, int, int, int]] = {
    "paper": (32, 64, 128, 256),
    "medium": (16, 32, 64, 128),
    "small": (8, 16, 32, 64),
    "tiny": (4, 8, 16, 32),
}


class NetworkSpec(NarrowableSpec):
    """Everything that decides the shape of a network, and nothing else.

    A unit of its hidden layers is a field, or a channel of the plain network:
    there are as many between the two convolutions of a block as come out of it.
    What comes out ("decoder.0.out") is hidden where one convolution reads it.
    """

    family: Literal["c4_unet", "plain_unet"] = "c4_unet"
    topology: Literal["D", "A"] = "D"
    fields: tuple[Width, Width, Width, Width] = PRESETS["paper"]
    latents: Annotated[int, Field(ge=1, le=256)] = 16
    guides: Annotated[tuple[Odd, ...], Field(max_length=8)] = ()
    literal_head: bool = False

    @property
    def whole_widths(self) -> dict[str, int]:
        units = 1 if self.family == "c4_unet" else ORIENTATIONS
        widths = {f"encoder.{i}": units * n for i, n in enumerate(self.fields)}
        widths["encoder.3.out"] = widths["encoder.3"]
        for i, n in enumerate(self.fields[-2::-1]):
            widths[f"decoder.{i}"] = units * n
            if self.topology == "D":  # a shortcut would make it, too
                widths[f"decoder.{i}.out"] = units * n
        return widths


class AdditiveNetwork(nn.Module):
    """UNet and additive head: a normalised image in, signal and background out.

    Shape: (B, 1, H, W) -> two of (B, 1, H, W); H and W multiples of 8. Values
    are normalised to [0, 1] (images/normalization.py).
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        conv = conv_for(spec.family == "c4_unet")
        self.spec = spec
        channels = 1 + len(spec.guides)
        self.unet = UNet(
            conv,
            spec.fields,
            spec.hidden_widths,
            in_channels=channels,
            latents=spec.latents,
            topology=spec.topology,
        )
        kinds = {"in_kind": "trivial", "out_kind": "trivial"}
        self.shortcut = conv(channels, spec.latents, 1, gain=1.0, **kinds) if spec.guides else None
        self.head = AdditiveHead(conv, spec.latents, literal=spec.literal_head)
        if spec.guides and isinstance(self.shortcut, P4Conv):
            _start_as_opening(self)

    @property
    def pattern_shape(self) -> tuple[int, int]:
        """Rows and columns of the self-test's input in a model file."""
        return (64, 64)

    def latents(self, x: Tensor) -> Tensor:
        """Return the latent maps (B, latents, H, W)."""
        x = torch.cat([x, *(opening(x, size) for size in self.spec.guides)], dim=1) if self.spec.guides else x
        latents: Tensor = self.unet(x)
        return latents if self.shortcut is None else latents + self.shortcut(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        signal, background = self.head(x, self.latents(x))
        return signal, background

    def separate(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal and background."""
        parts: tuple[Tensor, Tensor] = self(measured)
        return parts

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return those of the UNet."""
        return self.unet.hidden_layers()


#: Any network a model file can hold.
Network = AdditiveNetwork | SpectroscopyNet | PriorGuidedNet
#: What describes one.
Spec = NetworkSpec | SpectroscopyNetSpec | PriorGuidedSpec

_BUILDERS: Mapping[type[Spec], Callable[[Any], Network]] = {
    NetworkSpec: AdditiveNetwork,
    SpectroscopyNetSpec: SpectroscopyNet,
    PriorGuidedSpec: PriorGuidedNet,
}


@overload
def build_network(spec: NetworkSpec, *, seed: int | None = None) -> AdditiveNetwork: ...
@overload
def build_network(spec: SpectroscopyNetSpec, *, seed: int | None = None) -> SpectroscopyNet: ...
@overload
def build_network(spec: PriorGuidedSpec, *, seed: int | None = None) -> PriorGuidedNet: ...
def build_network(spec: Spec, *, seed: int | None = None) -> Network:
    """Build the network that `spec` describes, freshly initialised.

    Parameters
    ----------
    spec : NetworkSpec, SpectroscopyNetSpec or PriorGuidedSpec
    seed : int, optional
        Makes the initial weights repeatable without touching the global
        random state.
    """
    if seed is None:
        return _BUILDERS[type(spec)](spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(spec)


@torch.no_grad()
def _start_as_opening(network: AdditiveNetwork) -> None:
    """Let a guided network start as a grey opening: n = ReLU(x - opening), the rest quiet."""
    layers = (network.shortcut, network.head.conv, network.unet.to_latents)
    shortcut, head, to_latents = (cast("P4Conv", layer) for layer in layers)
    to_latents.coefficients.zero_()
    shortcut.coefficients.mul_(0.1)
    shortcut.coefficients[0] = 0
    shortcut.coefficients[0, 0] = 1
    shortcut.coefficients[0, 1 + len(network.spec.guides) // 2] = -1
    head.coefficients[0, 0] = 0
    head.coefficients[0, 0, 0, 0] = 1  # the centre tap
    head.bias.zero_()


def opening(x: Tensor, size: int) -> Tensor:
    """Return the grey opening of (B, C, H, W) by a square of `size` pixels: what is left when small bright spots go."""
    return _highest(-_highest(-x, size), size)


def _highest(x: Tensor, size: int) -> Tensor:
    """Return the maximum over a square about each pixel: along one axis, then along the other."""
    half = size // 2
    rows = functional.max_pool2d(x, (size, 1), stride=1, padding=(half, 0))
    return functional.max_pool2d(rows, (1, size), stride=1, padding=(0, half))


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable coefficients."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
