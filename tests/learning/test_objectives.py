"""Laws of the objective: the published loss, over the pixels that were measured."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from napari_bgremove.learning.objectives.additive import FLOOR, FLUX_FLOOR, AdditiveObjective


class Fixed(nn.Module):
    """A network that answers what it was told."""

    def __init__(self, signal: Tensor, background: Tensor) -> None:
        super().__init__()
        self.parts = signal, background

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.parts


def _batch(n: int = 3, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    parts = {name: torch.rand(n, 1, 4, 5, generator=generator) for name in ("measured", "signal", "background")}
    return parts | {"valid": torch.ones(n, 1, 4, 5)}


def _answer(n: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(9)
    return torch.rand(n, 1, 4, 5, generator=generator), torch.rand(n, 1, 4, 5, generator=generator)


def test_the_loss_is_the_sum_of_both_mean_absolute_errors() -> None:
    """Independent implementation: torch.nn.functional.l1_loss."""
    batch, (signal, background) = _batch(), _answer()
    terms = AdditiveObjective()(Fixed(signal, background), batch)
    expected = nn.functional.l1_loss(signal, batch["signal"]), nn.functional.l1_loss(background, batch["background"])
    assert float(terms["mae_signal"]) == pytest.approx(float(expected[0]), rel=1e-6)
    assert float(terms["mae_background"]) == pytest.approx(float(expected[1]), rel=1e-6)
    assert float(terms["loss"]) == pytest.approx(float(sum(expected)), rel=1e-6)


def test_a_perfect_answer_costs_nothing() -> None:
    batch = _batch()
    assert float(AdditiveObjective(flux_weight=2.0)(Fixed(batch["signal"], batch["background"]), batch)["loss"]) == 0


def test_a_pixel_that_was_not_measured_costs_nothing_and_has_no_gradient() -> None:
    batch, (signal, background) = _batch(), _answer()
    batch["valid"][0, 0, 1, 2] = 0
    signal.requires_grad_()
    loss = AdditiveObjective()(Fixed(signal, background), batch)["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert signal.grad is not None
    assert signal.grad[0, 0, 1, 2] == 0
    changed = signal.detach().clone()
    changed[0, 0, 1, 2] = 77
    assert torch.equal(AdditiveObjective()(Fixed(changed, background), batch)["loss"], loss)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_the_mean_over_a_batch_is_the_mean_over_its_samples_even_with_gaps(mean: str) -> None:
    """What lets several processes share a batch: the whole is the mean of the parts."""
    batch, (signal, background) = _batch(), _answer()
    batch["valid"][0, :, :3] = 0
    batch["valid"][2] = 0  # a sample without any usable pixel
    objective = AdditiveObjective(mean=mean, flux_weight=0.5)
    whole = objective(Fixed(signal, background), batch)
    singles = [
        objective(Fixed(signal[i : i + 1], background[i : i + 1]), {k: v[i : i + 1] for k, v in batch.items()})
        for i in range(3)
    ]
    for name, value in whole.items():
        assert float(value) == pytest.approx(sum(float(s[name]) for s in singles) / 3, rel=1e-6)


def test_the_geometric_mean_averages_the_logarithms_of_the_samples() -> None:
    """A sample with a tenth of the error weighs as much as any: its relative change counts."""
    batch, (signal, background) = _batch(), _answer()
    geometric, plain = AdditiveObjective(mean="geometric"), AdditiveObjective()
    singles = [
        plain(Fixed(signal[i : i + 1], background[i : i + 1]), {k: v[i : i + 1] for k, v in batch.items()})["loss"]
        for i in range(3)
    ]
    expected = sum(math.log(float(loss) + FLOOR) for loss in singles) / 3
    assert float(geometric(Fixed(signal, background), batch)["loss"]) == pytest.approx(expected, rel=1e-5)


def test_the_flux_term_is_the_relative_error_of_the_integrated_signal() -> None:
    """Closed form: a signal predicted 20 % too bright everywhere; errors that cancel cost nothing."""
    batch = _batch()
    bright = AdditiveObjective(flux_weight=2.0)(Fixed(1.2 * batch["signal"], batch["background"]), batch)
    assert float(bright["flux"]) == pytest.approx(0.2, rel=2e-3)
    mirrored = batch["signal"].flip(-1)  # the same sum, other pixels
    assert float(AdditiveObjective(flux_weight=2.0)(Fixed(mirrored, batch["background"]), batch)["flux"]) < 1e-6
    plain = AdditiveObjective()(Fixed(1.2 * batch["signal"], batch["background"]), batch)
    assert "flux" not in plain
    assert float(bright["loss"]) == pytest.approx(float(plain["loss"]) + 2 * float(bright["flux"]), rel=1e-6)


def test_an_unknown_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="'mean' must be one of arithmetic, geometric; found 'harmonic'"):
        AdditiveObjective(mean="harmonic")


def test_the_share_of_live_pixels_is_reported() -> None:
    batch, (signal, _) = _batch(), _answer()
    background = torch.zeros_like(signal)
    background[0, 0, 0, :3] = 1
    assert float(AdditiveObjective()(Fixed(signal, background), batch)["live_share"]) == pytest.approx(3 / 60)


def test_under_the_geometric_mean_half_the_flux_error_counts_the_same_at_every_level() -> None:
    """A faint sample, whose flux can be wrong by hundreds of percent, does not outweigh the others."""
    batch = _batch()

    def loss(factor: float) -> float:
        answer = Fixed(factor * batch["signal"], batch["background"])
        with_flux = AdditiveObjective(mean="geometric", flux_weight=1.0)(answer, batch)["loss"]
        return float(with_flux - AdditiveObjective(mean="geometric")(answer, batch)["loss"])

    assert loss(1.0) == pytest.approx(0, abs=1e-5)
    assert loss(1 + FLUX_FLOOR) == pytest.approx(math.log(2), rel=1e-2)
    assert loss(5.0) - loss(3.0) == pytest.approx(math.log(2), rel=2e-2)
