"""Sets of spectra into signal and background, by a trained network or a classical cleaning."""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_bgremove._validation import check_choice
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.cleaning import CLEANERS, clean_spectra
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SpectraMethod", "separate_set"]

Output = Literal["subtract", "synthesis", "both"]


class SpectraMethod(BaseModel):
    """How a set of spectra is taken apart.

    Attributes
    ----------
    model : str or None
        Model file of a network; None takes the classical `method`.
    method : str
        Of `CLEANERS`.
    parameters : dict
        Of the classical method.
    output : {"subtract", "synthesis", "both"}
        Of a network: the signal is the measured spectrum without the
        background z_n; or the network's own signal z_x; or both parts are the
        network's, and leave a residual.
    device, precision, threads
        Where and how a network computes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    method: str = "arpls"
    parameters: dict[str, Any] = Field(default_factory=dict)
    output: Output = "subtract"
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)


def separate_set(
    spectra: SpectraSet, how: SpectraMethod, *, signal_channels: NDArray[np.bool_] | None = None
) -> Separation:
    """Separate all spectra of a set.

    Parameters
    ----------
    spectra : SpectraSet
    how : SpectraMethod
    signal_channels : ndarray of bool, shape (n_channels,), optional
        True where a person has marked signal.

    Returns
    -------
    Separation
        Of the shape of the spectra; its provenance says how long it took.

    Raises
    ------
    ValueError
        When the method is unknown, or the channels are not those of the network.
    ComputeError
        When a spectrum cannot be separated.
    ModelFileError
        When the model cannot be used.
    """
    started = time.perf_counter()
    if how.model is None:
        check_choice("method", how.method, tuple(CLEANERS))
        parts = clean_spectra(
            spectra.axis, np.asarray(spectra.spectra), method=how.method, blocks=spectra.blocks,
            signal_channels=signal_channels, **how.parameters,
        )  # fmt: skip
    else:
        parts = _apply_network(spectra, how, signal_channels)
    provenance = {**parts.provenance, "seconds": round(time.perf_counter() - started, 3)}
    return Separation(parts.signal, parts.background, parts.measured, provenance=provenance)


def _apply_network(spectra: SpectraSet, how: SpectraMethod, signal_channels: NDArray[np.bool_] | None) -> Separation:
    from napari_bgremove.learning.devices import pick_device
    from napari_bgremove.learning.model_file import read_spectra_model
    from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra

    assert how.model is not None
    options = SpectraOptions(
        output=how.output, device=pick_device(how.device), precision=how.precision, threads=how.threads
    )
    return separate_spectra(
        read_spectra_model(how.model), np.asarray(spectra.spectra), axis=spectra.axis,
        signal_channels=signal_channels, options=options,
    )  # fmt: skip
