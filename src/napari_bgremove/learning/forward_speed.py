"""How long networks take for what they were made for."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from napari_bgremove.learning.networks import Network

__all__ = ["measure_forward_seconds"]


def measure_forward_seconds(
    networks: Sequence[Network], shape: tuple[int, ...], *, batch: int = 1, repeats: int = 7
) -> tuple[float, ...]:
    """Measure how long one forward pass of each network takes on the CPU.

    They take turns, so that what else the computer does slows all of them, and
    the shortest of several passes counts; a first one warms up.

    Parameters
    ----------
    networks : sequence of Network
        Left on the CPU, in evaluation mode.
    shape : tuple of int
        Rows and columns of an image, or samples of a signal.
    batch : int
        So many at once.
    repeats : int

    Returns
    -------
    tuple of float
        Seconds for the whole batch.
    """
    measured = torch.linspace(0, 1, batch * shape[-1]).reshape(batch, 1, *(1,) * (len(shape) - 1), -1)
    measured = measured.expand(batch, 1, *shape).contiguous()
    for network in networks:
        network.cpu().eval()
    with torch.inference_mode():
        turns = [[_time(network, measured) for network in networks] for _ in range(repeats + 1)]
    return tuple(min(each) for each in zip(*turns[1:], strict=True))


def _time(network: Network, measured: Tensor) -> float:
    started = time.perf_counter()
    network.separate(measured)
    return time.perf_counter() - started
