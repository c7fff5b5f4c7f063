"""What pooling keeps of a signal."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.numpy_network.pooling import (
    backward_max_pool,
    forward_adaptive_max,
    forward_average_pool,
    forward_max_pool,
)

SIGNAL = np.array([3.0, 1.0, 4.0, 4.0, 5.0, 9.0, 2.0])


def test_a_rest_is_dropped_and_gets_no_gradient() -> None:
    y, memory = forward_max_pool(SIGNAL, size=3)
    np.testing.assert_array_equal(y, [4, 9])
    np.testing.assert_array_equal(backward_max_pool(np.array([1.0, 2.0]), memory), [0, 0, 1, 0, 0, 2, 0])


def test_the_average_is_an_average() -> None:
    np.testing.assert_allclose(forward_average_pool(SIGNAL, size=3)[0], [8 / 3, 6])


def test_adaptive_windows_share_a_sample_where_they_must() -> None:
    np.testing.assert_array_equal(forward_adaptive_max(SIGNAL, outputs=3)[0], [4, 5, 9])  # [0,3) [2,5) [4,7)
    np.testing.assert_array_equal(forward_adaptive_max(SIGNAL[:2], outputs=3)[0], [3, 3, 1])


def test_a_gap_is_not_passed_over() -> None:
    assert np.isnan(forward_max_pool(np.array([1.0, np.nan, np.nan, 1.0]))[0]).all()


@pytest.mark.parametrize("pool", [forward_max_pool, forward_average_pool])
def test_too_short_a_signal_is_refused(pool: object) -> None:
    with pytest.raises(ValueError, match="'x' must have 8 or more samples to be pooled; found 7"):
        pool(SIGNAL, size=8)  # type: ignore[operator]
