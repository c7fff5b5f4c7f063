"""What a denoiser minimises: the error against the clean signal, or, without one, that of samples it did not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove._validation import check_choice

__all__ = ["LOSSES", "DenoisingObjective", "Noise2SelfObjective", "hide_samples"]

Loss = Literal["mse", "smooth_l1"]
#: By name: e^2, and e^2 / 2 up to |e| = 1, |e| - 1/2 beyond.
LOSSES: Mapping[str, Callable[..., Tensor]] = {"mse": functional.mse_loss, "smooth_l1": functional.smooth_l1_loss}


@dataclass(frozen=True)
class DenoisingObjective:
    """Mean error of the denoised signal against its label.

    A label need not be clean: with a second measurement of the same signal in
    its place, the mean squared error has the same minimum (Noise2Noise).

    Parameters
    ----------
    loss : {"mse", "smooth_l1"}
        The paper trains with the latter (`train.py` of its repository).

    References
    ----------
    J. Lehtinen et al., Noise2Noise, arXiv:1803.04189 (2018).
    """

    loss: Loss = "mse"

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, tuple(LOSSES))

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` and `rmse`, the root mean squared error of each signal, for `measured` and `signal` (B, L)."""
        denoised = network(batch["measured"]).float()
        loss = LOSSES[self.loss](denoised, batch["signal"])
        with torch.no_grad():
            rmse = (denoised - batch["signal"]).square().mean(-1).sqrt().mean()
        return {"loss": loss, "rmse": rmse}


@dataclass(frozen=True)
class Noise2SelfObjective:
    """Mean error on samples that were hidden from the network, against their measured values.

    A hidden sample is replaced by the mean of its neighbours. Where the noise
    of a sample says nothing of that of others, the network cannot learn to
    repeat it, and the squared error is that against the clean signal plus the
    variance of the noise.

    Parameters
    ----------
    loss : {"mse", "smooth_l1"}

    References
    ----------
    J. Batson and L. Royer, Noise2Self, arXiv:1901.11365 (2019).
    """

    loss: Loss = "mse"

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, tuple(LOSSES))

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` for `measured` (B, L) and `hidden` (B, L), true at the samples to hide."""
        measured, hidden = batch["measured"], batch["hidden"]
        denoised = network(hide_samples(measured, hidden)).float()
        error = LOSSES[self.loss](denoised, measured, reduction="none") * hidden
        # Signal by signal, so that a batch in parts gives the same number as in one.
        return {"loss": (error.sum(-1) / hidden.sum(-1)).mean()}


def hide_samples(measured: Tensor, hidden: Tensor) -> Tensor:
    """Replace the hidden samples of (B, L) by the mean of their two neighbours; an end has one, counted twice."""
    padded = functional.pad(measured[:, None], (1, 1), mode="reflect")[:, 0]
    return torch.where(hidden, (padded[:, :-2] + padded[:, 2:]) / 2, measured)
