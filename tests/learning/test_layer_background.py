"""The layer term: its value and force against the formula, and its place in the training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_bgremove.learning.distributed import Ranks
from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.layer_gates import measure_gate
from napari_bgremove.learning.networks.p4 import P4Conv
from napari_bgremove.learning.networks.signal_norm import SignalNorm
from napari_bgremove.learning.objectives.layer_background import LayerBackgroundObjective, measure_layer_background
from napari_bgremove.learning.training import ScheduledObjective, Training, TrainOptions
from napari_bgremove.spectra.layer_background import LayerBackground

GATES = ["lorentzian", "gaussian", "shirley"]


class Perceptron(nn.Sequential):
    """Two hidden layers, so that one map is the consumer of the first and the producer of the second."""

    def __init__(self, width: int = 12, *, seed: int = 0) -> None:
        torch.manual_seed(seed)
        super().__init__(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 8))
        self.double()

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        return HiddenLayer("first", self[0], self[2]), HiddenLayer("second", self[2], self[4])


class Rows:
    """Noisy copies of rows: row i of an epoch is the same whatever it is batched with."""

    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def batch(self, epoch: int, indices: Any) -> dict[str, np.ndarray]:
        rows = np.stack([np.random.default_rng([epoch, i]).normal(size=8) for i in indices])
        return {"measured": rows, "signal": np.tanh(rows)}


def squared_error(network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    error = (network(batch["measured"]) - batch["signal"]).square().mean()
    return {"loss": error, "error": error.detach()}


def number(value: Tensor) -> float:
    return value.detach().item()


def draw(*parameters: Tensor, seed: int = 0) -> None:
    """Give weights whose units differ much: some silent, some strong."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
            scale = torch.rand(len(parameter), generator=generator, dtype=parameter.dtype)
            parameter.mul_((3 * scale).view(-1, *[1] * (parameter.ndim - 1)))


def layers_by_kind() -> dict[str, Callable[[], tuple[HiddenLayer, Tensor, Tensor]]]:
    """A layer, and its parameters with units first: of the way in, and of the way out."""

    def neurons() -> tuple[HiddenLayer, Tensor, Tensor]:
        layer = HiddenLayer("hidden", nn.Linear(5, 20).double(), nn.Linear(20, 4).double())
        return layer, layer.producer.weight, layer.consumer.weight

    def channels() -> tuple[HiddenLayer, Tensor, Tensor]:
        layer = HiddenLayer("hidden", nn.Conv2d(3, 20, 3).double(), nn.Conv2d(20, 4, 3).double())
        return layer, layer.producer.weight, layer.consumer.weight

    def fields() -> tuple[HiddenLayer, Tensor, Tensor]:
        layer = HiddenLayer("hidden", P4Conv(3, 20).double(), P4Conv(20, 4).double())
        return layer, layer.producer.coefficients, layer.consumer.coefficients

    def normalized() -> tuple[HiddenLayer, Tensor, Tensor]:
        parts = nn.Conv1d(3, 20, 3).double(), nn.Conv1d(20, 4, 3).double()
        layer = HiddenLayer("hidden", *parts, norm=SignalNorm(20).double())
        return layer, layer.norm.weight, layer.consumer.weight

    return {"neurons": neurons, "channels": channels, "fields": fields, "normalized": normalized}


@pytest.fixture(params=layers_by_kind().values(), ids=layers_by_kind())
def parts(request: pytest.FixtureRequest) -> tuple[HiddenLayer, Tensor, Tensor]:
    layer, into, out = request.param()
    draw(into, out)
    return layer, into, out


def relative(energies: Tensor) -> Tensor:
    return energies / energies.square().mean().sqrt()


@pytest.mark.parametrize("gate", GATES)
def test_the_force_on_a_unit_is_its_gate_along_its_direction(
    parts: tuple[HiddenLayer, Tensor, Tensor], gate: str
) -> None:
    """rho_j w_j / ||w_j||, for neurons, kernels, C4 fields, and |gamma| before a normalization's consumer."""
    layer, into, out = parts
    options = LayerBackground(gate=gate, e0=0.9, gamma=0.25)
    total = measure_layer_background([layer], options)["layer_background"]
    total.backward()
    expected_total = 0.0
    for parameter, units in ((into, into.detach().reshape(20, -1)), (out, out.detach().transpose(0, 1).flatten(1))):
        norms = units.square().sum(1).sqrt()
        rho = measure_gate(relative(norms), gate=gate, e0=0.9, gamma=0.25)
        force = (rho / norms)[:, None] * units
        found = parameter.grad if parameter is into else parameter.grad.transpose(0, 1)
        assert (found.reshape(20, -1) - force).abs().max() <= 1e-10
        expected_total += number((rho * norms).sum())
    assert number(total) == pytest.approx(expected_total, rel=1e-12)


def test_before_a_normalization_the_weights_themselves_feel_nothing() -> None:
    layer, *_ = layers_by_kind()["normalized"]()
    measure_layer_background([layer], LayerBackground())["layer_background"].backward()
    assert layer.producer.weight.grad is None


@pytest.mark.parametrize("gate", GATES)
def test_the_force_on_a_single_weight_is_its_gate_with_its_sign(gate: str) -> None:
    layer, into, out = layers_by_kind()["fields"]()
    draw(into, out)
    measure_layer_background([layer], LayerBackground(gate=gate, units="weights"))["layer_background"].backward()
    for parameter in (into, out):
        weights = parameter.detach()
        expected = measure_gate(relative(weights.abs()), gate=gate) * weights.sign()
        # Above 256 weights the spectrum is collected in the order of the weights, which rounds differently.
        assert (parameter.grad - expected).abs().max() <= 1e-10


def test_the_gate_carries_no_gradient() -> None:
    """A strong unit more draws the mean up and so changes all gates; the force on the others is not that change."""
    layer, into, _ = layers_by_kind()["neurons"]()
    draw(into)

    def total() -> Tensor:
        return measure_layer_background([layer], LayerBackground())["layer_background"]

    total().backward()
    step = 1e-6
    slope = into.grad[0].clone()
    with torch.no_grad():
        into[0] += step * slope / slope.norm()
        higher = total()
        into[0] -= 2 * step * slope / slope.norm()
        lower = total()
    # Differences see the gates move too; the force does not.
    assert abs(number(higher - lower) / (2 * step) - number(slope.norm())) > 1e-3


@pytest.mark.parametrize("units", ["neurons", "weights"])
@pytest.mark.parametrize("gate", GATES)
def test_an_all_zero_layer_leaves_everything_finite(gate: str, units: str) -> None:
    network = Perceptron()
    with torch.no_grad():
        network[0].weight.zero_()
        network[2].weight.zero_()
    measured = measure_layer_background(network.hidden_layers(), LayerBackground(gate=gate, units=units))
    measured["layer_background"].backward()
    assert all(value.isfinite() for value in measured.values())
    assert network[0].weight.grad.abs().max() == network[2].weight.grad.abs().max() == 0
    assert network[4].weight.grad.isfinite().all()
    with torch.no_grad():
        network[4].weight.zero_()
    nothing = measure_layer_background(network.hidden_layers(), LayerBackground(gate=gate, units=units))
    assert {name: number(value) for name, value in nothing.items()} == {
        "layer_background": 0, "layer_snr": 0, "small_units": 1,
    }  # fmt: skip


def test_a_map_between_two_hidden_layers_counts_on_both_of_its_sides() -> None:
    network, options = Perceptron(), LayerBackground()
    first, second = network.hidden_layers()
    together = measure_layer_background([first, second], options)["layer_background"]
    alone = [measure_layer_background([layer], options)["layer_background"] for layer in (first, second)]
    assert number(together) == pytest.approx(number(sum(alone)), rel=1e-12)


@pytest.mark.parametrize("gate", GATES)
def test_the_snr_knows_no_scale_and_the_term_is_proportional_to_it(gate: str) -> None:
    network, options = Perceptron(), LayerBackground(gate=gate)
    one = measure_layer_background(network.hidden_layers(), options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1000)
    other = measure_layer_background(network.hidden_layers(), options)
    assert number(other["layer_snr"]) == pytest.approx(number(one["layer_snr"]), rel=1e-9)
    assert number(other["layer_background"]) == pytest.approx(1000 * number(one["layer_background"]), rel=1e-9)


def test_the_snr_and_the_small_units_of_a_known_layer() -> None:
    """Three silent units and one strong one: x = 2, rho(2) = 1/2 - arctan(1 / 0.3) / pi, and x^2 / n = 1."""
    layer = HiddenLayer("hidden", nn.Linear(1, 4, bias=False), nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        layer.producer.weight[:, 0] = torch.tensor([1e-4, 0.0, 0.5e-2, 1.0])
        layer.consumer.weight[0] = torch.tensor([0.0, 1e-4, 0.5, 1.0])
    shares = []
    for energies in ([1e-4, 0.0, 0.5e-2, 1.0], [0.0, 1e-4, 0.5, 1.0]):
        x = np.array(energies) / np.sqrt(np.mean(np.square(energies)))
        shares.append(np.mean((0.5 - np.arctan((x - 1) / 0.3) / np.pi) * x**2))
    measured = measure_layer_background([layer], LayerBackground())
    assert number(measured["layer_snr"]) == pytest.approx(1 / np.mean(shares) - 1, rel=1e-4)
    assert number(measured["small_units"]) == 0.5  # the third is silent on one side alone


def objective(progress: float = 1.0, **options: Any) -> LayerBackgroundObjective:
    return LayerBackgroundObjective(squared_error, LayerBackground(**options), progress)


def tensors(data: Rows, indices: Any = range(6)) -> dict[str, Tensor]:
    return {name: torch.from_numpy(values) for name, values in data.batch(0, indices).items()}


@pytest.mark.parametrize(("progress", "strength"), [(0.0, 0.0), (0.25, 0.05), (0.4, 0.1), (1.0, 0.1)])
def test_the_loss_is_that_of_the_task_plus_the_strength_times_the_term(progress: float, strength: float) -> None:
    network, batch = Perceptron().train(), tensors(Rows())
    task = squared_error(network, batch)
    terms = objective(strength=0.1).at(progress)(network, batch)
    assert set(terms) == {"loss", "error", "task_loss", "layer_background", "layer_snr", "small_units"}
    assert number(terms["task_loss"]) == number(task["loss"])
    expected = number(task["loss"]) + strength * number(terms["layer_background"])
    assert number(terms["loss"]) == pytest.approx(expected, rel=1e-12)


def test_in_evaluation_the_task_is_alone() -> None:
    network, batch = Perceptron().eval(), tensors(Rows())
    found, task = objective(strength=5.0)(network, batch), squared_error(network, batch)
    assert set(found) == set(task)
    assert number(found["loss"]) == number(task["loss"])


def test_asking_for_another_progress_changes_no_objective() -> None:
    first = objective(0.2)
    assert first.at(0.7).progress == 0.7
    assert first.progress == 0.2
    assert isinstance(first, ScheduledObjective)
    assert not isinstance(squared_error, ScheduledObjective)


def test_a_network_without_hidden_layers_is_refused() -> None:
    network = nn.Sequential(nn.Linear(8, 8).double())
    with pytest.raises(ValueError, match="'network' must have a hidden layer"):
        objective()(network, tensors(Rows()))


def training(task: Any, network: nn.Module | None = None, **options: Any) -> Training:
    given = {"epochs": 3, "batch_size": 4, "learning_rate": 1e-2} | options
    return Training(network or Perceptron(), task, Rows(), Rows(3), TrainOptions(**given))


def weights_of(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(weights_of(one), weights_of(other), strict=True))


def test_the_loop_asks_for_the_share_of_the_run_before_each_step() -> None:
    asked = []

    class Recorder(LayerBackgroundObjective):
        def at(self, progress: float) -> LayerBackgroundObjective:
            asked.append(progress)
            return super().at(progress)

    run = Training(Perceptron(), Recorder(squared_error), Rows(), options=TrainOptions(epochs=2, batch_size=4))
    list(run.run())
    assert asked == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])


def test_a_strength_of_zero_changes_no_weight() -> None:
    plain, termed = training(squared_error), training(objective(strength=0.0))
    list(plain.run()), list(termed.run())
    assert same(plain.network, termed.network)


@pytest.mark.parametrize("gate", GATES)
def test_the_term_shrinks_what_is_weak_and_leaves_what_is_strong(gate: str) -> None:
    """Alone, without a task: nine units of norm 1 and three of norm 4, 30 steps of 0.01 times the gate."""

    def nothing(network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": 0 * network(batch["measured"]).sum()}

    network, norms = Perceptron(), torch.tensor([1.0] * 9 + [4.0] * 3)
    with torch.no_grad():
        network[0].weight.mul_((norms / network[0].weight.norm(dim=1))[:, None])
    task = LayerBackgroundObjective(nothing, LayerBackground(strength=1.0, gate=gate, ramp_start=0, ramp_end=0))
    list(training(task, network, optimizer="sgd", epochs=10).run())
    lost = norms - network[0].weight.detach().norm(dim=1)
    assert (lost[:9] > 0.2).all()
    assert (lost[:9] <= 0.3 + 1e-9).all()
    assert (lost[9:].abs() < 0.05).all()


@pytest.mark.parametrize("stop_after", [1, 4, 7])
@pytest.mark.parametrize("gate", GATES)
def test_a_stopped_run_goes_on_bit_for_bit(stop_after: int, gate: str) -> None:
    task = objective(strength=0.3, gate=gate)
    whole = training(task)
    list(whole.run())
    first = training(task)
    events = first.run()
    for _ in range(stop_after):
        next(events)
    second = training(task, Perceptron(seed=9))
    second.network.load_state_dict(first.network.state_dict())
    second.restore(*first.state())
    list(second.run())
    assert same(second.network, whole.network)


def test_in_parts_of_a_batch_the_term_counts_once() -> None:
    whole, parted = (training(objective(strength=0.3), at_once=at_once, optimizer="sgd") for at_once in (None, 1))
    pairs = list(zip(whole.run(), parted.run(), strict=True))
    for one, other in pairs:
        terms = [dict(getattr(event, "terms", None) or event.training) for event in (one, other)]
        assert terms[0] == pytest.approx(terms[1], rel=1e-9)
    assert all(
        torch.allclose(*pair, rtol=1e-9, atol=1e-12)
        for pair in zip(weights_of(whole.network), weights_of(parted.network), strict=True)
    )


class OneOfTwo(Ranks):
    """One process of two, whose partner is not there: sums are what it alone adds."""

    def sum_gradients(self, network: nn.Module) -> None:
        return

    def sum_values(self, values: Mapping[str, float]) -> dict[str, float]:
        return dict(values)


def test_shared_by_processes_the_term_counts_once() -> None:
    """The gradients of both processes, each left before its sum, add up to that of one."""
    gradients = []
    for ranks in (Ranks(), OneOfTwo(0, 2), OneOfTwo(1, 2)):
        run = training(objective(strength=0.3, ramp_start=0, ramp_end=0), optimizer="sgd", batch_size=5)
        run.ranks = ranks
        next(run.run())
        gradients.append([parameter.grad.clone() for parameter in run.network.parameters()])
    for alone, first, second in zip(*gradients, strict=True):
        assert torch.allclose(first + second, alone, rtol=1e-9, atol=1e-12)
