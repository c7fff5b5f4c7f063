"""Mean absolute error on both parts of the additive model, as Starke & Smid train it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_bgremove._validation import check_choice

__all__ = ["AdditiveObjective"]

# Below this normalised error a sample counts as solved; it keeps the logarithm finite.
FLOOR = 5e-4
# Below this relative error of the integrated signal there is nothing left to gain.
FLUX_FLOOR = 0.03


@dataclass(frozen=True)
class AdditiveObjective:
    """MAE(signal) + MAE(background), over the pixels that were measured.

    Parameters
    ----------
    mean : {"arithmetic", "geometric"}
        How the samples of a batch are averaged. "arithmetic" is as published;
        samples with little background and a bright signal then outweigh those
        with a faint signal a hundredfold. "geometric" (ours) averages the
        logarithm, so that a decibel counts the same at every level, and so
        does half the error of the integrated signal.
    rmse_weight : float
        Weight of the root mean squared error of the signal (ours; 0 as
        published). The absolute error alone estimates a median, which for
        rare hits is biased; the squared one estimates the mean.
    flux_weight : float
        Weight of the relative error of the integrated signal (ours; 0 as
        published).
    """

    mean: str = "arithmetic"
    rmse_weight: float = 0.0
    flux_weight: float = 0.0

    def __post_init__(self) -> None:
        check_choice("mean", self.mean, ("arithmetic", "geometric"))

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` and its terms for a batch of (B, 1, H, W) tensors."""
        signal, background = (part.float() for part in network(batch["measured"]))
        valid = batch["valid"]
        # Sample by sample, so that a batch shared by several processes gives
        # the same number as the whole batch in one.
        usable = valid.sum((1, 2, 3)).clamp_min(1)
        error = (signal - batch["signal"]) * valid
        mae_signal = error.abs().sum((1, 2, 3)) / usable
        mae_background = ((background - batch["background"]) * valid).abs().sum((1, 2, 3)) / usable
        size = mae_signal + mae_background
        terms = {"mae_signal": mae_signal.mean(), "mae_background": mae_background.mean()}
        if self.rmse_weight:
            rmse = (error.square().sum((1, 2, 3)) / usable + FLOOR**2).sqrt()
            terms["rmse_signal"] = rmse.mean()
            size = size + self.rmse_weight * rmse
        loss = size.mean() if self.mean == "arithmetic" else (size + FLOOR).log().mean()
        if self.flux_weight:
            bright = (batch["signal"] * valid).sum((1, 2, 3)) / usable
            flux = (error.sum((1, 2, 3)) / usable).abs() / (bright + FLOOR)
            terms["flux"] = flux.mean()
            cost = flux if self.mean == "arithmetic" else (1 + flux / FLUX_FLOOR).log()
            loss = loss + self.flux_weight * cost.mean()
        with torch.no_grad():
            terms["live_share"] = (background > 0).float().mean()
        return {"loss": loss, **terms}
