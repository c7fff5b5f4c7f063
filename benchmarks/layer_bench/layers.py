"""What the hidden layers of a network look like: witnesses beside the error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from napari_bgremove.learning.hidden_layers import (
    find_hidden_layers,
    incoming_weights,
    measure_energies,
    outgoing_weights,
)
from napari_bgremove.learning.objectives.layer_background import measure_layer_background
from napari_bgremove.spectra.layer_background import LayerBackground
from napari_bgremove.spectra.layer_spectrum import make_layer_spectrum

__all__ = ["FIGURES", "describe_layers"]

#: By name, how a column is headed.
FIGURES: Mapping[str, str] = {
    "snr": "layer SNR, Lorentzian gate",
    "shirley_snr": "layer SNR, Shirley",
    "participation": "participation ratio",
    "above_edge": "power above the Marchenko-Pastur edge",
    "small": "units below 1 %",
}


@torch.no_grad()
def describe_layers(network: nn.Module) -> dict[str, float]:
    """Measure `FIGURES`, each a mean over the hidden layers and both sides of them; an SNR is of the mean background.

    The Lorentzian SNR is by the gate that a training may have used, so it is
    no evidence; participation ratio and Marchenko-Pastur edge know of no gate.
    """
    layers = find_hidden_layers(network)
    gated = measure_layer_background(layers, LayerBackground())
    spectra = [make_layer_spectrum(energies.numpy()) for layer in layers for energies in measure_energies(layer)]
    sides = [weights for layer in layers for weights in (incoming_weights(layer), outgoing_weights(layer))]
    background = np.mean([one.background_share for one in spectra])
    return {
        "snr": float(gated["layer_snr"]),
        "shirley_snr": float((1 - background) / background),
        "participation": float(np.mean([one.participation_ratio for one in spectra])),
        "above_edge": float(np.mean([measure_share_above_edge(weights) for weights in sides])),
        "small": float(gated["small_units"]),
    }


def measure_share_above_edge(weights: Tensor) -> float:
    """Measure how much of the squared Frobenius norm lies in singular values that chance does not make.

    A matrix of independent entries with the same mean square has none above
    the edge of Marchenko and Pastur, rms (sqrt(rows) + sqrt(columns)), when it is large.
    """
    matrix = weights.flatten(1)
    power = torch.linalg.svdvals(matrix).square()
    edge = matrix.square().mean() * (matrix.shape[0] ** 0.5 + matrix.shape[1] ** 0.5) ** 2
    return float(power[power > edge].sum() / power.sum())
