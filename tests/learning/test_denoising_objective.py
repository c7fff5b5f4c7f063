"""Laws of the denoiser's objectives: zero for the truth, blind to what was hidden, the same in parts as in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_bgremove.learning.networks import PriorGuidedSpec, build_network
from napari_bgremove.learning.objectives.denoising import DenoisingObjective, Noise2SelfObjective, hide_samples
from napari_bgremove.learning.signal_pairs import MeasuredRows


class _Scaled(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def _batch(n: int = 5, samples: int = 41, seed: int = 0) -> dict[str, Tensor]:
    rows = np.random.default_rng(seed).normal(size=(n, samples))
    drawn = {name: torch.from_numpy(v) for name, v in MeasuredRows(rows, n).batch(0, range(n)).items()}
    return drawn | {"signal": torch.from_numpy(rows).float()}


@pytest.mark.parametrize(("loss", "expected"), [("mse", (1 + 1 + 16) / 3), ("smooth_l1", (0.5 + 0.5 + 3.5) / 3)])
def test_the_losses_are_those_of_their_names(loss: Any, expected: float) -> None:
    batch = {"measured": torch.tensor([[1.0, -1.0, 4.0]]), "signal": torch.zeros(1, 3)}
    terms = DenoisingObjective(loss)(_Scaled(), batch)
    assert terms["loss"].item() == pytest.approx(expected)
    assert terms["rmse"].item() == pytest.approx(6**0.5)
    assert not terms["rmse"].requires_grad
    assert DenoisingObjective(loss)(_Scaled(0.0), batch)["loss"].item() == 0


def test_a_hidden_sample_is_the_mean_of_its_neighbours_and_the_others_are_kept() -> None:
    measured = torch.tensor([[1.0, 5.0, 3.0, 8.0, 2.0]])
    hidden = torch.tensor([[True, False, True, False, True]])
    assert hide_samples(measured, hidden).tolist() == [[5.0, 5.0, 6.5, 8.0, 8.0]]
    assert measured.tolist() == [[1.0, 5.0, 3.0, 8.0, 2.0]]


@pytest.mark.parametrize("loss", ["mse", "smooth_l1"])
def test_the_network_does_not_see_what_it_is_judged_by(loss: Any) -> None:
    """The output at a hidden sample does not depend on its measured value: no network can learn to repeat its noise."""
    batch = _batch()
    network = build_network(PriorGuidedSpec(), seed=0).eval()
    other = torch.where(batch["hidden"], batch["measured"] + 100, batch["measured"])
    inputs = [hide_samples(measured, batch["hidden"]) for measured in (batch["measured"], other)]
    assert torch.equal(*inputs)
    near, far = (
        Noise2SelfObjective(loss)(network, batch | {"measured": measured})["loss"].item()
        for measured in (batch["measured"], other)
    )
    assert far > near + 50


def test_nothing_but_hidden_samples_is_judged() -> None:
    """All that is visible is wrong, all that is hidden is right."""
    hidden = torch.tensor([[False, True, False, False, False, True, False]])
    measured = torch.tensor([[1.0, 2.0, 3.0, 9.0, 3.0, 2.0, 1.0]])

    class Answer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(hidden, measured, -50.0)

    assert Noise2SelfObjective()(Answer(), {"measured": measured, "hidden": hidden})["loss"].item() == 0


@pytest.mark.parametrize("objective", [DenoisingObjective(), Noise2SelfObjective()], ids=repr)
def test_a_batch_in_parts_gives_the_number_of_the_whole(objective: Any) -> None:
    batch, network = _batch(6), _Scaled(0.3)
    whole = objective(network, batch)["loss"]
    parts = [objective(network, {n: v[i : i + 2] for n, v in batch.items()})["loss"] for i in (0, 2, 4)]
    torch.testing.assert_close(sum(parts) / 3, whole)


@pytest.mark.parametrize("kind", [DenoisingObjective, Noise2SelfObjective])
def test_an_unknown_loss_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="'loss' must be one of mse, smooth_l1; found 'mae'"):
        kind("mae")
