"""Laws of Fang's network in torch: its published size, one signal at a time, and no memory of what it computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.shrinkage import PENALTIES, shrink
from napari_bgremove.learning.networks import PriorGuidedNet, PriorGuidedSpec, build_network, count_parameters
from napari_bgremove.learning.networks.double_conv import convolve_each
from napari_bgremove.learning.networks.shrinkage import make_activation
from napari_bgremove.learning.networks.signal_norm import SignalNorm
from napari_bgremove.learning.networks.wiener import measure_impulse_response, wiener_filter

NORMS = ("fixed", "batch", "signal")
SPECS = [
    PriorGuidedSpec(),
    PriorGuidedSpec(prior="off"),
    PriorGuidedSpec(width=6, prior="batch-mean"),
    PriorGuidedSpec(width=3, wiener_window=5),
    PriorGuidedSpec(normalized=False),
    *(PriorGuidedSpec(activation=name, threshold=how) for name in PENALTIES for how in ("learnt", "adaptive")),
]


def _signals(n: int, samples: int = 100, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(n, samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _network(spec: PriorGuidedSpec = SPECS[0], seed: int = 0) -> PriorGuidedNet:
    """A network whose running statistics are those of data, ready for use."""
    network = build_network(spec, seed=seed).double()
    norms = [module for module in network.modules() if isinstance(module, SignalNorm)]
    for norm in norms:
        norm.momentum = 1.0  # the statistics of one batch, and nothing of the initial ones
    network(_signals(16, seed=100))
    return network.eval()


def _outputs(network: PriorGuidedNet, signals: torch.Tensor, norm: Any = "fixed") -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = network(signals, norm=norm)
    return result


def test_the_network_of_the_paper_has_its_size() -> None:
    """7750 trainable numbers, 6040 without the prior's encoder (counted in the published checkpoint)."""
    network = build_network(PriorGuidedSpec(), seed=0)
    assert count_parameters(network) == 7750
    assert count_parameters(network) - count_parameters(network.prior) == 6040
    assert count_parameters(build_network(PriorGuidedSpec(prior="off"), seed=0)) == 6039  # nor is there a beta
    assert network.beta.item() == 0.5
    wide = PriorGuidedSpec(width=8, prior="off")
    assert build_network(wide, seed=0).down4.conv1.weight.shape == (64, 64, 3)
    assert 88_000 < count_parameters(build_network(wide, seed=0)) < 94_000


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("samples", [16, 17, 31, 100, 128, 201])
def test_any_length_from_16_on_goes_through(spec: PriorGuidedSpec, samples: int) -> None:
    network, signals = _network(spec), _signals(3, samples)
    for norm in NORMS if samples >= 32 else ("fixed", "batch"):
        found = _outputs(network, signals, norm)
        assert found.shape == signals.shape
        assert bool(found.isfinite().all())


def test_a_single_sample_left_has_no_statistics_of_its_own() -> None:
    network = _network()
    _outputs(network, _signals(1, 32), "signal")
    sentence = r"two or more values per channel; found 1 .* Use longer signals, or the running statistics"
    for norm in ("batch", "signal"):
        with pytest.raises(ComputeError, match=sentence):
            _outputs(network, _signals(1, 31), norm)
    with pytest.raises(ComputeError, match=sentence):
        network.train()(_signals(1, 31))


def test_all_axes_but_the_last_count_as_one_batch() -> None:
    network, signals = _network(), _signals(6).reshape(2, 3, 100)
    found = _outputs(network, signals)
    torch.testing.assert_close(found, _outputs(network, signals.flatten(0, 1)).reshape(2, 3, 100))
    torch.testing.assert_close(_outputs(network, signals[0, 0]), found[0, 0])


@pytest.mark.parametrize("samples", [15, 0])
def test_a_shorter_signal_is_refused(samples: int) -> None:
    with pytest.raises(ValueError, match=f"'measured' must have 16 samples or more .*; found 2 x {samples}"):
        build_network(PriorGuidedSpec(), seed=0)(torch.zeros(2, samples))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("norm", ["fixed", "signal"])
def test_a_signal_gives_the_same_alone_and_among_others(spec: PriorGuidedSpec, norm: str) -> None:
    network, signals = _network(spec), _signals(4)
    alone = torch.cat([_outputs(network, one[None], norm) for one in signals])
    together = _outputs(network, signals, norm)
    if spec.prior == "batch-mean":  # as published, and the reason why it is not the default
        assert not torch.allclose(alone, together, atol=1e-10, rtol=1e-8)
    else:
        torch.testing.assert_close(together, alone)


def test_statistics_of_a_batch_of_one_are_those_of_the_signal() -> None:
    network, signals = _network(), _signals(3)
    for one in signals:
        torch.testing.assert_close(_outputs(network, one[None], "batch"), _outputs(network, one[None], "signal"))
    assert not torch.allclose(_outputs(network, signals, "batch"), _outputs(network, signals, "signal"))
    assert not torch.allclose(_outputs(network, signals, "batch"), _outputs(network, signals, "fixed"))


def test_the_attribute_chooses_the_statistics_where_the_call_does_not() -> None:
    network, signals = _network(), _signals(3)
    for norm in NORMS:
        network.set_norm(norm)
        with torch.inference_mode():
            torch.testing.assert_close(network(signals), _outputs(network, signals, norm))
    with pytest.raises(ValueError, match="'norm' must be one of fixed, batch, signal; found 'unfixed'"):
        network.set_norm("unfixed")  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_repeated_evaluation_changes_no_parameter_and_no_statistic(spec: PriorGuidedSpec, norm: str) -> None:
    network, signals = _network(spec), _signals(4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = _outputs(network, signals, norm)
    second = _outputs(network, signals, norm)
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_training_changes_the_running_statistics_and_no_parameter() -> None:
    network = build_network(PriorGuidedSpec(), seed=0).double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(_signals(4))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert changed == {name for name in before if name.endswith(("running_mean", "running_var", "batches_tracked"))}


@pytest.mark.parametrize("prior", ["per-sample", "batch-mean"])
def test_the_prior_and_the_kernel_it_modulates_learn(prior: Any) -> None:
    """Neither did in the original, which wrote the modulated kernel back."""
    network = build_network(PriorGuidedSpec(prior=prior), seed=0).double()
    network(_signals(4)).square().mean().backward()
    gradients = {name: value.grad for name, value in network.named_parameters()}
    for name in ("beta", "down4.conv1.weight", "prior.inc.conv1.weight", "prior.down3.conv2.weight"):
        gradient = gradients[name]
        assert gradient is not None
        assert float(gradient.abs().max()) > 1e-8, name


def test_a_beta_of_zero_is_no_prior() -> None:
    network, signals = _network(PriorGuidedSpec(width=6)), _signals(3)
    plain = build_network(PriorGuidedSpec(width=6, prior="off"), seed=0).double().eval()
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if name in plain.state_dict()})
    assert not torch.allclose(_outputs(network, signals), _outputs(plain, signals), atol=1e-10, rtol=1e-8)
    with torch.no_grad():
        network.beta.zero_()
    torch.testing.assert_close(_outputs(network, signals), _outputs(plain, signals), rtol=0, atol=1e-14)


def test_the_prior_sees_the_filter_of_the_signal_whatever_its_scale() -> None:
    signals = _signals(3)[:, None]
    torch.testing.assert_close(measure_impulse_response(1e3 * signals, 3), measure_impulse_response(signals, 3))


def test_kernels_of_their_own_are_applied_one_by_one() -> None:
    x, kernels, bias = _signals(6).reshape(3, 2, 100), _signals(3, 30).reshape(3, 5, 2, 3), _signals(1, 5)[0]
    each = [torch.nn.functional.conv1d(a[None], k, bias, padding=1) for a, k in zip(x, kernels, strict=True)]
    torch.testing.assert_close(convolve_each(x, kernels, bias), torch.cat(each))


@pytest.mark.parametrize("window", [3, 5, 9])
def test_the_filter_is_that_of_scipy(window: int) -> None:
    signals = _signals(4)
    expected = np.stack([scipy_signal.wiener(one, window) for one in signals.numpy()])
    np.testing.assert_allclose(wiener_filter(signals[:, None], window)[:, 0].numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_signal_is_nothing_to_divide_by_zero_for(value: float) -> None:
    flat = torch.full((1, 1, 40), value)
    assert bool(wiener_filter(flat, 3).isfinite().all())
    assert bool(measure_impulse_response(flat, 3).isfinite().all())
    assert bool(_outputs(_network(), flat[0].double()).isfinite().all())


@pytest.mark.parametrize("penalty", PENALTIES)
@settings(max_examples=25, deadline=None)
@given(theta=st.floats(-4, 3), scale=st.floats(0.01, 20))
def test_learnt_shrinkage_is_the_proximal_map_of_its_weight(penalty: Any, theta: float, scale: float) -> None:
    """The values are those of filters.shrinkage, which has its own independent check."""
    layer = make_activation(PriorGuidedSpec(activation=penalty), channels=1).double()
    with torch.no_grad():
        layer.theta.fill_(theta)
        z = scale * _signals(2, 50)[:, None]
        found = layer(z).numpy()
    expected = shrink(z.numpy(), np.logaddexp(theta, 0), penalty=penalty, gamma=0.5)
    np.testing.assert_allclose(found, expected, atol=1e-12 * scale)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_adaptive_shrinkage_takes_away_what_is_below_the_mean_scatter_and_little_of_what_stands_out(
    penalty: Any,
) -> None:
    layer = make_activation(PriorGuidedSpec(activation=penalty, threshold="adaptive"), channels=1)
    z = 0.1 * _signals(1, 60)[:, None].float()
    z[0, 0, 30] = 40.0
    with torch.no_grad():
        found = layer(z)[0, 0]
    assert found.count_nonzero() <= 3
    assert float(found[30]) > 33


def test_a_soft_threshold_and_a_relu_are_a_relu_further_to_the_right() -> None:
    """Why shrinkage takes the place of the ReLU: the two in a row are no new function."""
    layer = make_activation(PriorGuidedSpec(activation="soft"), channels=1).double()
    z, weight = _signals(3)[:, None], 0.1
    torch.testing.assert_close(layer(z).relu(), (z - weight).relu())


@pytest.mark.parametrize("make", [lambda s: make_activation(s, 4), PriorGuidedNet])
def test_gradients_stay_finite_where_nothing_is_there(make: Callable[[PriorGuidedSpec], torch.nn.Module]) -> None:
    for spec in SPECS:
        module, z = make(spec), torch.zeros(2, 4, 40, requires_grad=True)
        module(z).sum().backward()
        gradients = [p.grad for p in (z, *module.parameters()) if p.grad is not None]
        assert all(bool(g.isfinite().all()) for g in gradients)


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (build_network(PriorGuidedSpec(), seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
