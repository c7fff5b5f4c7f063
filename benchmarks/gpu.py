"""What a GPU gives, and that it computes the same.

    PYTHONPATH=src python benchmarks/gpu.py [--preset paper] [--json FILE]

Needs only torch, numpy, scipy, pydantic, safetensors and psutil. Prints: the
largest difference between CPU and GPU output (bar 1e-4), patches per second of
prediction and training by number type, a checkpoint written on the GPU that
goes on on the CPU, and the out-of-memory path.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_bgremove._files import atomic_write
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.learning.datasets import SyntheticSums
from napari_bgremove.learning.devices import describe_device, halve_on_out_of_memory, pick_device
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import PRESETS, AdditiveNetwork, NetworkSpec, build_network
from napari_bgremove.learning.objectives.additive import AdditiveObjective
from napari_bgremove.learning.training import StepDone, Training, TrainOptions


def synthetic_sums(samples: int) -> SyntheticSums:
    """Random patches: speed and equality do not ask what is in them."""
    rng = np.random.default_rng(0)
    sets = []
    for role in ("signal", "background"):
        values = rng.gamma(0.3, 5, (64, 128, 128)).astype(np.float32)
        sets.append(PatchSet(values, role, np.zeros((64, 2)), np.zeros(64), np.arange(64) % 4, tuple("abcd")))
    return SyntheticSums(*sets, samples=samples)


def compare(network: AdditiveNetwork, device: torch.device) -> float:
    """Return the largest difference between CPU and GPU output, float32 without TF32."""
    x = torch.rand(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        here = network.cpu().eval()(x)
        there = network.to(device)(x.to(device))
    return max(float((a - b.cpu()).abs().max()) for a, b in zip(here, there, strict=True))


def prediction_rate(network: AdditiveNetwork, device: torch.device, precision: str, batch: int) -> float:
    """Return patches per second."""
    x = torch.rand(batch, 1, 128, 128, device=device)
    network = network.to(device).eval()

    def run(times: int) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            for _ in range(times):
                network(x)
        torch.cuda.synchronize()
        return time.perf_counter() - start

    run(3)
    return 10 * batch / min(run(10) for _ in range(3))


def make_training(fields: tuple[int, int, int, int], device: torch.device, precision: str, steps: int) -> Training:
    """Return a training of a few steps of 16 patches."""
    network = build_network(NetworkSpec(fields=fields), seed=0)
    options = TrainOptions(epochs=1, batch_size=16, learning_rate=1e-4, precision=precision)
    return Training(network, AdditiveObjective(), synthetic_sums(16 * steps), None, options, device)


def training_rate(fields: tuple[int, int, int, int], device: torch.device, precision: str) -> float:
    """Return patches per second of whole training steps, data included."""
    rates = [
        e.samples_per_second for e in make_training(fields, device, precision, 12).run() if isinstance(e, StepDone)
    ]
    return float(np.median(rates[4:]))


def resume_on_cpu(fields: tuple[int, int, int, int], device: torch.device) -> float:
    """Train a step on the GPU, go on on the CPU, and return the loss there."""
    there = make_training(fields, device, "float32", 2)
    next(there.run())
    tensors, numbers = there.state()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        network = there.network
        assert isinstance(network, AdditiveNetwork)
        write_model(path, network, ModelDescription(network=network.spec, progress=numbers), training=tensors)
        loaded = read_model(path)
    here = make_training(fields, torch.device("cpu"), "float32", 2)
    here.network.load_state_dict(loaded.network.state_dict())
    here.restore(loaded.training, loaded.description.progress)
    event = next(here.run())
    assert isinstance(event, StepDone)
    return event.terms["loss"]


def out_of_memory(device: torch.device) -> int:
    """Ask for ever larger batches until the memory ends, and return the batch that worked after halving."""
    network = build_network(NetworkSpec(fields=PRESETS["paper"]), seed=0).to(device).eval()

    def compute(batch: int) -> None:
        with torch.inference_mode():
            network(torch.zeros(batch, 1, 512, 512, device=device))

    return halve_on_out_of_memory(compute, 4096, report=print)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper", choices=list(PRESETS))
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    device, fields = pick_device("cuda"), PRESETS[a.preset]
    network = build_network(NetworkSpec(fields=fields), seed=0)
    figures: dict[str, Any] = {"device": describe_device(device), "difference": compare(network, device)}
    for precision in ("float32", "bfloat16"):
        figures[f"predict patches/s {precision}"] = prediction_rate(network, device, precision, 64)
        figures[f"train patches/s {precision}"] = training_rate(fields, device, precision)
    figures["loss resumed on the CPU"] = resume_on_cpu(PRESETS["tiny"], device)
    figures["batch after running out of memory"] = out_of_memory(device)
    for name, value in figures.items():
        print(f"{name:<36}{value if isinstance(value, str) else format(value, '.5g')}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
