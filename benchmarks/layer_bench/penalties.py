"""The methods: what is added to the loss of the task, all with one ramp and on the same hidden layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from napari_bgremove.learning.hidden_layers import (
    HiddenLayer,
    find_hidden_layers,
    incoming_weights,
    measure_energies,
    outgoing_weights,
)
from napari_bgremove.learning.objectives.layer_background import LayerBackgroundObjective
from napari_bgremove.learning.training import Objective
from napari_bgremove.spectra.layer_background import LayerBackground

__all__ = ["METHODS", "make_objective"]

Penalty = Callable[[HiddenLayer], Tensor]


@dataclass(frozen=True)
class PenalizedObjective:
    """A peer: the loss of the task plus strength x ramp x penalty, summed over hidden layers, while training."""

    objective: Objective
    penalty: Penalty
    options: LayerBackground  # of which it takes strength and ramp
    progress: float = 1.0

    def at(self, progress: float) -> PenalizedObjective:
        return replace(self, progress=progress)

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
        terms = self.objective(network, batch)
        if not network.training:
            return terms
        total = sum(self.penalty(layer) for layer in find_hidden_layers(network))
        return {**terms, "loss": terms["loss"] + self.options.find_strength(self.progress) * total}


def _sum_squares(layer: HiddenLayer) -> Tensor:
    return incoming_weights(layer).square().sum() + outgoing_weights(layer).square().sum()


def _sum_absolutes(layer: HiddenLayer) -> Tensor:
    return incoming_weights(layer).abs().sum() + outgoing_weights(layer).abs().sum()


def _sum_energies(layer: HiddenLayer) -> Tensor:
    e1, e2 = measure_energies(layer)
    return e1.sum() + e2.sum()


def _sum_reweighted(layer: HiddenLayer) -> Tensor:
    """Energies over x + 0.1, where x is known (Candes, Wakin & Boyd, doi:10.1007/s00041-008-9045-x)."""
    first, last = (_reweight(energies) for energies in measure_energies(layer))
    return first + last


def _reweight(energies: Tensor) -> Tensor:
    known = energies.detach()
    return (energies / (known / known.square().mean().sqrt() + 0.1)).sum()


_PEERS: Mapping[str, Penalty] = {
    "l2": _sum_squares,
    "l1": _sum_absolutes,
    "group-lasso": _sum_energies,
    "reweighted-lasso": _sum_reweighted,
}
_GATED = {f"gated-{gate}": gate for gate in ("lorentzian", "shirley", "gaussian")}

#: In the order of the tables.
METHODS = ("none", *_PEERS, *_GATED)


def make_objective(task: Objective, method: str, strength: float, **ramp: float) -> Objective:
    """Return what is minimised; the gated ones are those of the product, of which the others take the ramp.

    Raises
    ------
    ValueError
        When there is no such method.
    """
    if method == "none":
        return task
    if method in _GATED:
        return LayerBackgroundObjective(task, LayerBackground(strength=strength, gate=_GATED[method], **ramp))
    if method not in _PEERS:
        msg = f"'method' must be one of {', '.join(METHODS)}; found {method!r}."
        raise ValueError(msg)
    return PenalizedObjective(task, _PEERS[method], LayerBackground(strength=strength, **ramp))
