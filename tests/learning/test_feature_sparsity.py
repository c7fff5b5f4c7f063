"""Zeros among features: counted where they are, and nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bgremove.learning.feature_sparsity import measure_zero_share
from napari_bgremove.learning.networks import build_network
from napari_bgremove.numpy_network.spec import PriorGuidedSpec

SIGNALS = np.random.default_rng(0).normal(0, 3, (4, 40))


def build(**changes):
    return build_network(PriorGuidedSpec(prior="off", **changes), seed=0).eval()


def test_a_relu_after_normalization_leaves_about_half():
    assert 0.3 < measure_zero_share(build(), SIGNALS, norm="signal") < 0.7


def test_a_threshold_that_nothing_passes_leaves_none():
    network = build(activation="soft")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("theta"):
                parameter.fill_(1e6)
    assert measure_zero_share(network, SIGNALS) == 1.0


def test_a_threshold_of_nothing_leaves_all():
    network = build(activation="soft")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("theta"):
                parameter.fill_(-1e6)
    assert measure_zero_share(network, SIGNALS) == pytest.approx(0.0, abs=1e-3)


def test_the_network_is_as_it_was():
    network = build().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measure_zero_share(network, SIGNALS)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
