"""Spectra without their noise, as the spectrum panel shows them; no widget, no layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._model_header import check_model_file, find_subject
from napari_bgremove.engine.signal_denoising import DenoisingMethod, denoise
from napari_bgremove.errors import EXPECTED, ModelFileError
from napari_bgremove.filters.signal_filters import METHODS
from napari_bgremove.separation import Separation
from napari_bgremove.widgets.parts.model_names import name_model

__all__ = [
    "LABELS",
    "NORMS",
    "NOT_DENOISED",
    "NOT_THERE",
    "OF_DENOISED",
    "Denoised",
    "await_network",
    "denoise_by_filter",
    "name_method",
    "read_batch_size",
    "refuse_denoising",
]

Array = NDArray[np.float64]

#: Modes of a network's batch normalization that are shown side by side.
NORMS = ("fixed", "signal")
#: What a denoised curve is called, by its key.
LABELS: Mapping[str, str] = MappingProxyType(
    {name: method.label for name, method in METHODS.items()} | {norm: f"network ({norm})" for norm in NORMS}
)
#: Why errors of a background that was fitted to a denoised spectrum are not to be believed.
OF_DENOISED = (
    "Fitted to the denoised spectrum: its standard errors are not true, because denoising has changed the scatter they "
    "are found from, and neighbouring samples are no longer independent."
)


#: Why there is none yet, or none at all.
NOT_THERE = "there is no denoised spectrum to fit"


@dataclass(frozen=True)
class Denoised:
    """A spectrum without its noise: by one filter, or by one network in both modes.

    Attributes
    ----------
    parts : mapping of str to Separation
        By key of `LABELS`; `signal` is the denoised spectrum. All NaN while an
        answer of the engine is awaited.
    refusals : mapping of str to str
        Why there is none, in a sentence, by key.
    chosen : str
        Key of the one that goes on, to backgrounds and to all rows.
    is_awaited : bool
    is_fitted : bool
        Whether backgrounds are to be those of the chosen curve.
    """

    parts: Mapping[str, Separation] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    is_awaited: bool = False
    is_fitted: bool = False

    @property
    def signal(self) -> Array | None:
        """The chosen curve; None where there is none, or none yet."""
        part = self.parts.get(self.chosen)
        return None if part is None or self.is_awaited else np.asarray(part.signal, np.float64)


#: Of a spectrum that is shown as it was measured.
NOT_DENOISED = Denoised()


def denoise_by_filter(measured: Array, how: DenoisingMethod) -> Denoised:
    """Denoise a spectrum by a classical filter."""
    try:
        return Denoised({how.method: denoise(measured, how)}, chosen=how.method)
    except EXPECTED as error:
        return refuse_denoising(how.method, str(error))


def refuse_denoising(key: str, reason: str) -> Denoised:
    """Return that there is nothing, and why."""
    return Denoised(refusals={key: reason}, chosen=key)


def await_network(measured: Array, chosen: str) -> Denoised:
    """Return curves that are empty until the engine has answered; so legend and table stay as they are."""
    nothing = np.full(measured.shape, np.nan)
    return Denoised(dict.fromkeys(NORMS, Separation(nothing, nothing, measured)), chosen=chosen, is_awaited=True)


def read_batch_size(path: str) -> int:
    """Return with how many signals in a batch the denoiser in a model file was trained, without torch.

    Raises
    ------
    ModelFileError
        When it is no such model.
    """
    description: Any = check_model_file(Path(path))
    size = description.get("batch_size")
    if find_subject(description) != "signals" or not isinstance(size, int):
        msg = f"'{Path(path).name}' is no denoiser of signals. Train one by 'bgremove signals train'."
        raise ModelFileError(msg)
    return size


def name_method(how: DenoisingMethod, chosen: str) -> str:
    """Return what layers made by a method are called after."""
    return LABELS[chosen] if how.model is None else f"{name_model(how.model)} ({chosen})"
