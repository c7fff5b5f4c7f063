"""The terms of a training epoch by epoch: its losses and, where a run removes it, the background of hidden layers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TERMS", "TermHistory", "describe_layer_terms"]

#: What can be drawn over the epochs, and what it is called.
TERMS: Mapping[str, str] = MappingProxyType({
    "loss": "loss",
    "task_loss": "loss of the task",
    "layer_background": "layer background R",
    "layer_snr": "layer SNR",
    "small_units": "share of small hidden units",
})  # fmt: skip
_CURVES = ("training", "validation")


class TermHistory:
    """Events of epochs in, curves out; it knows no window."""

    def __init__(self) -> None:
        self._epochs: dict[int, Mapping[str, Mapping[str, float]]] = {}

    @property
    def count(self) -> int:
        """How many epochs there are up to the newest."""
        return max(self._epochs, default=-1) + 1

    @property
    def names(self) -> list[str]:
        """Of `TERMS`, those that some epoch has."""
        return [name for name in TERMS if any(name in terms["training"] for terms in self._epochs.values())]

    @property
    def newest(self) -> Mapping[str, float]:
        """Terms of the newest training epoch."""
        return self._epochs[self.count - 1]["training"] if self._epochs else {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Remember the terms of an epoch."""
        self._epochs[event["epoch"]] = {name: event[name] for name in _CURVES}

    def forget_from(self, epoch: int) -> None:
        """Forget this epoch and those after it: a run that was killed repeats what it had not kept."""
        self._epochs = {number: terms for number, terms in self._epochs.items() if number < epoch}

    def draw(self, name: str) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return epochs and values of a term in training and, where it is known there, in validation.

        Of the task in validation that is the loss, which has no other term in it.
        """
        epochs = np.arange(1, self.count + 1, dtype=float)
        of = {"training": name, "validation": "loss" if name == "task_loss" else name}
        curves = {curve: self._collect(curve, of[curve]) for curve in _CURVES}
        return {
            curve: (epochs, values) for curve, values in curves.items() if name == "loss" or np.isfinite(values).any()
        }

    def _collect(self, curve: str, name: str) -> NDArray[np.float64]:
        known = (self._epochs.get(epoch, {}).get(curve, {}) for epoch in range(self.count))
        return np.array([terms.get(name, np.nan) for terms in known], np.float64)


def describe_layer_terms(terms: Mapping[str, float]) -> str:
    """Say what became of the hidden layers in an epoch; nothing where the run leaves them alone."""
    if "layer_background" not in terms:
        return ""
    return (
        f"Task {terms['task_loss']:.4g}, layer background R {terms['layer_background']:.4g}, layer SNR "
        f"{terms['layer_snr']:.3g}; {100 * terms['small_units']:.3g} % of the hidden units are below 1 % of the rms."
    )
