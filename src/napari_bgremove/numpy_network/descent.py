"""Stochastic gradient descent with momentum and weight decay, as torch.optim.SGD."""

from __future__ import annotations

import numpy as np

from napari_bgremove.numpy_network.arrays import Array, Weights

__all__ = ["sgd_step"]


def sgd_step(
    weights: Weights,
    gradients: Weights,
    velocity: Weights,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return weights and velocity after one step: v <- momentum v + g + decay w, w <- w - rate v.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Not modified. What has no gradient (running statistics) is handed on.
    gradients : mapping of str to ndarray
        By the names of the weights they belong to.
    velocity : mapping of str to ndarray
        What the step before returned; empty for the first.
    learning_rate, momentum, weight_decay : float

    Returns
    -------
    weights, velocity : dict of str to ndarray

    Raises
    ------
    ValueError
        When a gradient belongs to no weight.
    """
    if strangers := set(gradients) - set(weights):
        msg = f"'gradients' must belong to weights; found {', '.join(sorted(strangers))}."
        raise ValueError(msg)
    speed = {name: g + weight_decay * weights[name] for name, g in gradients.items()}
    speed = {name: v + momentum * velocity[name] if name in velocity else v for name, v in speed.items()}
    # Of a single number numpy 1 makes a float64 scalar.
    moved = {n: np.asarray(weights[n] - learning_rate * v, weights[n].dtype) for n, v in speed.items()}
    return {**weights, **moved}, speed
