"""Losses and steps are those of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_bgremove.numpy_network.descent import sgd_step
from napari_bgremove.numpy_network.losses import LOSSES


@pytest.mark.parametrize(("name", "theirs"), [("mse", functional.mse_loss), ("smooth_l1", functional.smooth_l1_loss)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-14)])
def test_losses_and_their_gradients_are_those_of_torch(name: str, theirs, dtype: type, tolerance: float) -> None:
    predicted, target = np.random.default_rng(0).normal(0, 2, (2, 5, 30)).astype(dtype)
    loss, gradient = LOSSES[name](predicted, target)  # type: ignore[index]
    tensor = torch.from_numpy(predicted).requires_grad_()
    expected = theirs(tensor, torch.from_numpy(target))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=tolerance)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=tolerance)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_must_agree(name: str) -> None:
    with pytest.raises(ValueError, match=r"'predicted' must have the shape of 'target' \(3 x 5\); found 3 x 4"):
        LOSSES[name](np.ones((3, 4)), np.ones((3, 5)))  # type: ignore[index]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "weight_decay": 0.1}])
def test_steps_are_those_of_torch(options: dict[str, float]) -> None:
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=2), "running": np.ones(2)}
    tensors = [torch.from_numpy(weights[name].copy()).requires_grad_() for name in "wb"]
    optimizer, velocity = torch.optim.SGD(tensors, lr=0.05, **options), {}
    for _ in range(10):
        gradients = {name: rng.normal(size=weights[name].shape) for name in "wb"}
        for tensor, name in zip(tensors, "wb", strict=True):
            tensor.grad = torch.from_numpy(gradients[name])
        optimizer.step()
        weights, velocity = sgd_step(weights, gradients, velocity, learning_rate=0.05, **options)
    for tensor, name in zip(tensors, "wb", strict=True):
        np.testing.assert_allclose(weights[name], tensor.detach().numpy(), rtol=1e-13)
    np.testing.assert_array_equal(weights["running"], 1)


def test_a_step_changes_nothing_that_it_was_given() -> None:
    weights, gradients, velocity = {"w": np.ones(3)}, {"w": np.full(3, 2.0)}, {"w": np.full(3, 4.0)}
    moved, speed = sgd_step(weights, gradients, velocity, learning_rate=0.1, momentum=0.5)
    np.testing.assert_array_equal([weights["w"], gradients["w"], velocity["w"]], [[1] * 3, [2] * 3, [4] * 3])
    np.testing.assert_allclose([speed["w"], moved["w"]], [[4] * 3, [0.6] * 3])


def test_a_gradient_without_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="'gradients' must belong to weights; found x, y"):
        sgd_step({"w": np.ones(1)}, {"y": np.ones(1), "x": np.ones(1)}, {}, learning_rate=1)
