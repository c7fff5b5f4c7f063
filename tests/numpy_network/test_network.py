"""The whole denoiser in numpy: laws, gradients, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from napari_bgremove.errors import ComputeError
from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet, backward_network, forward_network
from napari_bgremove.numpy_network.prior import estimate_impulse_response, forward_prior
from napari_bgremove.numpy_network.spec import PriorGuidedSpec
from napari_bgremove.numpy_network.training import train
from napari_bgremove.numpy_network.weights import ENCODER, list_shapes, make_weights
from napari_bgremove.numpy_network.wiener import forward_wiener

SPECS = [
    PriorGuidedSpec(),
    PriorGuidedSpec(prior="off", width=3),
    PriorGuidedSpec(prior="batch-mean"),
    PriorGuidedSpec(normalized=False),
    PriorGuidedSpec(activation="soft"),
    PriorGuidedSpec(activation="firm", firm_gamma=0.3),
    PriorGuidedSpec(activation="half", normalized=False),
    PriorGuidedSpec(activation="hard"),
    PriorGuidedSpec(activation="firm", threshold="adaptive"),
]
NORMS = ("fixed", "batch", "signal")
every_spec = pytest.mark.parametrize(
    "spec", SPECS, ids=lambda s: f"{s.prior} {s.activation} {s.threshold} {'norm' if s.normalized else 'no norm'}"
)
every_norm = pytest.mark.parametrize("norm", NORMS)


def make_network(spec: PriorGuidedSpec, dtype: type = np.float64) -> NumpyPriorGuidedNet:
    """A network whose normalization does something in every mode."""
    weights = make_weights(spec, 1, dtype=dtype)
    rng = np.random.default_rng(2)
    for name, value in weights.items():
        if name.endswith(("norm1.bias", "norm2.bias", "running_mean")):
            weights[name] = rng.normal(0, 0.3, value.shape).astype(dtype)
        if name.endswith(("norm1.weight", "norm2.weight", "running_var")):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(dtype)
    return NumpyPriorGuidedNet(spec, weights)


def make_pairs(count: int, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The paper's spikes in noise, measured and signal."""
    rng = np.random.default_rng(seed)
    signal = np.zeros((count, length))
    places = rng.integers(0, length, (count, length // 5))
    np.put_along_axis(signal, places, rng.integers(2, 11, places.shape).astype(float), axis=1)
    return signal + rng.normal(0, 3, signal.shape), signal


# Laws.


@every_spec
@pytest.mark.parametrize(("norm", "length"), [("fixed", 51), ("batch", 36), ("signal", 51)])
def test_signals_come_back_as_long_as_they_were_and_nothing_changes(
    spec: PriorGuidedSpec, norm: Any, length: int
) -> None:
    network, (measured, signal) = make_network(spec), make_pairs(3, length)
    before = {name: value.copy() for name, value in network.weights.items()}
    given = measured.copy(), signal.copy()
    first = network.forward(measured, norm=norm)
    loss, gradients, _ = network.loss_and_gradients(measured, signal, norm=norm)
    again = network.loss_and_gradients(measured, signal, norm=norm)
    np.testing.assert_array_equal(network.forward(measured, norm=norm), first)
    assert first.shape == measured.shape
    assert again[0] == loss
    for name in gradients:
        np.testing.assert_array_equal(again[1][name], gradients[name])
    for name, value in network.weights.items():
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal((measured, signal), given)


@every_norm
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_is_in_the_dtype_of_the_weights(norm: Any, dtype: type) -> None:
    for spec in SPECS:
        network, (measured, signal) = make_network(spec, dtype), make_pairs(2, 37)
        assert network.forward(measured, norm=norm).dtype == dtype
        _, gradients, statistics = network.loss_and_gradients(measured, signal, norm=norm)
        assert {value.dtype for value in gradients.values()} == {np.dtype(dtype)}
        assert {value.dtype for value in statistics.values()} <= {np.dtype(dtype), np.dtype(np.int64)}


@pytest.mark.parametrize("norm", ["fixed", "signal"])
@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.prior != "batch-mean"], ids=str)
def test_a_batch_is_its_signals_one_by_one(spec: PriorGuidedSpec, norm: Any) -> None:
    network, (measured, _) = make_network(spec), make_pairs(3, 41)
    alone = [network.forward(one[None], norm=norm) for one in measured]
    np.testing.assert_allclose(network.forward(measured, norm=norm), np.concatenate(alone), rtol=1e-11, atol=1e-11)


def test_many_long_signals_go_through_in_parts_that_do_not_show() -> None:
    network, (measured, _) = make_network(PriorGuidedSpec()), make_pairs(5, 5000)
    whole = forward_network(measured, network.weights, network.spec, "fixed")[0]
    np.testing.assert_allclose(network.forward(measured), whole, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("spec", "norm"), [(SPECS[0], "batch"), (PriorGuidedSpec(prior="batch-mean"), "signal")], ids=str
)
def test_what_is_taken_over_the_batch_depends_on_the_others(spec: PriorGuidedSpec, norm: Any) -> None:
    network, (measured, _) = make_network(spec), make_pairs(3, 41)
    assert np.abs(network.forward(measured, norm=norm)[0] - network.forward(measured[:1], norm=norm)[0]).max() > 1e-7


def test_a_signal_by_itself_is_a_batch_of_one() -> None:
    network, (measured, _) = make_network(PriorGuidedSpec()), make_pairs(2, 40)
    each = [network.forward(one[None], norm="batch") for one in measured]
    np.testing.assert_allclose(network.forward(measured, norm="signal"), np.concatenate(each), rtol=1e-11, atol=1e-11)


@every_spec
def test_the_shortest_signals_go_through(spec: PriorGuidedSpec) -> None:
    network = make_network(spec)
    assert np.isfinite(network.forward(make_pairs(1, 16)[0])).all()
    assert np.isfinite(network.forward(make_pairs(3, 17)[0], norm="batch")).all()


@pytest.mark.parametrize("measured", [np.zeros((2, 32)), np.ones((2, 33), int), np.eye(40)[:3] > 0])
@every_norm
def test_silence_constants_and_whole_numbers_go_through(measured: np.ndarray, norm: Any) -> None:
    assert np.isfinite(make_network(PriorGuidedSpec()).forward(measured, norm=norm)).all()


# Gradients.


@pytest.mark.parametrize(
    ("spec", "norm"),
    [*((spec, "batch") for spec in SPECS), *((spec, norm) for spec in SPECS[:2] for norm in ("fixed", "signal"))],
    ids=str,
)
def test_gradients_are_those_of_differences(spec: PriorGuidedSpec, norm: Any) -> None:
    """Along random directions of all weights of a block together; every weight has its share in one of them.

    Of three steps the best one counts: a large one meets some of ten thousand kinks, a small one the rounding.
    Adaptive thresholds in a row magnify the rounding, so that with them the steps find fewer digits.
    """
    network, (measured, _) = make_network(spec), make_pairs(2, 101)
    y, memory = forward_network(measured, network.weights, spec, norm)
    rng = np.random.default_rng(4)
    probe = rng.normal(size=y.shape)
    gradients = backward_network(probe, memory)
    still = ("running", "num", *(["theta"] if spec.activation == "hard" else []))
    learnt = {name for name in list_shapes(spec) if not name.rpartition(".")[2].startswith(still)}
    assert gradients.keys() == learnt
    for block in sorted({name.partition("conv")[0].partition("norm")[0].partition("shrink")[0] for name in learnt}):
        direction = {name: rng.normal(size=gradients[name].shape) for name in learnt if name.startswith(block)}

        def at(step: float, direction: dict[str, np.ndarray] = direction) -> float:
            moved = {name: network.weights[name] + step * value for name, value in direction.items()}
            return float(np.sum(probe * forward_network(measured, {**network.weights, **moved}, spec, norm)[0]))

        slopes = [(at(step) - at(-step)) / (2 * step) for step in (1e-6, 1e-7, 1e-8)]
        analytic = sum(np.sum(gradients[name] * value) for name, value in direction.items())
        tolerance = 1e-4 if spec.threshold == "adaptive" else 1e-6
        assert min(abs(analytic - slope) for slope in slopes) <= tolerance * max(1, abs(analytic)), block


@pytest.mark.parametrize("prior", ["per-sample", "batch-mean"])
def test_the_gradient_reaches_the_prior(prior: Any) -> None:
    """In the published code none did."""
    network, (measured, signal) = make_network(PriorGuidedSpec(prior=prior)), make_pairs(3, 40)
    _, gradients, _ = network.loss_and_gradients(measured, signal)
    assert np.abs(gradients["beta"]) > 1e-8
    kernels = [f"prior.{block}.conv{number}.weight" for block in ENCODER for number in (1, 2)]
    assert min(np.abs(gradients[name]).max() for name in kernels) > 1e-8


def test_the_guidance_has_the_size_of_a_kernel_at_any_length() -> None:
    network = make_network(PriorGuidedSpec())
    for length in (16, 23, 100, 257):
        guidance, _ = forward_prior(make_pairs(2, length)[0], network.weights, network.spec, "fixed")
        assert guidance.shape == (2, 16, 3)


@pytest.mark.parametrize("length", [32, 33])
def test_the_impulse_response_is_that_of_the_filter_the_signal_went_through(length: int) -> None:
    measured = np.random.default_rng(0).normal(0, 0.1, (2, length))
    measured[:, 7] += 5  # its spectrum has no zeros, so that the published division works
    published = np.abs(np.fft.ifft(np.fft.fft(forward_wiener(measured)[0]) / np.fft.fft(measured)))
    np.testing.assert_allclose(estimate_impulse_response(measured, window=3), published, atol=1e-5)


def test_a_filter_that_takes_nothing_away_is_a_unit_impulse() -> None:
    response = estimate_impulse_response(make_pairs(1, 40)[0], window=1)  # one sample has no variance
    np.testing.assert_allclose(response, np.eye(40)[:1], atol=1e-4)


def test_the_impulse_response_is_as_precise_in_single_precision() -> None:
    measured = make_pairs(3, 100)[0].astype(np.float32)
    single, double = (estimate_impulse_response(measured.astype(dtype), window=3) for dtype in (np.float32, np.float64))
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))


# Statistics and training.


def test_only_a_batch_gives_new_statistics() -> None:
    network, (measured, signal) = make_network(PriorGuidedSpec()), make_pairs(3, 40)
    statistics = network.loss_and_gradients(measured, signal)[2]
    names = [name for name in network.weights if name.rpartition(".")[2].startswith(("running", "num"))]
    assert sorted(statistics) == sorted(names)
    assert statistics["prior.inc.norm1.num_batches_tracked"] == 1
    for norm in ("fixed", "signal"):
        assert network.loss_and_gradients(measured, signal, norm=norm)[2] == {}


@pytest.mark.parametrize(("activation", "loss"), [("relu", "mse"), ("relu", "smooth_l1"), ("soft", "smooth_l1")])
def test_a_short_training_learns(activation: Any, loss: Any) -> None:
    spec = PriorGuidedSpec(activation=activation)
    start = NumpyPriorGuidedNet(spec, make_weights(spec, 0, dtype=np.float64))
    measured, signal = make_pairs(64, 48)
    trained, losses = train(start, measured, signal, epochs=4, batch_size=8, learning_rate=0.02, loss=loss)
    assert losses[-1] < 0.9 * losses[0]
    assert trained.weights["inc.norm1.num_batches_tracked"] == 4 * 8
    assert start.weights["inc.norm1.num_batches_tracked"] == 0


def test_the_same_seed_trains_the_same_network() -> None:
    pairs, options = make_pairs(5, 40), {"epochs": 2, "batch_size": 2, "learning_rate": 0.01}
    start = NumpyPriorGuidedNet(PriorGuidedSpec(), make_weights(PriorGuidedSpec(), 0))
    one, two, other = (train(start, *pairs, **options, seed=seed) for seed in (3, 3, 4))
    assert one[1] == two[1] != other[1]
    np.testing.assert_array_equal(one[0].forward(pairs[0]), two[0].forward(pairs[0]))


# Weights.


def test_the_papers_network_has_as_many_numbers_as_published() -> None:
    def count(spec: PriorGuidedSpec) -> int:
        weights = make_weights(spec, 0)
        return sum(value.size for name, value in weights.items() if "running" not in name and "num_" not in name)

    assert count(PriorGuidedSpec()) == 7750  # incl. prior branch and beta
    assert count(PriorGuidedSpec(prior="off")) == 6040 - 1  # published without the prior's encoder, but with beta


@every_spec
def test_weights_keep_every_bit_in_a_file(spec: PriorGuidedSpec) -> None:
    weights, file = make_weights(spec, 5), BytesIO()
    np.savez(file, **weights)
    file.seek(0)
    with np.load(file, allow_pickle=False) as read:
        back = {name: read[name] for name in read.files}
    assert back.keys() == weights.keys()
    for name, value in weights.items():
        assert (back[name].dtype, back[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(back[name], value)
    measured = make_pairs(2, 40)[0]
    np.testing.assert_array_equal(
        NumpyPriorGuidedNet(spec, back).forward(measured), NumpyPriorGuidedNet(spec, weights).forward(measured)
    )


def test_the_same_seed_gives_the_same_weights_in_both_precisions() -> None:
    double, single = (make_weights(PriorGuidedSpec(), 7, dtype=dtype) for dtype in (np.float64, np.float32))
    for name, value in double.items():
        np.testing.assert_array_equal(value.astype(single[name].dtype), single[name])
    assert np.any(make_weights(PriorGuidedSpec(), 8)["inc.conv1.weight"] != single["inc.conv1.weight"])


# What is refused.


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("beta"), "'weights' must be those of the specification; it lacks 1 of them: beta"),
        (lambda w: w.update(x=np.ones(1)), "'weights' must be those .* it holds also 1 of them: x"),
        (lambda w: w.update(beta=np.ones(())), "'beta' must be a single number of float32; found a single number of f"),
        (lambda w: w.update({"outc.bias": np.ones(2)}), "'outc.bias' must be 1 of float32; found 2 of float64"),
        (lambda w: w.update({"inc.conv1.weight": np.ones(1, int)}), "must be float32 or float64; found int64"),
    ],
)
def test_foreign_weights_are_refused(change: Callable[[dict[str, np.ndarray]], object], sentence: str) -> None:
    weights = make_weights(PriorGuidedSpec(), 0)
    change(weights)
    with pytest.raises(ValueError, match=sentence):
        NumpyPriorGuidedNet(PriorGuidedSpec(), weights)


@pytest.mark.parametrize(
    "measured", [np.ones(40), np.ones((2, 15)), np.ones((0, 40)), np.ones((1, 2, 40)), np.ones((2, 40), complex)]
)
def test_what_is_no_stack_of_signals_is_refused(measured: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"'measured' must hold real signals \(B x L\) of 16 or more samples; found"):
        make_network(PriorGuidedSpec()).forward(measured)


def test_gaps_are_refused() -> None:
    measured = make_pairs(2, 40)[0]
    measured[0, :3] = np.nan
    with pytest.raises(ComputeError, match="'measured' must be finite; found 3 values that are not"):
        make_network(PriorGuidedSpec()).forward(measured)


def test_the_spread_of_a_single_value_is_refused() -> None:
    with pytest.raises(ComputeError, match="two or more values per channel"):
        make_network(PriorGuidedSpec()).forward(make_pairs(3, 31)[0], norm="signal")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"norm": "running"}, "'norm' must be one of fixed, batch, signal; found 'running'"),
        ({"loss": "l1"}, "'loss' must be one of mse, smooth_l1; found 'l1'"),
    ],
)
def test_an_unknown_choice_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_network(PriorGuidedSpec()).loss_and_gradients(*make_pairs(2, 40), **options)


def test_signals_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'signal' must have the shape of 'measured' \(2 x 40\); found 2 x 41"):
        make_network(PriorGuidedSpec()).loss_and_gradients(make_pairs(2, 40)[0], make_pairs(2, 41)[1])


@pytest.mark.parametrize("options", [{"epochs": 0}, {"epochs": 1, "batch_size": 0}])
def test_an_empty_training_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be above zero; found 0"):
        train(make_network(PriorGuidedSpec()), *make_pairs(2, 40), **options)
