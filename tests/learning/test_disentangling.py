"""Laws of the objective that tells signal and background apart, and how its literal form runs away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.channel_masks import bridge_channels
from napari_bgremove.learning.networks import SpectroscopyNet, SpectroscopyNetSpec, build_network
from napari_bgremove.learning.objectives.disentangling import DisentanglingObjective
from napari_bgremove.learning.training import StepDone, Training, TrainOptions
from napari_bgremove.learning.triplets import SpectraTriplets, measure_block_scales
from napari_bgremove.synthetic.toy_spectra import make_toy_spectra

ROLES = ("measured", "second", "third", "repeat")
Part = Callable[[Tensor], Tensor]


class _Known(nn.Module):
    """Two functions in the place of the branches, and what they were called with."""

    def __init__(self, signal: Part, background: Part) -> None:
        super().__init__()
        self.parts, self.calls = {"signal": signal, "background": background}, {"signal": 0, "background": 0}

    def signal(self, spectra: Tensor) -> Tensor:
        return self._call("signal", spectra)

    def background(self, spectra: Tensor, _block: Tensor | None = None) -> Tensor:
        return self._call("background", spectra)

    def _call(self, part: str, spectra: Tensor) -> Tensor:
        self.calls[part] += 1
        return self.parts[part](spectra)


def _known(signal: Part, background: Part) -> SpectroscopyNet:
    return cast("SpectroscopyNet", _Known(signal, background))


def _batch(n: int = 3, channels: int = 8, seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    batch = {role: torch.randn(n, 1, channels, generator=rng) for role in ROLES}
    return batch | {"free": torch.ones(n, 1, channels), "block": torch.zeros(n, channels, dtype=torch.int64)}


def _halves(batch: dict[str, Tensor]) -> SpectroscopyNet:
    return _known(lambda y: 0.3 * y + 0.1, lambda y: 0.5 * y.roll(1, -1))


def test_each_term_is_what_its_formula_says() -> None:
    """Written once more in numpy, triplet by triplet, after the docstring's formula."""
    batch = _batch()
    objective = DisentanglingObjective(orthogonality=0.7, alignment=0.4, sparsity=0.2, same_target=0.6)
    found = objective(_halves(batch), batch)
    rows = {name: values[:, 0].double().numpy() for name, values in batch.items()}
    losses = []
    for j, k, other, repeat in zip(*(rows[role] for role in ROLES), strict=True):
        z_x, z_k, z_other, z_own = 0.3 * j + 0.1, *(0.5 * np.roll(y, 1) for y in (k, other, j))
        cosine = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in ((z_x, z_k), (z_k, z_other))]
        losses.append(
            np.linalg.norm(j - z_x - z_k) / np.linalg.norm(j)
            + 0.7 * cosine[0] ** 2
            - 0.4 * cosine[1]
            + 0.2 * np.abs(z_x).sum() / np.abs(j).sum()
            + 0.6 * np.linalg.norm(repeat - z_x - z_own) / np.linalg.norm(repeat)
        )
    assert float(found["loss"]) == pytest.approx(np.mean(losses), rel=1e-5)
    assert {"residual", "orthogonality", "alignment", "sparsity", "background_share", "same_target"} < set(found)


def test_the_literal_form_is_equation_3() -> None:
    batch = _batch()
    rows = {name: values[:, 0].double().numpy() for name, values in batch.items()}
    expected = 0.0
    for j, k, other in zip(*(rows[role] for role in ROLES[:3]), strict=True):
        z_x, z_k, z_other = 0.3 * j + 0.1, 0.5 * np.roll(k, 1), 0.5 * np.roll(other, 1)
        expected += np.linalg.norm(j - z_x - z_k) + (z_x @ z_k) ** 2 - z_k @ z_other
    found = DisentanglingObjective(form="literal")(_halves(batch), batch)
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), size=st.floats(0, 1e3), alignment=st.floats(0, 3))
def test_the_stable_form_has_a_floor(seed: int, size: float, alignment: float) -> None:
    batch = _batch(seed=seed)
    direction = torch.randn(1, 1, 8, generator=torch.Generator().manual_seed(seed + 1))
    network = _known(lambda y: y - size * direction, lambda y: (size * direction).expand_as(y))
    loss = DisentanglingObjective(alignment=alignment)(network, batch)["loss"]
    assert float(loss) >= -alignment - 1e-5


def test_the_literal_form_has_none() -> None:
    """The construction of the docstring: residual |<y, e> - c|, overlap 0, reward c^2."""
    batch = _batch()
    e = torch.zeros(1, 1, 8)
    e[..., 3] = 1
    losses = []
    for c in (1.0, 10.0, 100.0):
        network = _known(lambda y: y - (y * e).sum(-1, keepdim=True) * e, lambda y, c=c: (c * e).expand_as(y))  # type: ignore[misc]
        losses.append(float(DisentanglingObjective(form="literal")(network, batch)["loss"]))
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < -0.9 * 3 * 100.0**2


@pytest.mark.parametrize(
    ("form", "value", "remedy"),
    [
        ("literal", float("nan"), "train with the stable form"),
        ("literal", float("inf"), "train with the stable form"),
        ("literal", 1e4, "train with the stable form"),  # finite: the loss is about -1e9
        ("stable", float("nan"), "lower the learning rate"),
    ],
)
def test_a_loss_out_of_hand_is_an_error(form: Any, value: float, remedy: str) -> None:
    batch = _batch()
    network = _known(torch.zeros_like, lambda y: torch.full_like(y, value))
    with pytest.raises(
        ComputeError, match=rf"The {form} loss must stay finite and above -1e\+06; found .*: .*{remedy}"
    ):
        DisentanglingObjective(form=form)(network, batch)


@pytest.mark.parametrize(("same_target", "spectra"), [(0.0, 6), (1.0, 9)])
def test_all_backgrounds_are_computed_in_one_call(same_target: float, spectra: int) -> None:
    seen: list[int] = []

    def background(y: Tensor) -> Tensor:
        seen.append(len(y))
        return y

    network = _known(lambda y: y, background)
    DisentanglingObjective(same_target=same_target)(network, _batch())
    assert seen == [spectra]
    assert cast("_Known", network).calls == {"signal": 1, "background": 1}


def test_marked_channels_count_in_neither_cosine_and_are_bridged() -> None:
    batch = _batch()
    batch["free"][..., 2:4] = 0

    def terms(bump: float) -> dict[str, float]:
        def background(y: Tensor) -> Tensor:
            z = 0.5 * y
            z[..., 2:4] += bump
            return z

        found = DisentanglingObjective()(_known(lambda y: 0.2 * y, background), batch)
        return {name: float(value) for name, value in found.items()}

    assert terms(0.0) == terms(50.0)


def test_the_gradient_is_finite_where_everything_is_zero() -> None:
    batch = {name: torch.zeros_like(values) for name, values in _batch().items()}
    level = torch.zeros(1, requires_grad=True)
    loss = DisentanglingObjective(same_target=1.0)(_known(lambda y: y + level, lambda y: y + level), batch)["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert level.grad is not None
    assert torch.isfinite(level.grad).all()


def test_the_order_of_the_triplets_does_not_matter() -> None:
    network = build_network(SpectroscopyNetSpec(depth=3, features=4), seed=0).eval()
    batch = _batch(n=5, channels=30)
    turned = {name: values.flip(0) for name, values in batch.items()}
    found, again = (DisentanglingObjective(same_target=0.5)(network, b)["loss"] for b in (batch, turned))
    torch.testing.assert_close(found, again)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"form": "squared"}, "'form' must be one of stable, literal; found 'squared'"),
        ({"alignment": -1.0}, "'alignment' must lie between 0 and inf; found -1.0"),
        ({"sparsity": float("nan")}, "'sparsity' must lie between 0 and inf; found nan"),
    ],
)
def test_weights_that_mean_nothing_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DisentanglingObjective(**wrong)


def _toy_training(objective: DisentanglingObjective, **options: Any) -> Training:
    toy = make_toy_spectra(0).spectra
    data = SpectraTriplets(toy, measure_block_scales(toy))
    recipe = TrainOptions(
        epochs=4, batch_size=48, learning_rate=0.1, optimizer="sgd", momentum=0.9, schedule="cosine", **options
    )
    return Training(build_network(SpectroscopyNetSpec(depth=8, features=16), seed=0), objective, data, options=recipe)


@pytest.mark.parametrize("clip_norm", [1.0, float("inf")])
def test_the_literal_loss_runs_away_within_50_steps_and_is_stopped(clip_norm: float) -> None:
    """On the toy, with the paper's rate and momentum; clipping the gradient only delays it."""
    training = _toy_training(DisentanglingObjective(form="literal"), clip_norm=clip_norm)
    with pytest.raises(ComputeError, match=re.escape("Eq. (3) as printed has no lower bound")):
        list(training.run())
    assert training.epoch * training.steps + training.step < 50
    assert all(bool(torch.isfinite(p).all()) for p in training.network.parameters())


def test_the_stable_loss_learns_on_the_toy_and_stays_above_its_floor() -> None:
    training = _toy_training(replace(DisentanglingObjective(), sparsity=0.0), clip_norm=1.0)
    losses = [
        event.terms["loss"] for event, _ in zip(training.run(), range(20), strict=False) if isinstance(event, StepDone)
    ]
    assert min(losses) >= -1
    assert losses[-1] < losses[0] - 0.5


@settings(max_examples=60, deadline=None)
@given(free=st.lists(st.booleans(), min_size=2, max_size=24).filter(any), seed=st.integers(0, 100))
def test_bridges_are_straight_lines_between_free_channels(free: list[bool], seed: int) -> None:
    """numpy.interp is the independent implementation; it too holds the ends."""
    values, places = torch.randn(2, 1, len(free), generator=torch.Generator().manual_seed(seed)), np.arange(len(free))
    found = bridge_channels(values, torch.tensor(free, dtype=torch.float32))
    for row, bridged in zip(values[:, 0].numpy(), found[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(bridged, np.interp(places, places[free], row[free]), rtol=1e-5, atol=1e-6)


def test_where_nothing_is_free_nothing_is_bridged() -> None:
    values = torch.randn(2, 1, 5)
    assert torch.equal(bridge_channels(values, torch.zeros(5)), values)
