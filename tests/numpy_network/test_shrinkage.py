"""What shrinkage in place of a ReLU is, and what it is not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.numpy_network.rectifier import forward_relu
from napari_bgremove.numpy_network.shrinkage import (
    backward_learnt_shrinkage,
    forward_adaptive_shrinkage,
    forward_learnt_shrinkage,
    forward_shrinkage,
)

MAPS = np.random.default_rng(0).normal(0, 2, (3, 4, 40))
THETA = np.linspace(-2, 2, 4)


def test_soft_shrinkage_and_a_relu_are_one_relu() -> None:
    """Why shrinkage replaces the ReLU: together they are ReLU(z - Lambda), another beta of the normalization."""
    both = forward_relu(forward_learnt_shrinkage(MAPS, THETA, penalty="soft")[0])[0]
    np.testing.assert_allclose(both, forward_relu(MAPS - np.log1p(np.exp(THETA))[:, None])[0], atol=1e-15)


@pytest.mark.parametrize("penalty", ["half", "hard", "firm"])
def test_the_other_shrinkages_and_a_relu_are_a_new_function(penalty: str) -> None:
    both = forward_relu(forward_learnt_shrinkage(MAPS, THETA, penalty=penalty)[0])[0]  # type: ignore[arg-type]
    for row, channel in zip(both.swapaxes(0, 1), MAPS.swapaxes(0, 1), strict=True):
        shifts = (channel - row)[row > 0]
        assert shifts.std() > 1e-2 or np.abs(shifts).max() == 0  # a hard one shifts nothing, and jumps
        if np.abs(shifts).max() == 0:
            assert row[row > 0].min() > channel[(channel > 0) & (row == 0)].max() > 0.3


def test_a_hard_threshold_is_not_learnt() -> None:
    _, memory = forward_learnt_shrinkage(MAPS, THETA, penalty="hard")
    np.testing.assert_array_equal(backward_learnt_shrinkage(np.ones_like(MAPS), memory)[1], 0)


def test_extreme_thetas_neither_overflow_nor_warn() -> None:
    theta = np.array([-2000.0, -20.0, 20.0, 2000.0])
    y, memory = forward_learnt_shrinkage(MAPS, theta, penalty="soft")
    np.testing.assert_array_equal(y[:, 0], MAPS[:, 0])
    np.testing.assert_array_equal(y[:, 3], 0)
    assert np.isfinite(backward_learnt_shrinkage(np.ones_like(MAPS), memory)[1]).all()


@pytest.mark.parametrize("penalty", ["soft", "half", "hard", "firm"])
def test_where_a_map_is_noise_alone_the_adaptive_one_gives_zero(penalty: str) -> None:
    maps = np.random.default_rng(0).normal(0, 0.1, (1, 1, 100))
    maps[..., 40:50] += np.hanning(10) * 20
    y, _ = forward_adaptive_shrinkage(maps, window=5, penalty=penalty)  # type: ignore[arg-type]
    assert np.count_nonzero(y[..., :35]) == np.count_nonzero(y[..., 55:]) == 0
    assert np.count_nonzero(y[..., 41:49]) >= 4


def test_an_adaptive_soft_shrinkage_knows_no_unit() -> None:
    y = forward_adaptive_shrinkage(MAPS, window=3, penalty="soft")[0]
    np.testing.assert_allclose(forward_adaptive_shrinkage(1e-9 * MAPS, window=3, penalty="soft")[0], 1e-9 * y)


def test_silence_stays_silence() -> None:
    np.testing.assert_array_equal(forward_adaptive_shrinkage(np.zeros((1, 1, 9)), window=3, penalty="half")[0], 0)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'weight' must be zero or above; found -1\.0"):
        forward_shrinkage(MAPS, np.array(-1.0), penalty="soft")
