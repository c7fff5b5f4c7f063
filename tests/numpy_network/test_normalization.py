"""Which statistics are used, and what becomes of the running ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bgremove.errors import ComputeError
from napari_bgremove.numpy_network.normalization import forward_norm, update_running

ONE, ZERO = np.ones(4), np.zeros(4)
MAPS = np.random.default_rng(0).normal(3, 2, (5, 4, 12))


@pytest.mark.parametrize(("norm", "axes"), [("batch", (0, 2)), ("signal", 2)])
def test_mean_and_spread_are_those_of_the_mode(norm: str, axes: tuple[int, ...]) -> None:
    y, _ = forward_norm(MAPS, ONE, ZERO, ZERO, ONE, norm=norm)  # type: ignore[arg-type]
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-14)
    np.testing.assert_allclose(y.std(axis=axes), 1, rtol=1e-4)  # 1e-5 under the root


def test_a_signal_by_itself_is_a_batch_of_one() -> None:
    each = [forward_norm(MAPS[i : i + 1], ONE, ZERO, ZERO, ONE, norm="batch")[0] for i in range(len(MAPS))]
    np.testing.assert_allclose(
        forward_norm(MAPS, ONE, ZERO, ZERO, ONE, norm="signal")[0], np.concatenate(each), rtol=1e-13
    )


def test_the_running_statistics_become_those_of_torch() -> None:
    in_torch = torch.nn.BatchNorm1d(4, dtype=torch.float64)
    mean, variance = ZERO, ONE
    for batch in (MAPS, 2 * MAPS[:2]):
        in_torch(torch.from_numpy(batch))
        _, memory = forward_norm(batch, ONE, ZERO, mean, variance, norm="batch")
        mean, variance = update_running(memory, mean, variance)
    np.testing.assert_allclose(mean, in_torch.running_mean.numpy(), rtol=1e-13)
    np.testing.assert_allclose(variance, in_torch.running_var.numpy(), rtol=1e-13)
    assert (ZERO == 0).all()
    assert (ONE == 1).all()


@pytest.mark.parametrize(("norm", "batch"), [("signal", 3), ("batch", 1)])
def test_the_spread_of_a_single_value_is_refused(norm: str, batch: int) -> None:
    with pytest.raises(ComputeError, match=f"'x' must give two or more values per channel.*{norm}.*found 1"):
        forward_norm(np.ones((batch, 4, 1)), ONE, ZERO, ZERO, ONE, norm=norm)  # type: ignore[arg-type]


def test_only_a_batch_changes_the_running_statistics() -> None:
    memory = forward_norm(MAPS, ONE, ZERO, ZERO, ONE, norm="signal")[1]
    with pytest.raises(ValueError, match="'memory' must be of the statistics of a batch; found 'signal'"):
        update_running(memory, ZERO, ONE)
