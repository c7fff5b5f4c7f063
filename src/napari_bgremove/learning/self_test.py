"""An input made from a formula, through a network: it proves on any machine that a model computes what it should."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bgremove.learning.networks import Network

__all__ = ["measure_deviation", "predict_pattern"]


def measure_deviation(network: Network, expected: tuple[Tensor, Tensor]) -> float:
    """Return the largest deviation from the expected output, relative to its largest value."""
    deviation = 0.0
    for now, then in zip(predict_pattern(network), expected, strict=True):
        scale = max(float(then.abs().max()), 1e-3)
        worst = float((now - then).abs().max()) / scale
        deviation = max(deviation, worst if math.isfinite(worst) else math.inf)  # max() would lose a NaN
    return deviation


def predict_pattern(network: Network) -> tuple[Tensor, Tensor]:
    """Return signal and background of the pattern, of the network's `pattern_shape`."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        signal, background = network.separate(_make_pattern(network.pattern_shape).to(device))
    network.train(was_training)
    return signal[0, 0].float().cpu(), background[0, 0].float().cpu()


def _make_pattern(shape: tuple[int, ...]) -> Tensor:
    """Make the input: no random generator, no file. That of a spectrum or signal is the first row of an image's."""
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in (1, *shape)[-2:])
    wave = 0.5 + 0.5 * torch.sin(0.37 * rows[:, None] + 0.11 * columns[None, :] ** 1.5)
    spots = (torch.cos(1.7 * rows[:, None]) * torch.cos(2.3 * columns[None, :])) > 0.9
    return (0.3 * wave + 0.7 * spots).clamp(0, 1).float().reshape(1, 1, *shape)
