"""The same C4 network built with escnn, and weights carried both ways.

escnn (Cesa, Lang, Weiler, "A program to build E(n)-equivariant steerable
CNNs", ICLR 2022) is what papers in this field are written with, but it needs a
Fortran compiler and numpy 1, so the package has convolutions of its own
(networks/p4.py). This module proves that they are the same convolutions: it
builds a network from escnn's own layers, loads our weights into it, and reads
a network trained with escnn back into ours.

Only this module imports escnn, and nothing imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec, build_network
from napari_bgremove.learning.networks.additive_head import AdditiveHead
from napari_bgremove.learning.networks.p4 import Kind, P4Conv

try:
    from escnn import gspaces
    from escnn import nn as enn
except ImportError as error:
    raise ImportError(
        '"escnn" cannot be imported - the bridge builds networks with it, found: '
        f'{error} - install "napari-bgremove[escnn]" in an environment of its own (needs a Fortran compiler).'
    ) from error

__all__ = ["EscnnNetwork", "build_escnn_network", "from_escnn", "to_escnn"]

# Largest part of a kernel, relative to its norm, that may lie outside the other
# library's kernel space. escnn samples its basis in float32: 1e-7 is its floor.
SPAN_TOLERANCE = 1e-6


@cache
def _c4() -> Any:
    return gspaces.rot2dOnR2(4)


def _field_type(kind: Kind, count: int) -> Any:
    representation = _c4().regular_repr if kind == "regular" else _c4().trivial_repr
    return enn.FieldType(_c4(), [representation] * count)


class _Factory:
    """Makes escnn layers with the signature of `P4Conv`.

    The gain is not used: the weights come from a network of ours, or from
    escnn's own initialisation, which takes tens of seconds at paper width.
    """

    def __init__(self, *, initialise: bool, layer: type[nn.Module]) -> None:
        self.initialise, self.layer = initialise, layer

    def __call__(
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int = 3,
        *,
        in_kind: Kind = "regular",
        out_kind: Kind = "regular",
        gain: float = 2.0,
    ) -> Any:
        del gain
        return self.layer(
            _field_type(in_kind, in_fields),
            _field_type(out_kind, out_fields),
            kernel_size,
            padding=kernel_size // 2,
            initialize=self.initialise,
        )


class _TensorConv(enn.R2Conv):
    """An escnn convolution that takes and gives plain tensors."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(self.in_type(x)).tensor
        return result


class _DoubleConv(nn.Module):
    """Two 3x3 convolutions with ReLU, in topology A beside a 1x1 shortcut."""

    def __init__(
        self,
        conv: _Factory,
        in_fields: int,
        hidden: int,
        out_fields: int,
        *,
        in_kind: Kind = "regular",
        shortcut: bool,
    ):
        super().__init__()
        self.first = conv(in_fields, hidden, in_kind=in_kind)
        self.second = conv(hidden, out_fields)
        self.shortcut = conv(in_fields, out_fields, 1, in_kind=in_kind) if shortcut else None
        self.relu_between, self.relu = (enn.ReLU(conv.out_type) for conv in (self.first, self.second))

    def forward(self, x: Any) -> Any:  # GeometricTensor -> GeometricTensor
        y = self.second(self.relu_between(self.first(x)))
        return self.relu(y if self.shortcut is None else y + self.shortcut(x))


class _EscnnUNet(nn.Module):
    """Twin of `networks.unet.UNet`, with the same names for the same layers."""

    def __init__(self, spec: NetworkSpec, *, initialise: bool) -> None:
        super().__init__()
        conv = _Factory(initialise=initialise, layer=enn.R2Conv)
        hidden, skips = spec.hidden_widths, list(spec.fields[:-1])
        up = skips[::-1]
        outs = [hidden.get(f"decoder.{i}.out", n) for i, n in enumerate(up)]
        below = [hidden["encoder.3.out"], *outs[:-1]]
        ins = [1 + len(spec.guides), *skips]
        kinds: list[Kind] = ["trivial", "regular", "regular", "regular"]
        self.encoder = nn.ModuleList(
            _DoubleConv(conv, wide, hidden[f"encoder.{i}"], out, in_kind=kind, shortcut=False)
            for i, (wide, out, kind) in enumerate(zip(ins, [*skips, below[0]], kinds, strict=True))
        )
        self.pool = nn.ModuleList(enn.PointwiseMaxPool2D(_field_type("regular", n), 2) for n in skips)
        self.upsample = nn.ModuleList(enn.R2Upsampling(_field_type("regular", n), 2, mode="nearest") for n in below)
        self.halve = nn.ModuleList(conv(wide, narrow) for wide, narrow in zip(below, up, strict=True))
        self.decoder = nn.ModuleList(
            _DoubleConv(conv, 2 * n, hidden[f"decoder.{i}"], out, shortcut=spec.topology == "A")
            for i, (n, out) in enumerate(zip(up, outs, strict=True))
        )
        self.to_latents = conv(outs[-1], spec.latents, out_kind="trivial")

    def forward(self, x: Tensor) -> Tensor:
        field = _field_type("trivial", x.shape[1])(x)
        skips = []
        for block, pool in zip(self.encoder[:-1], self.pool, strict=True):
            skips.append(block(field))
            field = pool(skips[-1])
        field = self.encoder[-1](field)
        for upsample, halve, block in zip(self.upsample, self.halve, self.decoder, strict=True):
            field = block(enn.tensor_directsum([halve(upsample(field)), skips.pop()]))
        latents: Tensor = self.to_latents(field).tensor
        return latents


class EscnnNetwork(AdditiveNetwork):
    """The network of a specification, every layer of which is escnn's.

    Same inputs, outputs and layer names as `AdditiveNetwork`; only the guides and
    s = ReLU(x - n) are shared code. Save its weights in training mode: escnn adds expanded
    filters to the state in evaluation mode.

    Parameters
    ----------
    spec : NetworkSpec
        Of the family "c4_unet".
    initialise : bool
        True draws escnn's own initial weights, False leaves them at zero.
    """

    def __init__(self, spec: NetworkSpec, *, initialise: bool = False) -> None:
        nn.Module.__init__(self)  # not AdditiveNetwork's: its convolutions would be ours
        self.spec = spec
        self.unet = _EscnnUNet(spec, initialise=initialise)  # type: ignore[assignment]
        conv = _Factory(initialise=initialise, layer=_TensorConv)
        channels = 1 + len(spec.guides)
        shortcut = conv(channels, spec.latents, 1, in_kind="trivial", out_kind="trivial") if spec.guides else None
        self.shortcut = shortcut
        self.head = AdditiveHead(conv, spec.latents, literal=spec.literal_head)

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Refuse: what is removed is removed from our network, and carried over."""
        msg = (
            "'network' must be one of ours for its hidden layers to be known; found one built with escnn: carry its "
            "weights over with from_escnn."
        )
        raise ValueError(msg)


def build_escnn_network(spec: NetworkSpec, *, initialise: bool = True) -> EscnnNetwork:
    """Return the network of a specification built with escnn, in training mode.

    Parameters
    ----------
    spec : NetworkSpec
    initialise : bool
        True draws escnn's generalised He weights (tens of seconds at paper
        width); False leaves zeros, for weights that are loaded afterwards.

    Raises
    ------
    ValueError
        If the family has no equivariant twin.
    """
    _check_family(spec)
    return EscnnNetwork(spec, initialise=initialise)


def to_escnn(network: AdditiveNetwork) -> EscnnNetwork:
    """Return the same function built with escnn.

    Parameters
    ----------
    network : AdditiveNetwork
        Of the family "c4_unet"; left as it is.

    Returns
    -------
    EscnnNetwork
        In the mode (training or evaluation) of `network`; parameters are copies.

    Raises
    ------
    ValueError
        If the family has no equivariant twin.
    ComputeError
        If the installed escnn spans another space of kernels.
    """
    twin = build_escnn_network(network.spec, initialise=False)
    layers = dict(twin.named_modules())
    with torch.no_grad():
        for name, ours in _convolutions(network).items():
            theirs = layers[name]
            pair_map = _pair_map(ours.kernel_size, ours.in_kind, ours.out_kind)
            flat = ours.coefficients.detach().double().flatten(2)  # (O, I, d): both libraries order pairs so
            theirs.weights.copy_((flat @ pair_map).flatten())
            theirs.bias.copy_(ours.bias / _bias_scale(ours.out_kind))
    # The call to train() drops the zero filters that a new escnn layer caches.
    return twin.train().train(network.training)


def from_escnn(source: nn.Module | Mapping[str, Tensor], spec: NetworkSpec) -> AdditiveNetwork:
    """Return our network with the weights of an escnn network.

    Parameters
    ----------
    source : EscnnNetwork or its state_dict
        Saved in either mode: only the free weights are read, never escnn's
        cached filters, which can be stale.
    spec : NetworkSpec
        Of the network to build.

    Returns
    -------
    AdditiveNetwork
        In training mode, as `build_network` returns it.

    Raises
    ------
    ValueError
        If the family has no equivariant twin, or a layer is missing or of
        another size.
    ComputeError
        If the installed escnn spans another space of kernels.
    """
    _check_family(spec)
    state = source.state_dict() if isinstance(source, nn.Module) else source
    network = build_network(spec)
    with torch.no_grad():
        for name, ours in _convolutions(network).items():
            weights = _take(state, f"{name}.weights", ours.coefficients.numel())
            bias = _take(state, f"{name}.bias", ours.bias.numel())
            pair_map = _pair_map(ours.kernel_size, ours.in_kind, ours.out_kind)
            flat = weights.double().reshape(ours.out_fields, ours.in_fields, -1)
            ours.coefficients.copy_(torch.linalg.solve(pair_map, flat, left=False).view_as(ours.coefficients))
            ours.bias.copy_(bias * _bias_scale(ours.out_kind))
    return network


def _check_family(spec: NetworkSpec) -> None:
    if spec.family != "c4_unet":
        raise ValueError(
            f'"family" of a network for escnn must be "c4_unet", found "{spec.family}": convert an equivariant network.'
        )


def _convolutions(network: nn.Module) -> dict[str, P4Conv]:
    return {name: module for name, module in network.named_modules() if isinstance(module, P4Conv)}


def _take(state: Mapping[str, Tensor], key: str, count: int) -> Tensor:
    """Return one tensor of a state_dict, on the CPU, after a look at its size."""
    if key not in state or state[key].numel() != count:
        found = f"{state[key].numel()}" if key in state else "no such entry"
        raise ValueError(
            f'"{key}" of the escnn state must hold {count} values, found {found}: '
            "give the specification the network was built with."
        )
    return state[key].detach().cpu()


@cache
def _pair_map(kernel_size: int, in_kind: Kind, out_kind: Kind) -> Tensor:
    """Return M (d, d), float64: escnn's weights of a pair of fields = our coefficients @ M.

    Both libraries write a kernel as weights times patterns; M is what makes
    the patterns equal, by least squares over the taps of the expanded kernels.
    """
    ours = _our_patterns(kernel_size, in_kind, out_kind)
    theirs = _their_patterns(kernel_size, in_kind, out_kind)
    if len(ours) == len(theirs):
        pair_map = torch.linalg.lstsq(theirs.T, ours.T).solution.T
        outside = float(((pair_map @ theirs - ours).norm(dim=1) / ours.norm(dim=1)).max())
    else:
        outside = 1.0
    if outside > SPAN_TOLERANCE:
        raise ComputeError(
            f'The {kernel_size}x{kernel_size} kernels "{in_kind} -> {out_kind}" of escnn must span ours, found '
            f"{len(theirs)} patterns against {len(ours)} and a part of {outside:.1e} outside: install escnn 1.0.11."
        )
    return pair_map


def _our_patterns(kernel_size: int, in_kind: Kind, out_kind: Kind) -> Tensor:
    """Return the expanded kernels (d, taps) of the d unit coefficients of one pair of fields."""
    count = P4Conv(1, 1, kernel_size, in_kind=in_kind, out_kind=out_kind).coefficients.numel()
    units = P4Conv(1, count, kernel_size, in_kind=in_kind, out_kind=out_kind).double()
    units.coefficients = nn.Parameter(torch.eye(count, dtype=torch.float64).view_as(units.coefficients))
    return units.expand()[0].detach().reshape(count, -1)


def _their_patterns(kernel_size: int, in_kind: Kind, out_kind: Kind) -> Tensor:
    """Return the same for escnn."""
    conv = _Factory(initialise=False, layer=enn.R2Conv)
    count = conv(1, 1, kernel_size, in_kind=in_kind, out_kind=out_kind).weights.numel()
    units = conv(1, count, kernel_size, in_kind=in_kind, out_kind=out_kind)
    units.weights = nn.Parameter(torch.eye(count).flatten())
    filters: Tensor = units.expand_parameters()[0]
    return filters.detach().double().reshape(count, -1)


@cache
def _bias_scale(out_kind: Kind) -> float:
    """Return what one unit of escnn's bias adds to each channel of a field."""
    conv = _Factory(initialise=False, layer=enn.R2Conv)(1, 1, 1, out_kind=out_kind)
    return float(conv.bias_expansion.mean())
