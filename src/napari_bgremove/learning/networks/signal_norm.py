"""Batch normalization whose statistics can be chosen when a trained network is applied."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.errors import ComputeError
from napari_bgremove.numpy_network.spec import NormMode

__all__ = ["SignalNorm", "Unnormalized"]


class SignalNorm(nn.BatchNorm1d):
    """Batch normalization of (B, C, L) by the running statistics, by those of the batch, or of each signal alone.

    gamma (x - mean) / sqrt(variance + eps) + beta for each channel. In training
    the statistics are those of the batch, and the running ones follow them;
    evaluation changes nothing, whichever statistics it uses.

    Raises
    ------
    ComputeError
        When mean and variance would come from a single value.
    """

    def forward(self, x: Tensor, norm: NormMode = "fixed") -> Tensor:
        whose = "batch" if self.training else norm
        if whose != "fixed":
            _check_values(x.shape[-1] * (len(x) if whose == "batch" else 1))
        if whose == "signal":
            return functional.instance_norm(x, None, None, self.weight, self.bias, eps=self.eps)
        if self.training or whose == "fixed":
            return super().forward(x)
        return functional.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)


def _check_values(values: int) -> None:
    if values < 2:
        msg = (
            "Mean and variance of a normalization need two or more values per channel; "
            f"found {values} at the bottom of the network. Use longer signals, or the running statistics ('fixed')."
        )
        raise ComputeError(msg)


class Unnormalized(nn.Module):
    """Stands where a normalization would, and does nothing."""

    def forward(self, x: Tensor, norm: NormMode = "fixed") -> Tensor:
        return x
