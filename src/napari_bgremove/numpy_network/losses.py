"""How far a prediction is from its target, and which way is down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from napari_bgremove._validation import check_same_shape
from napari_bgremove.numpy_network.arrays import Array

__all__ = ["LOSSES", "Loss", "measure_mse", "measure_smooth_l1"]

Loss = Literal["mse", "smooth_l1"]


def measure_mse(predicted: Array, target: Array) -> tuple[float, Array]:
    """Return the mean of e^2 over all samples, e = predicted - target, and its gradient by `predicted`.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    check_same_shape("predicted", predicted, "target", target)
    error = predicted - target
    return float(np.mean(np.square(error))), error * (2 / error.size)


def measure_smooth_l1(predicted: Array, target: Array) -> tuple[float, Array]:
    """Return the mean of e^2 / 2 where |e| < 1 and |e| - 1/2 elsewhere, and its gradient by `predicted`.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    check_same_shape("predicted", predicted, "target", target)
    error = predicted - target
    bounded = np.clip(error, -1, 1)
    return float(np.mean(bounded * (error - bounded / 2))), bounded / error.size


#: The losses by name: (predicted, target) to the loss and its gradient.
LOSSES: Mapping[Loss, Callable[[Array, Array], tuple[float, Array]]] = MappingProxyType(
    {"mse": measure_mse, "smooth_l1": measure_smooth_l1}
)
