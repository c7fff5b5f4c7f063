"""What the hidden layers of a model are made of: energies of their units, their spectra, what of them is background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.engine.layer_models import find_model_file, read_any_model
from napari_bgremove.spectra.layer_spectrum import LayerSpectrum, make_layer_spectrum

if TYPE_CHECKING:
    from torch import nn

__all__ = ["InspectedLayer", "InspectedSide", "describe_layers", "inspect_layers", "inspect_network"]

# Units above this share of the root mean square energy, on both sides, count as kept.
_SMALL = 0.01


@dataclass(frozen=True, eq=False)
class InspectedSide:
    """One side of a hidden layer.

    Attributes
    ----------
    energies : ndarray, shape (units,)
        Norms of the weights into, or out of, each unit; |gamma| into one that is normalized.
    spectrum : LayerSpectrum
        What is drawn of them; `spectrum.x` are the same energies over their rms.
    """

    energies: NDArray[np.float64]
    spectrum: LayerSpectrum


@dataclass(frozen=True, eq=False)
class InspectedLayer:
    """A hidden layer of a model.

    Attributes
    ----------
    name : str
    shape : str
        Width before, of and behind it, and what a unit is: "8-16-8 channels".
    into, out : InspectedSide
    """

    name: str
    shape: str
    into: InspectedSide
    out: InspectedSide

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.into.energies)

    @property
    def snr(self) -> float:
        """Layer SNR: mean of both sides."""
        return float(np.mean([side.spectrum.snr for side in self._sides]))

    @property
    def participation_ratio(self) -> float:
        """Mean of both sides; NaN where a side carries no energy."""
        return float(np.mean([side.spectrum.participation_ratio for side in self._sides]))

    @property
    def alive(self) -> NDArray[np.bool_]:
        """True for a unit above 1 % of the rms energy on both sides: the estimate of what can be kept at no cost."""
        return np.asarray(np.all([side.spectrum.x > _SMALL for side in self._sides], axis=0))

    @property
    def background(self) -> NDArray[np.bool_]:
        """True for a unit more than half of which is background on both sides, by the Shirley gate."""
        gates = [side.spectrum.measure_gate(side.spectrum.x) for side in self._sides]
        return np.asarray(np.all([gate > 0.5 for gate in gates], axis=0))

    @property
    def _sides(self) -> tuple[InspectedSide, InspectedSide]:
        return self.into, self.out


def inspect_layers(path: Path) -> tuple[InspectedLayer, ...]:
    """Look into the hidden layers of a model.

    Parameters
    ----------
    path : Path
        Model file of images, spectra or signals, also that of an epoch, or a run folder, whose best model is taken.

    Returns
    -------
    tuple of InspectedLayer
        In the order in which data go through.

    Raises
    ------
    ReadError, ModelFileError
        When there is no model, or it is not whole.
    ValueError
        When its network has no hidden layer.
    """
    return inspect_network(read_any_model(find_model_file(path)).network)


def inspect_network(network: nn.Module) -> tuple[InspectedLayer, ...]:
    """Look into the hidden layers of a network; otherwise as `inspect_layers`."""
    from napari_bgremove.learning.hidden_layers import find_hidden_layers, measure_energies

    return tuple(
        InspectedLayer(layer.name, _describe_shape(layer), *(_inspect(side) for side in measure_energies(layer)))
        for layer in find_hidden_layers(network)
    )


def describe_layers(layers: tuple[InspectedLayer, ...]) -> list[dict[str, Any]]:
    """Return the numbers of layers as plain values, for a file or a letter."""
    return [
        {
            "name": layer.name, "shape": layer.shape, "units": layer.units, "snr": layer.snr,
            "participation_ratio": layer.participation_ratio, "alive": int(layer.alive.sum()),
            "background": int(layer.background.sum()),
            **{name: _describe_side(side) for name, side in (("into", layer.into), ("out", layer.out))},
        }
        for layer in layers
    ]  # fmt: skip


def _describe_side(side: InspectedSide) -> dict[str, Any]:
    drawn = side.spectrum
    return {
        "energies": side.energies.tolist(), "snr": drawn.snr, "participation_ratio": drawn.participation_ratio,
        "background_share": drawn.background_share, "window": list(drawn.window), "status": drawn.status,
        "sentence": drawn.sentence,
    }  # fmt: skip


def _inspect(energies: Any) -> InspectedSide:
    values = energies.detach().double().cpu().numpy()
    return InspectedSide(values, make_layer_spectrum(values))


def _describe_shape(layer: Any) -> str:
    from napari_bgremove.learning.hidden_layers import incoming_weights, outgoing_weights

    kinds = {"P4Conv": "fields", "Linear": "neurons"}
    kind = kinds.get(type(layer.producer).__name__, "channels")
    return f"{incoming_weights(layer).shape[1]}-{layer.units}-{outgoing_weights(layer).shape[1]} {kind}"
