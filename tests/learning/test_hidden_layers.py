"""Hidden layers: what leads into and out of a unit, and how much of it there is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_bgremove.learning.hidden_layers import (
    HiddenLayer,
    find_hidden_layers,
    incoming_weights,
    measure_energies,
    outgoing_weights,
)
from napari_bgremove.learning.networks.p4 import P4Conv
from napari_bgremove.learning.networks.signal_norm import SignalNorm

LAYERS = {
    "neurons": lambda: HiddenLayer("hidden", nn.Linear(5, 7), nn.Linear(7, 3)),
    "channels of a signal": lambda: HiddenLayer("hidden", nn.Conv1d(5, 7, 3), nn.Conv1d(7, 3, 5)),
    "channels of an image": lambda: HiddenLayer("hidden", nn.Conv2d(5, 7, 3), nn.Conv2d(7, 3, 1)),
    "fields": lambda: HiddenLayer("hidden", P4Conv(5, 7), P4Conv(7, 3)),
    "lifted fields": lambda: HiddenLayer("hidden", P4Conv(5, 7, in_kind="trivial"), P4Conv(7, 3)),
    "projected fields": lambda: HiddenLayer("hidden", P4Conv(5, 7), P4Conv(7, 3, 1, out_kind="trivial")),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request: pytest.FixtureRequest) -> HiddenLayer:
    torch.manual_seed(0)
    return request.param()


def kernel_of(module: nn.Module) -> torch.Tensor:
    return module.expand()[0] if isinstance(module, P4Conv) else module.weight


def test_there_are_as_many_units_as_come_out_of_the_producer(layer: HiddenLayer) -> None:
    assert layer.units == 7
    assert len(incoming_weights(layer)) == len(outgoing_weights(layer)) == 7
    assert [energies.shape for energies in measure_energies(layer)] == [(7,), (7,)]


def test_an_energy_is_the_norm_of_what_leads_in_or_out(layer: HiddenLayer) -> None:
    """Against sums over the kernels that run on the image; the four frames of a field have twice the norm."""
    channels = 4 if isinstance(layer.producer, P4Conv) else 1
    expansion = 2 if channels == 4 else 1
    into, out = (kernel_of(module).detach() for module in (layer.producer, layer.consumer))
    for unit in range(7):
        members = slice(unit * channels, (unit + 1) * channels)
        e1, e2 = (energies[unit].item() for energies in measure_energies(layer))
        assert expansion * e1 == pytest.approx(into[members].square().sum().sqrt().item(), rel=1e-5)
        assert expansion * e2 == pytest.approx(out[:, members].square().sum().sqrt().item(), rel=1e-5)


def test_a_unit_without_weights_has_no_energy_and_no_gradient(layer: HiddenLayer) -> None:
    with torch.no_grad():
        incoming_weights(layer)[3] = 0
        outgoing_weights(layer)[3] = 0
    e1, e2 = measure_energies(layer)
    assert e1[3] == e2[3] == 0
    (e1.sum() + e2.sum()).backward()
    into, out = (next(module.parameters()) if isinstance(module, P4Conv) else module.weight
                 for module in (layer.producer, layer.consumer))  # fmt: skip
    assert into.grad[3].abs().max() == out.grad[:, 3].abs().max() == 0
    assert into.grad.isfinite().all()
    assert into.grad[2].norm() == pytest.approx(1, rel=1e-5)
    assert out.grad[:, 2].norm() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("make_norm", [nn.BatchNorm1d, nn.BatchNorm2d, SignalNorm])
def test_behind_a_normalization_the_way_in_is_gamma(make_norm: type[nn.Module]) -> None:
    norm = make_norm(3)
    with torch.no_grad():
        norm.weight[:] = torch.tensor([-2.0, 0.0, 0.5])
    layer = HiddenLayer("hidden", nn.Conv1d(2, 3, 3), nn.Conv1d(3, 2, 3), norm=norm)
    e1, _ = measure_energies(layer)
    assert e1.tolist() == [2.0, 0.0, 0.5]
    e1.sum().backward()
    assert norm.weight.grad.tolist() == [-1.0, 0.0, 1.0]
    assert layer.producer.weight.grad is None


def test_a_network_names_its_layers() -> None:
    class Named(nn.Sequential):
        def hidden_layers(self) -> tuple[HiddenLayer, ...]:
            return (HiddenLayer("only", self[0], self[2]),)

    network = Named(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    (found,) = find_hidden_layers(network)
    assert (found.name, found.producer, found.consumer) == ("only", network[0], network[2])


@pytest.mark.parametrize("hidden_layers", [None, lambda: ()], ids=["does not know the word", "has none"])
def test_a_network_without_hidden_layers_is_refused(hidden_layers) -> None:
    network = nn.Sequential(nn.Linear(2, 4))
    if hidden_layers is not None:
        network.hidden_layers = hidden_layers
    with pytest.raises(ValueError, match=r"'network' must have a hidden layer, .*; found none in Sequential"):
        find_hidden_layers(network)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: HiddenLayer("down1", nn.Linear(2, 4), nn.Linear(3, 1)),
            "'consumer' of down1 must take the 4 units of its producer; found 3",
        ),
        (
            lambda: HiddenLayer("down1", nn.Linear(2, 4), nn.Conv1d(4, 4, 3, groups=2)),
            "'consumer' of down1 must take the 4 units of its producer; found 2",
        ),
        (
            lambda: HiddenLayer("down1", nn.Linear(2, 4), nn.Linear(4, 1), norm=nn.BatchNorm1d(3)),
            r"'norm' of down1 must have a gamma for each of 4 units; found BatchNorm1d\(3,",
        ),
        (
            lambda: HiddenLayer("down1", nn.ConvTranspose1d(4, 4, 3), nn.Linear(4, 1)),
            "A hidden layer must lie between Linear, Conv1d, Conv2d or P4Conv; found ConvTranspose1d",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
