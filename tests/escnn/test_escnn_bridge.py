"""The C4 network is escnn's network: the same kernels, outputs, weights and symmetry.

Run by `make test-escnn`, in an environment that holds escnn.
"""

from __future__ import annotations

import pytest
import torch
from escnn import gspaces
from escnn import nn as enn
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning import escnn_bridge
from napari_bgremove.learning.escnn_bridge import build_escnn_network, from_escnn, to_escnn
from napari_bgremove.learning.hidden_layers import find_hidden_layers
from napari_bgremove.learning.networks import PRESETS, AdditiveNetwork, NetworkSpec, build_network, count_parameters
from napari_bgremove.learning.networks.p4 import P4Conv
from napari_bgremove.learning.unit_removal import choose_units, remove_units

SPECS = {f"{preset} {t}": NetworkSpec(topology=t, fields=PRESETS[preset]) for preset in ("tiny", "small") for t in "DA"}
SPECS["tiny D guided"] = NetworkSpec(fields=PRESETS["tiny"], guides=(3, 5))
SPECS["tiny A narrowed"] = NetworkSpec(topology="A", fields=PRESETS["tiny"], hidden=(1, 5, 2, 9, 6, 4, 8, 3))
SPECS["tiny D narrowed"] = NetworkSpec(fields=PRESETS["tiny"], hidden=(1, 5, 2, 9, 6, 4, 3, 8, 1, 3, 2))
KINDS = [(a, b) for a in ("trivial", "regular") for b in ("trivial", "regular")]

every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
every_layer = pytest.mark.parametrize(("in_kind", "out_kind"), KINDS)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def live_network(spec: NetworkSpec) -> AdditiveNetwork:
    """Return a network with every bias at work and a head that has not gone silent."""
    network = build_network(spec, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, P4Conv):
                layer.bias.normal_(std=0.05, generator=generator)
        network.head.conv.bias.fill_(0.3)
    return network


def images(*, shape: tuple[int, int] = (64, 64)) -> Tensor:
    return torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def everything(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    signal, background = network(x)
    return {"latents": network.latents(x), "signal": signal, "background": background}


def relative_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    assert all(float(value.max()) > 0 for value in expected.values()), "a dead network compares equal to anything"
    return max(float((found[name] - value).abs().max() / value.abs().max()) for name, value in expected.items())


def all_kernels(layer: nn.Module, weights: nn.Parameter, expand: str) -> Tensor:
    """Return every kernel a unit weight makes, one per row."""
    rows = []
    for unit in torch.eye(weights.numel()):
        with torch.no_grad():
            weights.copy_(unit.view_as(weights))
            rows.append(getattr(layer, expand)()[0].double().flatten())
    return torch.stack(rows)


def part_outside(kernels: Tensor, space: Tensor) -> float:
    """Return the largest part of a kernel, relative to its norm, outside the span of `space`."""
    solution = torch.linalg.lstsq(space.T, kernels.T).solution
    return float(((space.T @ solution - kernels.T).norm(dim=0) / kernels.norm(dim=1)).max())


@pytest.mark.parametrize("kernel_size", [1, 3])
@every_layer
def test_our_kernels_span_the_kernel_space_of_escnn(kernel_size, in_kind, out_kind):
    c4 = gspaces.rot2dOnR2(4)
    kinds = {"trivial": c4.trivial_repr, "regular": c4.regular_repr}
    in_type, out_type = enn.FieldType(c4, [kinds[in_kind]] * 2), enn.FieldType(c4, [kinds[out_kind]] * 3)
    theirs = enn.R2Conv(in_type, out_type, kernel_size, padding=kernel_size // 2, initialize=False)
    ours = P4Conv(2, 3, kernel_size, in_kind=in_kind, out_kind=out_kind)
    our_kernels = all_kernels(ours, ours.coefficients, "expand")
    their_kernels = all_kernels(theirs, theirs.weights, "expand_parameters")
    assert len(our_kernels) == len(their_kernels) == torch.linalg.matrix_rank(our_kernels)
    assert part_outside(our_kernels, their_kernels) <= 1e-6
    assert part_outside(their_kernels, our_kernels) <= 1e-6


@every_spec
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_escnn_with_our_weights_gives_our_outputs(spec, training):
    network = live_network(spec).train(training)
    twin = to_escnn(network)
    assert twin.training is training
    assert relative_difference(everything(twin, images()), everything(network, images())) <= 1e-5


@every_spec
def test_our_network_with_the_weights_escnn_drew_gives_its_outputs(spec):
    torch.manual_seed(0)
    twin = build_escnn_network(spec, initialise=True)
    with torch.no_grad():
        twin.head.conv.bias.fill_(0.3)
    assert relative_difference(everything(from_escnn(twin, spec), images()), everything(twin, images())) <= 1e-5


@every_spec
def test_weights_come_back_from_escnn_unchanged(spec):
    network = live_network(spec)
    back = from_escnn(to_escnn(network), spec).state_dict()
    for name, expected in network.state_dict().items():
        torch.testing.assert_close(back[name], expected, rtol=0, atol=1e-6 * float(expected.abs().max()), msg=name)


@every_spec
def test_escnn_counts_as_many_parameters(spec):
    network = build_network(spec, seed=0)
    assert count_parameters(network) == count_parameters(build_escnn_network(spec, initialise=False))


@pytest.mark.parametrize(("topology", "published"), [("D", 5_706_577), ("A", 5_878_833)])
def test_escnn_counts_the_parameters_of_the_paper_width(topology, published):
    # Counted with escnn by hand-built networks of the two topologies.
    assert count_parameters(build_escnn_network(NetworkSpec(topology=topology), initialise=False)) == published


@every_spec
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_both_networks_turn_with_the_image(spec, turns):
    network = live_network(spec)
    x = images(shape=(64, 128))
    for one in (network, to_escnn(network)):
        turned = {name: torch.rot90(value, turns, (2, 3)) for name, value in everything(one, x).items()}
        found = everything(one, torch.rot90(x, turns, (2, 3)))
        largest = float(turned["latents"].abs().max())
        assert all(float((found[name] - turned[name]).abs().max()) <= 1e-5 * largest for name in turned)


def test_gradients_of_both_networks_agree():
    spec = SPECS["tiny A"]
    network = live_network(spec)
    twin = to_escnn(network)
    for one in (network, twin):
        one.latents(images()).square().mean().backward()
    ours, theirs = network.unet.to_latents.bias.grad, twin.unet.to_latents.bias.grad
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(ours.abs().max()))


def test_to_escnn_leaves_the_network_as_it_is():
    network = live_network(SPECS["tiny D"]).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    to_escnn(network)
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_state_of_either_mode_is_read(training):
    network = live_network(SPECS["tiny D"])
    state = to_escnn(network).train(training).state_dict()
    found = from_escnn(state, network.spec)
    assert relative_difference(everything(found, images()), everything(network, images())) <= 1e-5


def test_stale_filters_of_a_state_are_not_read():
    # With strict=False escnn keeps filters of older weights: they must not decide.
    network = live_network(SPECS["tiny D"])
    state = to_escnn(network).eval().state_dict()
    state["unet.encoder.0.first.filter"].zero_()
    assert (
        relative_difference(everything(from_escnn(state, network.spec), images()), everything(network, images()))
        <= 1e-5
    )


def test_a_plain_network_has_no_twin():
    spec = NetworkSpec(family="plain_unet", fields=PRESETS["tiny"])
    message = '"family" of a network for escnn must be "c4_unet", found "plain_unet": convert an equivariant network'
    with pytest.raises(ValueError, match=message):
        to_escnn(build_network(spec))
    with pytest.raises(ValueError, match=message):
        from_escnn({}, spec)


def test_units_are_removed_from_our_network_and_carried_over() -> None:
    twin = build_escnn_network(SPECS["tiny D"], initialise=False)
    with pytest.raises(ValueError, match=r"'network' must be one of ours .*; found one built with escnn: .*from_escnn"):
        find_hidden_layers(twin)
    network = live_network(SPECS["tiny D"])
    smaller = remove_units(network, choose_units(network, 0.5))
    assert relative_difference(everything(to_escnn(smaller), images()), everything(smaller, images())) <= 1e-5


@pytest.mark.parametrize(("drop", "found"), [(True, "no such entry"), (False, "48")])
def test_a_state_of_another_specification_is_refused(drop, found):
    state = dict(build_escnn_network(NetworkSpec(fields=(8, 8, 16, 32)), initialise=False).state_dict())
    if drop:
        del state["unet.encoder.0.first.weights"]
    message = f'"unet.encoder.0.first.weights" of the escnn state must hold 24 values, found {found}: give the spec'
    with pytest.raises(ValueError, match=message):
        from_escnn(state, SPECS["tiny D"])


@pytest.mark.parametrize(("patterns", "outside"), [(torch.eye(6, 36), "6 patterns"), (torch.eye(5, 36), "1.0e\\+00")])
def test_an_escnn_with_other_kernels_is_refused(monkeypatch, patterns, outside):
    escnn_bridge._pair_map.cache_clear()
    monkeypatch.setattr(escnn_bridge, "_their_patterns", lambda *_: patterns.double())
    with pytest.raises(ComputeError, match=f"kernels .* of escnn must span ours, .*{outside}.*install escnn 1.0.11"):
        escnn_bridge._pair_map(3, "trivial", "regular")
