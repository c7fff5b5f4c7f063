"""Laws of the networks: exact symmetry, an additive head that stays alive, traps that must show."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from pydantic import ValidationError
from scipy import ndimage
from torch import Tensor

from napari_bgremove.learning.checks import compare_turned
from napari_bgremove.learning.networks import (
    PRESETS,
    STRIDE,
    AdditiveNetwork,
    NetworkSpec,
    build_network,
    count_parameters,
    opening,
)
from napari_bgremove.learning.networks.additive_head import BACKWARD_SLOPE, AdditiveHead, live_relu
from napari_bgremove.learning.networks.p4 import P4Conv, steerable_basis
from napari_bgremove.learning.networks.unet import plain_conv

TINY = (1, 2, 2, 3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _input(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator) ** 3


def _live(spec: NetworkSpec, x: Tensor, *, seed: int = 0) -> AdditiveNetwork:
    """A network whose head splits the pixels of `x` in halves: background neither 0 nor everywhere."""
    network = build_network(spec, seed=seed).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):  # biases are born zero: make them take part
                parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
        raw = network.head.conv(network.latents(x))
        network.head.conv.bias -= raw.median()
        share = (network(x)[1] > 0).float().mean()
    assert 0.2 < share < 0.8, f"the network is not live: {share}"
    return network


def _turn(x: Tensor, quarters: int) -> Tensor:
    return torch.rot90(x, quarters, (-2, -1))


@pytest.mark.parametrize("topology", ["D", "A"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_commutes_with_quarter_turns(preset: str, topology: str) -> None:
    """1e-5 is the promise of the specification; float32 rounding is 1e-7 per operation."""
    x = _input(1, 1, 32, 32) if preset == "paper" else _input(1, 1, 48, 32)
    network = _live(NetworkSpec(fields=PRESETS[preset], topology=topology), x)
    assert compare_turned(network, x) <= 1e-5


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (1, 1, 24, 56), (3, 1, 40, 16)])
def test_any_multiple_of_the_stride_commutes_with_quarter_turns(shape: tuple[int, ...]) -> None:
    x = _input(*shape)
    network = _live(NetworkSpec(fields=TINY), x)
    assert compare_turned(network, x) <= 1e-5


@pytest.mark.parametrize("guides", [(3,), (5, 9, 15)])
def test_a_guided_network_commutes_with_quarter_turns(guides: tuple[int, ...]) -> None:
    x = _input(1, 1, 24, 40)
    network = _live(NetworkSpec(fields=TINY, guides=guides), x)
    assert compare_turned(network, x) <= 1e-5


@pytest.mark.parametrize("size", [3, 5, 9])
def test_a_guide_is_the_grey_opening(size: int) -> None:
    """Independent implementation: scipy.ndimage.grey_opening, rim apart (scipy mirrors it)."""
    x = _input(1, 1, 40, 30)
    expected = ndimage.grey_opening(x[0, 0].numpy(), size=(size, size))
    inner = np.s_[size:-size, size:-size]
    assert_array_equal(opening(x, size)[0, 0].numpy()[inner], expected[inner])


@pytest.mark.parametrize("guides", [(5,), (3, 7, 15)])
def test_a_fresh_guided_network_answers_about_what_the_middle_opening_removes(guides: tuple[int, ...]) -> None:
    x = _input(2, 1, 64, 64)
    with torch.inference_mode():
        _, background = build_network(NetworkSpec(fields=(4, 8, 16, 32), guides=guides), seed=0)(x)
    removed = x - opening(x, guides[len(guides) // 2])
    assert float(torch.corrcoef(torch.stack([background.flatten(), removed.flatten()]))[0, 1]) > 0.9


def test_in_double_precision_the_symmetry_is_exact_to_rounding() -> None:
    """Not a tolerance that hides a small break: 1e-13 in float64."""
    x = _input(1, 1, 32, 24).double()
    network = build_network(NetworkSpec(fields=(2, 2, 3, 4), topology="A"), seed=1).double()
    network.head.conv.bias.data += 0.1
    assert compare_turned(network, x) < 1e-13


@pytest.mark.parametrize("topology", ["D", "A"])
def test_the_plain_unet_does_not_commute(topology: str) -> None:
    """A trap test: if this network passed, the measure above would prove nothing."""
    x = _input(1, 1, 32, 32)
    assert (
        compare_turned(_live(NetworkSpec(family="plain_unet", fields=(4, 8, 16, 32), topology=topology), x), x) > 0.01
    )


def test_an_ordinary_convolution_as_head_breaks_the_symmetry() -> None:
    """The paper's text read literally; reference figure 0.60 of the maximum."""
    x = _input(1, 1, 32, 32)
    network = _live(NetworkSpec(fields=(4, 8, 16, 32)), x)
    network.head = AdditiveHead(plain_conv, 16)
    torch.nn.init.normal_(network.head.conv.weight, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        background = network(x)[1]
        turned = network(_turn(x, 1))[1]
    assert float((_turn(background, 1) - turned).abs().max() / background.max()) > 0.01


def test_a_single_wrong_tap_of_a_single_kernel_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    x = _input(1, 1, 32, 32)
    network = _live(NetworkSpec(fields=(4, 8, 16, 32)), x)
    layer = network.unet.halve[2]
    kernel, bias = layer.expand()
    kernel = kernel.detach().clone()
    kernel[:4, 5, 0, 1] += 0.1
    monkeypatch.setattr(layer, "expand", lambda: (kernel, bias))
    assert compare_turned(network, x) > 1e-4


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_field_turns_by_shifting_its_four_channels(quarters: int) -> None:
    """The definition of the regular representation of C4, on one lifting and one regular layer."""
    lift, conv = P4Conv(1, 3, in_kind="trivial").double(), P4Conv(3, 2).double()
    x = _input(1, 1, 9, 7).double()

    def act(y: Tensor) -> Tensor:
        fields = _turn(y, quarters).unflatten(1, (-1, 4))
        return fields.roll(quarters, dims=2).flatten(1, 2)

    for layer, field, turned in ((lift, x, _turn(x, quarters)), (conv, lift(x), act(lift(x)))):
        assert torch.allclose(act(layer(field)), layer(turned), atol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
def test_the_steerable_patterns_are_orthonormal_and_closed_under_turning(size: int) -> None:
    basis = steerable_basis(size).flatten(1)
    assert torch.allclose(basis @ basis.T, torch.eye(len(basis), dtype=torch.float64), atol=1e-12)
    turned = torch.rot90(steerable_basis(size), 1, (-2, -1)).flatten(1)
    assert torch.allclose(turned @ basis.T @ basis, turned, atol=1e-12)


# reference/saxs-unet.md 1.2, the counts of escnn: coefficients per pair of fields, bias apart.
@pytest.mark.parametrize(
    ("kinds", "size", "count"),
    [
        (("regular", "regular"), 3, 24), (("regular", "regular"), 1, 4), (("trivial", "regular"), 3, 6),
        (("regular", "trivial"), 3, 6), (("trivial", "regular"), 1, 1), (("trivial", "trivial"), 3, 2),
    ],
)  # fmt: skip
def test_a_pair_of_fields_has_as_many_coefficients_as_in_escnn(kinds: tuple[str, str], size: int, count: int) -> None:
    assert P4Conv(1, 1, size, in_kind=kinds[0], out_kind=kinds[1]).coefficients.numel() == count


@pytest.mark.parametrize(
    "kinds", [("regular", "regular"), ("trivial", "regular"), ("regular", "trivial"), ("trivial", "trivial")]
)
@pytest.mark.parametrize("gain", [2.0, 1.0])
def test_the_expanded_kernel_has_the_variance_of_he(kinds: tuple[str, str], gain: float) -> None:
    """He et al., ICCV 2015: the squared taps a neuron sees add up to the gain."""
    torch.manual_seed(0)
    kernel, bias = P4Conv(64, 64, in_kind=kinds[0], out_kind=kinds[1], gain=gain).expand()
    per_neuron = kernel.detach().square().sum((1, 2, 3)).mean()
    assert float(per_neuron) == pytest.approx(gain, rel=0.1)
    assert float(bias.detach().abs().max()) == 0


@pytest.mark.parametrize("family", ["c4_unet", "plain_unet"])
def test_the_first_activations_neither_fade_nor_explode(family: str) -> None:
    """Without the He scale of the expanded kernels the decoder's output is thousands of times smaller."""
    x = _input(2, 1, 32, 32)
    sizes: list[float] = []
    for seed in range(9):
        network = build_network(NetworkSpec(family=family, fields=(4, 8, 16, 32)), seed=seed)
        network.unet.to_latents.register_forward_pre_hook(lambda _, args: sizes.append(float(args[0].square().mean())))
        with torch.inference_mode():
            network(x)
    assert 0.1 < math.sqrt(sorted(sizes)[4] / float(x.square().mean())) < 30


@pytest.mark.parametrize("family", ["c4_unet", "plain_unet"])
@pytest.mark.parametrize("preset", ["small", "tiny"])
def test_every_fresh_network_is_alive_whatever_the_seed(preset: str, family: str) -> None:
    """reference/saxs-unet.md 0.6: with the head as printed a third of the seeds gave no background on any pixel."""
    x = _input(2, 1, 32, 32)
    with torch.inference_mode():
        for seed in range(8):
            background = build_network(NetworkSpec(family=family, fields=PRESETS[preset]), seed=seed)(x)[1]
            assert float((background > 0).float().mean()) > 0.5
            assert float(background.max()) < 1


def test_the_two_parts_are_those_of_the_additive_head() -> None:
    """Starke & Smid: n = ReLU(conv(l)), s = ReLU(x - n)."""
    x = _input(2, 1, 24, 16)
    network = _live(NetworkSpec(fields=TINY), x)
    with torch.inference_mode():
        signal, background = network(x)
        raw = network.head.conv(network.latents(x))
    assert torch.equal(background, raw.clamp_min(0))
    assert torch.equal(signal, (x - background).clamp_min(0))


def test_the_live_head_is_exactly_a_relu_forward_and_leaks_a_tenth_of_the_gradient_backward() -> None:
    x = torch.tensor([-3.0, -1e-9, 0.0, 1e-9, 2.0], requires_grad=True)
    y = live_relu(x)
    assert torch.equal(y, torch.relu(x))
    with torch.no_grad():
        assert torch.equal(live_relu(x), torch.relu(x))
    y.backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert x.grad is not None
    assert torch.allclose(x.grad, torch.tensor([0.1, 0.2, 0.3, 4.0, 5.0]))
    assert BACKWARD_SLOPE == 0.1


def _gradient_of_a_silent_head(*, literal: bool) -> float:
    network = build_network(NetworkSpec(fields=TINY, literal_head=literal), seed=0)
    network.head.conv.bias.data -= 100
    x = _input(1, 1, 16, 16)
    signal, background = network(x)
    assert not background.any()
    ((signal - 0.5 * x).abs().mean() + (background - 0.5 * x).abs().mean()).backward()
    return math.fsum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


def test_a_silent_literal_head_has_no_gradient_at_all_and_a_silent_live_head_has_one() -> None:
    assert _gradient_of_a_silent_head(literal=True) == 0.0
    assert _gradient_of_a_silent_head(literal=False) > 1e-3


def test_a_seed_fixes_the_weights_and_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = build_network(NetworkSpec(fields=TINY), seed=3)
    assert torch.equal(torch.rand(1), expected)
    two, other = (build_network(NetworkSpec(fields=TINY), seed=s) for s in (3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_state_of_a_network_is_its_free_coefficients_only() -> None:
    network = build_network(NetworkSpec(fields=TINY))
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}
    assert sum(t.numel() for t in network.state_dict().values()) == count_parameters(network)


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "torch.nn.Linear"}, {"topology": "E"}, {"fields": (4, 8, 16)}, {"fields": (0, 1, 1, 1)},
        {"fields": (1, 1, 1, 10**9)}, {"guides": (4,)}, {"guides": (1,)}, {"guides": (3,) * 9},
        {"latents": 0}, {"latents": 10**6}, {"surprise": 1}, {"family": ""},
    ],
)  # fmt: skip
def test_a_description_outside_our_enumeration_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="NetworkSpec"):
        NetworkSpec(**changes)  # type: ignore[arg-type]


def test_a_side_that_is_no_multiple_of_the_stride_does_not_pass() -> None:
    assert STRIDE == 8
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        build_network(NetworkSpec(fields=TINY))(_input(1, 1, 20, 20))
