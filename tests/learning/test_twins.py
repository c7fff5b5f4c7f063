"""The denoiser in torch and the one in numpy are the same function, with the same gradients and the same training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_description import SignalModelDescription
from napari_bgremove.learning.model_file import read_signal_model, write_model
from napari_bgremove.learning.networks import PriorGuidedNet, PriorGuidedSpec, build_network
from napari_bgremove.learning.numpy_weights import read_numpy_weights
from napari_bgremove.learning.objectives.denoising import LOSSES, DenoisingObjective
from napari_bgremove.numpy_network.descent import sgd_step
from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet
from napari_bgremove.numpy_network.weights import make_weights

NORMS: Any = ("fixed", "batch", "signal")
SPECS = [
    PriorGuidedSpec(),
    PriorGuidedSpec(prior="off"),
    PriorGuidedSpec(prior="batch-mean"),
    PriorGuidedSpec(width=8),
    PriorGuidedSpec(wiener_window=5, normalized=False),
    PriorGuidedSpec(hidden=(1, 3, 2, 5, 7, 1, 4, 2)),
    PriorGuidedSpec(prior="off", normalized=False, hidden=(2, 1, 8, 3, 9, 16, 5, 2, 1)),
    *(
        PriorGuidedSpec(activation=name, threshold=how, firm_gamma=0.3)
        for name in ("soft", "half", "hard", "firm")
        for how in ("learnt", "adaptive")
    ),
]
BATCHES = [(1, 100), (3, 100), (3, 101), (1, 47), (3, 32)]


def _name(spec: PriorGuidedSpec) -> str:
    narrowed = "-narrowed" if spec.hidden else ""
    return f"{spec.width}-{spec.prior}-{spec.normalized}-{spec.activation}-{spec.threshold}{narrowed}"


def _weights(spec: PriorGuidedSpec, dtype: Any = np.float64) -> dict[str, NDArray[Any]]:
    """Initial weights with statistics, factors and offsets that are not those of the identity."""
    rng = np.random.default_rng(5)
    weights = make_weights(spec, 1, dtype=dtype)
    for name, value in weights.items():
        if "norm" in name and value.dtype == dtype:
            weights[name] = (value + rng.uniform(0, 0.5, value.shape)).astype(dtype)
    return weights


def _twins(spec: PriorGuidedSpec, dtype: Any = np.float64) -> tuple[PriorGuidedNet, NumpyPriorGuidedNet]:
    weights = _weights(spec, dtype)
    network = PriorGuidedNet(spec).to(torch.float64 if dtype == np.float64 else torch.float32)
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    return network, NumpyPriorGuidedNet(spec, weights)


def _signals(n: int, samples: int, dtype: Any = np.float64, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    signal = np.where(rng.random((n, samples)) < 0.2, rng.integers(2, 11, (n, samples)), 0).astype(dtype)
    return signal, (signal + 3 * rng.normal(size=signal.shape)).astype(dtype)


def _deviation(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest deviation relative to the largest value."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


@pytest.mark.parametrize("spec", SPECS, ids=_name)
@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_forward_and_all_gradients_are_equal(spec: PriorGuidedSpec, shape: tuple[int, int]) -> None:
    signal, measured = _signals(*shape)
    loss: Any = "mse" if spec.width == 2 else "smooth_l1"
    for norm in NORMS:
        network, twin = _twins(spec)
        # In training torch takes the statistics of the batch; the other modes are evaluated, with gradients.
        network.train(norm == "batch").set_norm(norm)
        denoised = network(torch.from_numpy(measured))
        expected = LOSSES[loss](denoised, torch.from_numpy(signal))
        expected.backward()
        found = twin.forward(measured, norm=norm)
        np.testing.assert_allclose(found, denoised.detach().numpy(), rtol=0, atol=1e-10, err_msg=norm)
        value, gradients, statistics = twin.loss_and_gradients(measured, signal, loss=loss, norm=norm)
        assert value == pytest.approx(expected.item(), rel=1e-10)
        # Neither has one where the slope is zero everywhere: the weight of a hard threshold.
        torchs = {n: p.grad.numpy() for n, p in network.named_parameters() if p.grad is not None}
        assert set(gradients) == set(torchs)
        # Of gradients of some hundreds the last digits are rounding.
        unit = max(1.0, *(float(np.abs(g).max()) for g in torchs.values()))
        for name, gradient in torchs.items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=1e-10 * unit, err_msg=f"{name} {norm}")
        state = network.state_dict()
        assert bool(statistics) == (norm == "batch" and any("running" in name for name in state))
        for name, updated in statistics.items():
            np.testing.assert_allclose(updated, state[name].numpy(), rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("spec", SPECS, ids=_name)
def test_single_precision_agrees_to_1e_5(spec: PriorGuidedSpec) -> None:
    # An adaptive weight is infinite where v = nu: next to it a single rounding is seen.
    bound = 1e-3 if spec.activation != "relu" and spec.threshold == "adaptive" else 1e-5
    _, measured = _signals(3, 101, np.float32)
    network, twin = _twins(spec, np.float32)
    with torch.inference_mode():
        for norm in NORMS:
            expected = network.eval()(torch.from_numpy(measured), norm=norm).numpy()
            found = twin.forward(measured, norm=norm)
            assert found.dtype == np.float32
            assert _deviation(found, expected) < bound, norm


def test_the_gradients_of_single_precision_agree_to_1e_5() -> None:
    signal, measured = _signals(3, 100, np.float32)
    network, twin = _twins(PriorGuidedSpec(), np.float32)
    batch = {"measured": torch.from_numpy(measured), "signal": torch.from_numpy(signal)}
    DenoisingObjective()(network.train(), batch)["loss"].backward()  # type: ignore[no-untyped-call]
    _, gradients, _ = twin.loss_and_gradients(measured, signal)
    largest = max(float(np.abs(g).max()) for g in gradients.values())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert float(np.abs(gradients[name] - parameter.grad.numpy()).max()) < 1e-5 * largest, name


@pytest.mark.parametrize(
    "spec", [PriorGuidedSpec(), PriorGuidedSpec(activation="firm"), PriorGuidedSpec(prior="batch-mean")], ids=repr
)
def test_twenty_steps_of_descent_lead_to_the_same_weights(spec: PriorGuidedSpec) -> None:
    network, twin = _twins(spec)
    rates = {"momentum": 0.9, "weight_decay": 1e-6}
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, **rates)
    velocity: dict[str, NDArray[Any]] = {}
    for step in range(20):
        signal, measured = _signals(2, 100, seed=step)
        optimizer.zero_grad()
        loss = LOSSES["smooth_l1"](network(torch.from_numpy(measured)), torch.from_numpy(signal))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _, gradients, statistics = twin.loss_and_gradients(measured, signal, loss="smooth_l1")
        weights, velocity = sgd_step(twin.weights, gradients, velocity, learning_rate=1e-3, **rates)
        twin = NumpyPriorGuidedNet(spec, weights | statistics)
    start = _weights(spec)
    for name, value in network.state_dict().items():
        np.testing.assert_allclose(twin.weights[name], value.numpy(), rtol=0, atol=1e-8, err_msg=name)
    moved = [name for name in start if not np.allclose(start[name], twin.weights[name], rtol=0, atol=1e-8)]
    assert "beta" in moved
    assert "down4.conv1.weight" in moved


def test_weight_decay_moves_the_thresholds_of_neither_where_they_are_hard() -> None:
    spec = PriorGuidedSpec(activation="hard")
    network, twin = _twins(spec)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.5)
    signal, measured = _signals(2, 100)
    LOSSES["mse"](network(torch.from_numpy(measured)), torch.from_numpy(signal)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    _, gradients, statistics = twin.loss_and_gradients(measured, signal)
    weights, velocity = sgd_step(twin.weights, gradients, {}, learning_rate=0.1, weight_decay=0.5)
    thetas = [name for name in weights if name.endswith("theta")]
    assert len(thetas) == 18
    for name in thetas:
        np.testing.assert_array_equal(weights[name], twin.weights[name])
        assert name not in velocity
    for name, value in network.state_dict().items():
        np.testing.assert_allclose((weights | statistics)[name], value.numpy(), rtol=0, atol=1e-8, err_msg=name)


def _write(path: Path, spec: PriorGuidedSpec) -> PriorGuidedNet:
    network = build_network(spec, seed=4)
    network(torch.from_numpy(_signals(8, 100, np.float32)[1]))
    description = SignalModelDescription(
        network=spec, batch_size=8, source="spikes", length=100, noise=3.0, loss="smooth_l1"
    )
    write_model(path, network, description)
    return network.eval()


@pytest.mark.parametrize("spec", [PriorGuidedSpec(), PriorGuidedSpec(prior="off", activation="half")], ids=repr)
def test_a_model_file_gives_numpy_what_it_gives_torch(tmp_path: Path, spec: PriorGuidedSpec) -> None:
    network = _write(tmp_path / "m.safetensors", spec)
    found, weights = read_numpy_weights(tmp_path / "m.safetensors")
    assert found == spec
    assert set(weights) == set(network.state_dict())
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(weights[name], value.numpy())
    measured = _signals(3, 100, np.float32)[1]
    with torch.inference_mode():
        expected = read_signal_model(tmp_path / "m.safetensors").network(torch.from_numpy(measured)).numpy()
    assert _deviation(NumpyPriorGuidedNet(found, weights).forward(measured), expected) < 1e-5


def test_numpy_applies_a_model_file_where_there_is_no_torch(tmp_path: Path) -> None:
    network, measured = _write(tmp_path / "m.safetensors", PriorGuidedSpec()), _signals(2, 100, np.float32)[1]
    np.save(tmp_path / "measured.npy", measured)
    code = f"""
import sys
class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "scipy"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked)
import numpy as np
from napari_bgremove.learning.numpy_weights import read_numpy_weights
from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet
network = NumpyPriorGuidedNet(*read_numpy_weights(r"{tmp_path / "m.safetensors"}"))
np.save(r"{tmp_path / "found.npy"}", network.forward(np.load(r"{tmp_path / "measured.npy"}")))
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with torch.inference_mode():
        expected = network(torch.from_numpy(measured)).numpy()
    assert _deviation(np.load(tmp_path / "found.npy"), expected) < 1e-5


def test_a_damaged_or_foreign_file_is_refused_without_torch_as_with_it(tmp_path: Path, model_file: Path) -> None:
    path = tmp_path / "m.safetensors"
    _write(path, PriorGuidedSpec())
    content = path.read_bytes()
    with pytest.raises(ModelFileError, match=r"'model.safetensors' must be a model for signals; found one for images"):
        read_numpy_weights(model_file)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=r"'m.safetensors' is damaged: its checksum does not match its content"):
        read_numpy_weights(path)
    path.write_bytes(content[:-40])
    with pytest.raises(ModelFileError, match=r"'m.safetensors' is damaged: its tensors cannot be read"):
        read_numpy_weights(path)
    with pytest.raises(ModelFileError, match="cannot be read: "):
        read_numpy_weights(tmp_path / "nothing")
