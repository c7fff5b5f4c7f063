"""How many features of a denoiser are exactly zero: what a shrinkage is for, and ReLU does, too."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_bgremove.learning.networks import PriorGuidedNet
from napari_bgremove.learning.networks.double_conv import DoubleConv
from napari_bgremove.numpy_network.spec import NormMode

__all__ = ["measure_zero_share"]


def measure_zero_share(network: PriorGuidedNet, measured: ArrayLike, *, norm: NormMode = "fixed") -> float:
    """Return the share of zeros in all features behind an activation of the U-Net; that of the prior does not count.

    Parameters
    ----------
    network : PriorGuidedNet
        Not changed.
    measured : array_like, shape (n, L)
        As the network knows signals.
    norm : NormMode
    """
    zeros, features = 0, 0

    def count(_module: torch.nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal zeros, features
        zeros += int((output == 0).sum())
        features += output.numel()

    blocks = [block for block in network.children() if isinstance(block, DoubleConv)]
    hooks = [part.register_forward_hook(count) for block in blocks for part in (block.shrink1, block.shrink2)]
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.from_numpy(np.asarray(measured, np.float32)), norm=norm)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return zeros / features
