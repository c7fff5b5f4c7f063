"""The hidden layers of a network: units whose only way in and only way out are known.

A *unit* is a neuron, a channel, or a C4 field with its four orientations. It
lies between a producing and a consuming map, and nothing else reads it, so it
can be shrunk, and taken out, without touching the rest of the network. Each
network names its own, as it alone knows what is added or concatenated to what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

__all__ = [
    "HasHiddenLayers",
    "HiddenLayer",
    "find_hidden_layers",
    "incoming_weights",
    "measure_energies",
    "outgoing_weights",
]


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """What lies between two maps of a network.

    Attributes
    ----------
    name : str
        As people see it, such as "encoder.0"; no two layers of a network share one.
    producer, consumer : nn.Module
        Linear, Conv1d or Conv2d without groups, or a map whose first two axes
        of `coefficients` are outputs and inputs, as of `P4Conv`.
    norm : nn.Module, optional
        A normalization between them, with one `weight` (gamma) and one `bias`
        (beta) for each unit.
    threshold : nn.Module, optional
        A learnt shrinkage between them, with one weight for each unit.

    Raises
    ------
    ValueError
        When these do not fit together.
    """

    name: str
    producer: nn.Module
    consumer: nn.Module
    norm: nn.Module | None = None
    threshold: nn.Module | None = None

    def __post_init__(self) -> None:
        taken = _free_weights(self.consumer).shape[1]
        if taken != self.units:
            msg = f"'consumer' of {self.name} must take the {self.units} units of its producer; found {taken}."
            raise ValueError(msg)
        if self.norm is not None and len(_gamma(self.norm)) != self.units:
            msg = f"'norm' of {self.name} must have a gamma for each of {self.units} units; found {self.norm}."
            raise ValueError(msg)

    @property
    def units(self) -> int:
        """How many there are."""
        return len(_free_weights(self.producer))


@runtime_checkable
class HasHiddenLayers(Protocol):
    """A network that names its hidden layers."""

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return them in the order in which data go through."""


def find_hidden_layers(network: nn.Module) -> tuple[HiddenLayer, ...]:
    """Return the hidden layers a network names, in the order in which data go through.

    Raises
    ------
    ValueError
        When it names none.
    """
    layers = network.hidden_layers() if isinstance(network, HasHiddenLayers) else ()
    if not layers:
        msg = (
            "'network' must have a hidden layer, units between two maps of one block that nothing else reads; found "
            f"none in {type(network).__name__}. Choose another network, or leave its layers alone."
        )
        raise ValueError(msg)
    return layers


def incoming_weights(layer: HiddenLayer) -> Tensor:
    """Return what leads into each unit, shape (units, ...): free weights, the ones that are learnt."""
    return _free_weights(layer.producer)


def outgoing_weights(layer: HiddenLayer) -> Tensor:
    """Return what leads out of each unit, shape (units, ...): free weights, the ones that are learnt."""
    return _free_weights(layer.consumer).transpose(0, 1)


def measure_energies(layer: HiddenLayer) -> tuple[Tensor, Tensor]:
    """Measure how strongly each unit is fed, and how strongly it is heard.

    Euclidean norms of the weights into and out of it. Where a normalization
    follows the producer, which undoes any scale of its weights, |gamma| is the
    energy of the way in. Of a C4 field the coefficients count: their basis is
    orthonormal, so that the expanded kernels have twice their norm.

    Returns
    -------
    e1, e2 : Tensor, shape (units,)
        Into and out of the unit. Differentiable; at a unit of zero energy the
        gradient is zero.
    """
    into = _norms(incoming_weights(layer)) if layer.norm is None else _gamma(layer.norm).abs()
    return into, _norms(outgoing_weights(layer))


def _free_weights(module: nn.Module) -> Tensor:
    """Weights of shape (outputs, inputs, ...) that are learnt; by duck typing, as the networks import this module."""
    free = getattr(module, "coefficients", None)
    if free is None and isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        free = module.weight
    if free is None:
        msg = f"A hidden layer must lie between Linear, Conv1d, Conv2d or P4Conv; found {type(module).__name__}."
        raise ValueError(msg)
    return cast("Tensor", free)


def _gamma(norm: nn.Module) -> Tensor:
    return cast("Tensor", norm.weight)


def _norms(weights: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(weights.flatten(1), dim=1)
    return norms
