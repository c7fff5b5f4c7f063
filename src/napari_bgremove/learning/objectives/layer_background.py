"""Background removal inside the network: an objective that also shrinks what of a layer is background.

Qajar proposes to take the Shirley background of a layer's spectrum away while
the network trains. Maximising the area above it makes all units equal; what
works is to shrink each energy by the share of background it has (the gate),
which is not differentiated: a reweighted group lasso whose weights lie
between 0 and 1. docs/layer-background.md compares the readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from napari_bgremove.learning.hidden_layers import (
    HiddenLayer,
    find_hidden_layers,
    incoming_weights,
    measure_energies,
    outgoing_weights,
)
from napari_bgremove.learning.layer_gates import measure_gate
from napari_bgremove.learning.training import Objective
from napari_bgremove.spectra.layer_background import LayerBackground

__all__ = ["LayerBackgroundObjective", "measure_layer_background"]

# Units below this share of the root mean square energy, on both sides, count as removed.
_SMALL = 0.01


@dataclass(frozen=True)
class LayerBackgroundObjective:
    """Any objective, plus strength x R while the network is in training.

    R is the sum over all hidden layers, over both sides of each, and over
    units of rho(e / rms(e)) e, where e is the energy of a unit on that side
    and rho, the gate, has no gradient. A unit w is thus pulled towards zero
    with the force strength x rho: nearly all of it where it is weak, nearly
    none where it is strong.

    R does not depend on the batch, so parts of a batch, weighted by their
    samples, add up to one R. In evaluation the loss is that of the task alone:
    the best epoch is the one that does the task best.

    Parameters
    ----------
    objective : callable
        (network, batch) -> {"loss": ..., named terms}: the task.
    options : LayerBackground
    progress : float
        Share of the run that is done; the training loop asks for it by `at`.
    """

    objective: Objective
    options: LayerBackground = field(default_factory=LayerBackground)
    progress: float = 1.0

    def at(self, progress: float) -> LayerBackgroundObjective:
        """Return the objective where this share of the run is done."""
        return replace(self, progress=progress)

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the terms of the task, and in training these, with a `loss` that has the term in it.

        `task_loss`; `layer_background`, R without its strength; `layer_snr`
        and `small_units` as of `measure_layer_background`.

        Raises
        ------
        ValueError
            When the network has no hidden layer.
        """
        terms = self.objective(network, batch)
        if not network.training:
            return terms
        measured = measure_layer_background(find_hidden_layers(network), self.options)
        strength = self.options.find_strength(self.progress)
        loss = terms["loss"] + strength * measured["layer_background"]
        return {**terms, "loss": loss, "task_loss": terms["loss"], **measured}


def measure_layer_background(layers: Sequence[HiddenLayer], options: LayerBackground) -> dict[str, Tensor]:
    """Measure how much background hidden layers have.

    Parameters
    ----------
    layers : sequence of HiddenLayer
        At least one.
    options : LayerBackground
        Gate and units; strength and ramp are not used.

    Returns
    -------
    dict of str to Tensor
        `layer_background`: R, the only one with a gradient, which is finite
        also for a layer of zeros. `layer_snr`: (1 - beta) / beta, with beta
        the share of background in the power of a side by the same gate, mean
        over layers and sides. `small_units`: share of units whose energy is at
        most 1 % of the root mean square on both sides.
    """
    sides = [side for layer in layers for side in _list_energies(layer, options)]
    relative = [_normalize(side) for side in sides]
    gates = [measure_gate(x, gate=options.gate, e0=options.e0, gamma=options.gamma) for x in relative]
    total = torch.stack([(gate * side).sum() for gate, side in zip(gates, sides, strict=True)]).sum()
    with torch.no_grad():
        share = torch.stack([_share_of(gate, x) for gate, x in zip(gates, relative, strict=True)]).mean()
        small = torch.cat([_find_small(layer) for layer in layers]).float().mean()
    return {"layer_background": total, "layer_snr": (1 - share) / share, "small_units": small}


def _list_energies(layer: HiddenLayer, options: LayerBackground) -> tuple[Tensor, Tensor]:
    if options.units == "neurons":
        return measure_energies(layer)
    return incoming_weights(layer).abs().flatten(), outgoing_weights(layer).abs().flatten()


def _normalize(energies: Tensor) -> Tensor:
    """Energies in units of their root mean square, without gradient; zeros stay zeros."""
    known = energies.detach()
    rms = known.square().mean().sqrt()
    return known / torch.where(rms > 0, rms, 1)


def _share_of(gate: Tensor, x: Tensor) -> Tensor:
    """Share of background in the power of one side; above zero, so that a ratio to it is a number."""
    share = (gate * x.square()).mean().clamp_min(torch.finfo(x.dtype).eps)
    return torch.where(x.any(), share, 1)


def _find_small(layer: HiddenLayer) -> Tensor:
    into, out = (_normalize(side) <= _SMALL for side in measure_energies(layer))
    return into & out
