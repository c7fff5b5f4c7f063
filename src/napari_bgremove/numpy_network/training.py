"""A training small enough to be checked by eye; `learning.training` is the one for work."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from napari_bgremove._validation import check_positive
from napari_bgremove.numpy_network.arrays import Array
from napari_bgremove.numpy_network.descent import sgd_step
from napari_bgremove.numpy_network.losses import Loss
from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet

__all__ = ["train"]


def train(
    network: NumpyPriorGuidedNet,
    measured: ArrayLike,
    signal: ArrayLike,
    *,
    epochs: int,
    batch_size: int = 1,
    learning_rate: float = 1e-4,
    momentum: float = 0.9,
    weight_decay: float = 1e-6,
    loss: Loss = "smooth_l1",
    seed: int = 0,
) -> tuple[NumpyPriorGuidedNet, list[float]]:
    """Train by stochastic gradient descent; the defaults are the paper's, but for its falling learning rate.

    Parameters
    ----------
    network : NumpyPriorGuidedNet
        Where to start. Not modified.
    measured, signal : array_like
        As recorded, and what is to be found in it; (count, L) each.
    epochs, batch_size : int
        How often every signal is seen, and how many at a time; a last batch may be smaller.
    learning_rate, momentum, weight_decay : float
        As of torch.optim.SGD.
    loss : {"smooth_l1", "mse"}
    seed : int
        Of the order of the signals, another one in each epoch.

    Returns
    -------
    network : NumpyPriorGuidedNet
        With new weights and running statistics.
    losses : list of float
        Mean over each epoch.

    Raises
    ------
    ValueError, ComputeError
        As `NumpyPriorGuidedNet.loss_and_gradients`; ValueError when an epoch or a batch is empty.
    """
    check_positive("epochs", epochs)
    check_positive("batch_size", batch_size)
    given, wanted = np.asarray(measured), np.asarray(signal)
    rng = np.random.default_rng(seed)
    velocity: dict[str, Array] = {}
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(given))
        total = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            value, gradients, statistics = network.loss_and_gradients(given[batch], wanted[batch], loss=loss)
            weights, velocity = sgd_step(
                network.weights, gradients, velocity,
                learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay,
            )  # fmt: skip
            network = NumpyPriorGuidedNet(network.spec, weights | statistics)
            total += value * len(batch)
        losses.append(total / len(order))
    return network, losses
