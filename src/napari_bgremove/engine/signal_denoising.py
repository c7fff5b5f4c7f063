"""Signals without their noise, by a classical filter or a network: one way for commands and windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_bgremove._validation import check_choice, check_same_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["DenoisingMethod", "NothingToDenoiseError", "SignalDenoiser", "denoise", "denoise_set"]

_UNKNOWN_NOISE = "the noise cannot be told where no three usable samples lie side by side"


class NothingToDenoiseError(ComputeError):
    """Not one of the signals can be denoised; of a larger map, others may."""


class DenoisingMethod(BaseModel):
    """How signals are denoised, as plain values that fit into a letter to another process.

    Attributes
    ----------
    model : str or None
        Model file of a network; None takes the classical `method`.
    method : str
        Of `filters.signal_filters.METHODS`.
    parameters : dict
        Of the classical method; what is not given is found from the data.
    norm : {"fixed", "signal"} or None
        Whose statistics a network normalizes with: those of its training, or
        those of each signal by itself. None takes what suits the batches it
        was trained with.
    device, threads
        Where and how a network computes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    method: str = "tv"
    parameters: dict[str, Any] = Field(default_factory=dict)
    norm: Literal["fixed", "signal"] | None = None
    device: str = "auto"
    threads: int | None = Field(default=None, ge=1)


class SignalDenoiser:
    """Denoises one block of signals after the other; a network is read once.

    Parameters
    ----------
    how : DenoisingMethod

    Attributes
    ----------
    label : str
        What the method is called in a sentence.
    record : dict
        What a file says of it.

    Raises
    ------
    ValueError
        When there is no such method.
    ComputeError
        When the device is not there.
    ModelFileError
        When the model cannot be used.
    """

    def __init__(self, how: DenoisingMethod) -> None:
        self._apply: Callable[[ArrayLike], Separation]
        if how.model is None:
            self._apply, self.label, self.record = _take_filter(how)
        else:
            self._apply, self.label, self.record = _take_network(how, how.model)

    def denoise(self, measured: ArrayLike, *, valid_mask: ArrayLike | None = None) -> Separation:
        """Denoise signals, each by itself; see `denoise` of this module."""
        started = time.perf_counter()
        values = measured if valid_mask is None else _mark_unusable(measured, valid_mask)
        try:
            parts = self._apply(values)
        except ComputeError as error:
            if np.isfinite(estimate_sigma(np.ma.filled(np.ma.asarray(values, np.float64), np.nan))).any():
                raise
            raise NothingToDenoiseError(str(error)) from error
        found = {"sigma": estimate_sigma(parts.measured).ravel().tolist(), **parts.provenance.get("found", {})}
        seconds = round(time.perf_counter() - started, 4)
        return replace(parts, provenance={**parts.provenance, **self.record, "found": found, "seconds": seconds})


def denoise(measured: ArrayLike, how: DenoisingMethod, *, valid_mask: ArrayLike | None = None) -> Separation:
    """Denoise signals, each by itself.

    Parameters
    ----------
    measured : array_like, shape (..., n)
        One signal or many, at equal steps; what is not finite is not usable.
        Not modified.
    how : DenoisingMethod
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.

    Returns
    -------
    Separation
        `signal` is the denoised signal, `background` the noise that was taken
        away; NaN where a sample is not usable, or a signal of many cannot be
        denoised. Its provenance holds the numbers that were ``found``, a list
        of one per signal each: sigma, the noise as estimated from the signal,
        and those of the method; and how many seconds it took.

    Raises
    ------
    ValueError
        When method, parameters, samples or mask are wrong.
    NothingToDenoiseError
        A ComputeError: when no signal can be denoised.
    ModelFileError
        When the model cannot be used.
    """
    return SignalDenoiser(how).denoise(measured, valid_mask=valid_mask)


def denoise_set(spectra: SpectraSet, denoiser: SignalDenoiser) -> Separation:
    """Denoise the spectra of a set, each spectrometer by itself: one ends where the next does not go on.

    Parameters
    ----------
    spectra : SpectraSet
    denoiser : SignalDenoiser

    Returns
    -------
    Separation
        Of the shape of the spectra. Numbers that were found are called
        ``sigma UV`` ... where there are several spectrometers.

    Raises
    ------
    ValueError, ComputeError
        As `denoise`.
    """
    parts = [denoiser.denoise(np.asarray(spectra.spectra[:, block.start : block.stop])) for block in spectra.blocks]
    names = [f" {block.name}" if len(parts) > 1 else "" for block in spectra.blocks]
    found = {
        f"{name}{of}": values
        for one, of in zip(parts, names, strict=True)
        for name, values in one.provenance["found"].items()
    }
    seconds = round(sum(one.provenance["seconds"] for one in parts), 4)
    record = {**_without_result(parts), "found": found, "seconds": seconds}
    signal, background, measured = (_join(parts, name) for name in ("signal", "background", "measured"))
    return Separation(signal, background, measured, provenance=record)


def _without_result(parts: Sequence[Separation]) -> Mapping[str, Any]:
    """Return the record of the first part, with what the part that lacks most has to say."""
    lacking = [one.provenance["without_result"] for one in parts if "without_result" in one.provenance]
    worst = {"without_result": max(lacking, key=lambda one: int(one["count"]))} if lacking else {}
    return {**parts[0].provenance, **worst}


def _join(parts: Sequence[Separation], name: str) -> NDArray[np.floating[Any]]:
    return np.concatenate([getattr(one, name) for one in parts], axis=-1)


def _take_filter(how: DenoisingMethod) -> tuple[Callable[[ArrayLike], Separation], str, dict[str, Any]]:
    check_choice("method", how.method, tuple(METHODS))
    chosen = METHODS[how.method]
    record = {"method": how.method, "parameters": {**chosen.parameters, **how.parameters}}
    return partial(denoise_signals, method=how.method, **how.parameters), chosen.label, record


def _take_network(how: DenoisingMethod, file: str) -> tuple[Callable[[ArrayLike], Separation], str, dict[str, Any]]:
    from napari_bgremove.learning import signal_inference
    from napari_bgremove.learning.devices import limited_threads, pick_device
    from napari_bgremove.learning.model_file import read_signal_model

    device, model = pick_device(how.device), read_signal_model(file)
    trained, norm = model.description, how.norm or model.description.fitting_norm

    def apply(measured: ArrayLike) -> Separation:
        with limited_threads(how.threads):
            parts = signal_inference.denoise_signals(model, measured, norm=norm, device=device)
        lost = int(np.count_nonzero(~np.isfinite(parts.signal).any(axis=-1)))
        why = {"count": lost, "reason": _UNKNOWN_NOISE}
        return replace(parts, provenance={**parts.provenance, **({"without_result": why} if lost else {})})

    label = f"network '{Path(file).name}', trained with batches of {trained.batch_size}, {norm} statistics"
    record = {"method": "prior_guided", "model": model.sha256, "model_file": file, "norm": norm}
    return apply, label, {**record, "batch_size": trained.batch_size}


def _mark_unusable(measured: ArrayLike, valid_mask: ArrayLike) -> NDArray[np.float64]:
    """Return signals with NaN where the mask, of one signal or of all, is False."""
    values = np.ma.filled(np.ma.asarray(measured, np.float64), np.nan)
    mask = np.asarray(valid_mask, bool)
    mask = np.broadcast_to(mask, values.shape) if mask.shape == values.shape[-1:] else mask
    check_same_shape("valid_mask", mask, "measured", values)
    return np.where(mask, values, np.nan)
