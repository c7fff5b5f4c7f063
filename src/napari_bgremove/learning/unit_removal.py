"""Take units out of the hidden layers of a network: rank them, choose those that stay, and build what is left.

A unit that is masked takes nothing in and emits nothing: what leads into it,
its bias, gamma and beta are zero. A unit that kept its bias would still emit a
constant, which cannot be folded into the next bias either, as that convolution
sees fewer pixels of it at a border. Masked units can be left out of the arrays
without any change of the result; for a network of C4 fields, whole fields go,
and what is left commutes with rotations as before.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.hidden_layers import HiddenLayer, find_hidden_layers, measure_energies
from napari_bgremove.learning.networks import Spec
from napari_bgremove.numpy_network.spec import PriorGuidedSpec

__all__ = ["Kept", "Rule", "choose_units", "mask_units", "narrow_spec", "rank_units", "remove_units"]

#: For each hidden layer by name, whether each of its units stays.
Kept = Mapping[str, ArrayLike]
Rule = Literal["energy", "relative"]

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)

# What a module says of its own widths, behind (axis 0) and before (axis 1) it.
_WIDTHS = (
    ("out_features", "out_channels", "out_fields", "num_features"),
    ("in_features", "in_channels", "in_fields"),
)


@torch.no_grad()
def rank_units(network: nn.Module, *, rule: Rule = "relative") -> dict[str, NDArray[np.float64]]:
    """Measure how much passes through each unit of each hidden layer.

    Parameters
    ----------
    network : nn.Module
        That names its hidden layers. Not modified.
    rule : {"relative", "energy"}
        The product e1 e2 of the energies of the way in and the way out,
        "relative" of both divided by their rms over the layer: then a layer
        whose weights are small as a whole does not lose more than others. Of
        the bundled image network, trained without the term, "energy" empties
        the layer at full resolution first; trained with it the two agree.

    Returns
    -------
    dict of str to ndarray, shape (units,)
        By the names of the layers, in the order in which data go through.

    Raises
    ------
    ValueError
        When there is no such rule, or the network names no hidden layer.
    ComputeError
        When a weight is not finite.
    """
    check_choice("rule", rule, get_args(Rule))
    return {layer.name: _measure_strength(layer, rule) for layer in find_hidden_layers(network)}


def choose_units(network: nn.Module, share: float, *, rule: Rule = "relative") -> dict[str, NDArray[np.bool_]]:
    """Choose the units that stay: the strongest of the whole network, and the strongest of each layer in any case.

    Parameters
    ----------
    network : nn.Module
        Not modified.
    share : float
        Of all units in hidden layers that stay, above 0, up to 1.
    rule : {"relative", "energy"}
        As for `rank_units`. Of equally strong units those stay that come first.

    Returns
    -------
    dict of str to ndarray of bool, shape (units,)
        True for a unit that stays; as `mask_units` and `remove_units` take it.

    Raises
    ------
    ValueError, ComputeError
        As `rank_units`; ValueError when the share is out of its range.
    """
    if not 0 < share <= 1:
        msg = f"'share' must be above 0 and at most 1; found {share}."
        raise ValueError(msg)
    strengths = rank_units(network, rule=rule)
    # A layer without any unit would cut the network in two.
    ranked = np.concatenate([_put_first(strength) for strength in strengths.values()])
    count = max(round(share * len(ranked)), len(strengths))
    kept = np.zeros(len(ranked), bool)
    kept[np.argsort(-ranked, kind="stable")[:count]] = True
    ends = np.cumsum([len(strength) for strength in strengths.values()])
    return dict(zip(strengths, np.split(kept, ends[:-1]), strict=True))


@torch.no_grad()
def mask_units(network: AnyNetwork, kept: Kept) -> AnyNetwork:
    """Return a copy of the network in which units that do not stay take nothing in and emit nothing.

    Parameters
    ----------
    network : nn.Module
        Not modified.
    kept : mapping of str to array_like of bool
        For each hidden layer by name, as `choose_units` returns it.

    Returns
    -------
    nn.Module
        Of the same widths; weights into a unit, its bias, gamma and beta are zero.

    Raises
    ------
    ValueError
        When `kept` is not of this network, or leaves a layer without units.
    """
    masked = _copy(network)
    for layer, keep in _pair(masked, kept):
        for module in (layer.producer, layer.norm):
            for _, tensor in _own(module, of_axis=0, units=layer.units, learnt=True):
                tensor[~keep] = 0
    return masked


@torch.no_grad()
def remove_units(network: AnyNetwork, kept: Kept) -> AnyNetwork:
    """Return a smaller network that computes what the masked one does, to rounding.

    Parameters
    ----------
    network : nn.Module
        Not modified.
    kept : mapping of str to array_like of bool
        For each hidden layer by name, as `choose_units` returns it.

    Returns
    -------
    nn.Module
        Without the units that do not stay; its `spec`, if it has one, describes it.

    Raises
    ------
    ValueError
        When `kept` is not of this network, or leaves a layer without units.
    """
    smaller = _copy(network)
    pairs = _pair(smaller, kept)
    for layer, keep in pairs:
        for module in (layer.producer, layer.norm, layer.threshold):
            _narrow(module, keep, axis=0)
        _narrow(layer.consumer, keep, axis=1)
    spec = getattr(network, "spec", None)
    if spec is not None:
        cast("Any", smaller).spec = narrow_spec(spec, {layer.name: int(keep.sum()) for layer, keep in pairs})
    return smaller


def narrow_spec(spec: Spec, widths: Mapping[str, int]) -> Spec:
    """Return the specification of a network with so many units in each hidden layer, by name.

    Raises
    ------
    ValueError
        When the names are others, or a width is not between 1 and that of the whole network.
    """
    if widths.keys() != spec.whole_widths.keys():
        msg = f"'widths' must be of {', '.join(spec.whole_widths)}; found {', '.join(widths) or 'none'}."
        raise ValueError(msg)
    hidden = tuple(widths[name] for name in spec.whole_widths)
    hidden = () if hidden == tuple(spec.whole_widths.values()) else hidden
    if isinstance(spec, PriorGuidedSpec):
        return replace(spec, hidden=hidden)
    return type(spec)(**{**dict(spec), "hidden": hidden})  # model_copy would check nothing


def _measure_strength(layer: HiddenLayer, rule: Rule) -> NDArray[np.float64]:
    e1, e2 = (energies.double().cpu().numpy() for energies in measure_energies(layer))
    if not (np.isfinite(e1).all() and np.isfinite(e2).all()):
        msg = f"'{layer.name}' must have finite weights to be ranked; found a network that has diverged."
        raise ComputeError(msg)
    if rule == "relative":
        e1, e2 = (e / (np.sqrt(np.mean(e**2)) or 1) for e in (e1, e2))
    return np.asarray(e1 * e2)


def _put_first(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank the strongest unit of a layer before all others of the network."""
    ranked = strength.copy()
    ranked[strength.argmax()] = np.inf
    return ranked


def _copy(network: AnyNetwork) -> AnyNetwork:
    copied = copy.deepcopy(network)
    copied.zero_grad()
    return copied


def _pair(network: nn.Module, kept: Kept) -> list[tuple[HiddenLayer, Tensor]]:
    """Return each hidden layer with what stays of it, after a look at whether they fit."""
    layers = find_hidden_layers(network)
    names = [layer.name for layer in layers]
    if set(kept) != set(names):
        msg = f"'kept' must say what stays of each of {', '.join(names)}; found {', '.join(kept) or 'none'}."
        raise ValueError(msg)
    return [(layer, torch.from_numpy(_check_kept(layer, kept[layer.name]))) for layer in layers]


def _check_kept(layer: HiddenLayer, kept: ArrayLike) -> NDArray[np.bool_]:
    keep = np.array(kept)
    if keep.shape != (layer.units,) or keep.dtype != bool:
        found = f"{describe_shape(keep.shape)} of {keep.dtype}"
        msg = f"'kept' must hold {layer.units} true or false for {layer.name}; found {found}."
        raise ValueError(msg)
    if not keep.any():
        msg = f"'kept' must leave a unit in {layer.name}; found none: nothing would pass through it."
        raise ValueError(msg)
    return keep


def _own(module: nn.Module | None, *, of_axis: int, units: int, learnt: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Yield what a module stores of each unit along an axis: parameters and, unless `learnt`, statistics."""
    if module is None:
        return
    stored = module.state_dict()  # a basis of kernels, say, is not stored, and is of no unit
    parts = [*module.named_parameters(recurse=False), *(() if learnt else module.named_buffers(recurse=False))]
    for name, tensor in parts:
        if name in stored and tensor.ndim > of_axis and tensor.shape[of_axis] == units:
            yield name, tensor


def _narrow(module: nn.Module | None, keep: Tensor, *, axis: int) -> None:
    """Leave out, in place, what a module stores of units that do not stay."""
    for name, whole in list(_own(module, of_axis=axis, units=len(keep))):
        left = whole.index_select(axis, keep.nonzero()[:, 0].to(whole.device))
        # As a fresh network has it: plain, or, of convolutions of spectra, channels last.
        layout = torch.channels_last if whole.ndim == 4 and whole.stride(1) == 1 else torch.contiguous_format
        left = torch.empty_like(left, memory_format=layout).copy_(left)
        setattr(module, name, nn.Parameter(left, whole.requires_grad) if isinstance(whole, nn.Parameter) else left)
    for name in _WIDTHS[axis]:
        if hasattr(module, name):
            setattr(module, name, int(keep.sum()))
