"""What a gradient is held against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Slopes = Callable[[Callable[[np.ndarray], float], np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def measure_slopes() -> Slopes:
    """Central differences of a function of an array, one entry after the other, at steps of 1e-6."""

    def measure(function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
        slopes = np.empty(at.shape)
        for index in np.ndindex(at.shape):
            here = np.zeros(at.shape)
            here[index] = step
            slopes[index] = (function(at + here) - function(at - here)) / (2 * step)
        return slopes

    return measure
