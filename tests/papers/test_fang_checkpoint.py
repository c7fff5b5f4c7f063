"""The published weights in our network give the published numbers, for whoever has a copy of them.

Set BGREMOVE_FANG_DIR to a folder with `ckpt_best.h5` and `TestSamples/` of
github.com/HaoyuCreate/Research-on-Deep-Denoising; it has no licence, so that
nothing of it is part of this repository.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from napari_bgremove.learning.networks import PriorGuidedNet, PriorGuidedSpec

# RMSE of the test signals 0 to 5, computed once with the published weights; those on the slides agree:
# slide 6 shows signal 1 (0.78), slide 9 signal 5 (1.62).
EXPECTED = {"signal": (1.00, 0.78, 1.89, 1.82, 1.67, 1.62), "fixed": (1.73, 1.74, 1.96, 2.22, 1.53, 1.81)}
_LAYERS = {"weight": ("conv1", "norm1", "conv2", "norm2"), "running_mean": ("norm1", "norm2")}
_LAYERS |= {"bias": _LAYERS["weight"], "running_var": _LAYERS["running_mean"]}


@pytest.fixture(scope="module")
def folder() -> Path:
    place = os.environ.get("BGREMOVE_FANG_DIR", "")
    if not (Path(place) / "ckpt_best.h5").is_file():
        pytest.skip("the published weights are not here; set BGREMOVE_FANG_DIR")
    return Path(place)


def _block_of(key: str) -> str:
    first, second, *_ = key.split(".")
    return f"prior.{second}" if first == "wienernet" else first


def read_published_weights(path: Path) -> dict[str, torch.Tensor]:
    """Give the tensors of the checkpoint our names: within a block they are told apart by kind and order alone."""
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    with h5py.File(path) as file:
        for key in sorted(file):
            grouped[_block_of(key), key.rpartition(".")[2]].append(torch.from_numpy(np.asarray(file[key])))
    weights = {"beta": grouped.pop(("prior.beta", "beta"))[0].reshape(())}
    for (block, kind), tensors in grouped.items():
        if kind == "num_batches_tracked":
            continue
        names = [block] if block == "outc" else [f"{block}.{layer}" for layer in _LAYERS[kind]]
        weights |= {f"{name}.{kind}": tensor for name, tensor in zip(names, tensors, strict=True)}
    return weights


@pytest.mark.parametrize("norm", ["signal", "fixed"])
def test_the_six_published_signals(folder: Path, norm: Any) -> None:
    network = PriorGuidedNet(PriorGuidedSpec()).eval()
    missing, unexpected = network.load_state_dict(read_published_weights(folder / "ckpt_best.h5"), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    found = []
    for number in range(6):
        measured, label = (
            np.loadtxt(folder / "TestSamples" / f"Test{number}_{part}.txt", dtype=np.float32)
            for part in ("data", "label")
        )
        with torch.inference_mode():
            denoised = network(torch.from_numpy(measured)[None], norm=norm)[0].numpy()
        found.append(float(np.sqrt(np.mean((denoised - label) ** 2))))
    np.testing.assert_allclose(found, EXPECTED[norm], rtol=0, atol=0.0051)


def test_the_names_of_the_checkpoint_lead_to_ours(tmp_path: Path) -> None:
    """A made-up file with the layout of the original, so that the reader above is tested without it."""
    network = PriorGuidedNet(PriorGuidedSpec())
    layers = {"conv1": "0", "norm1": "1", "conv2": "3", "norm2": "4"}
    with h5py.File(tmp_path / "ckpt_best.h5", "w") as file:
        for name, value in network.state_dict().items():
            where, _, kind = name.rpartition(".")
            theirs = "wienernet.beta"
            if name != "beta":
                *block, layer = where.replace("prior", "wienernet").split(".")
                inside = f"double_conv.{layers[layer]}" if layer in layers else f"{layer}.conv"
                theirs = ".".join([*block, inside, kind])
            file[theirs] = value.numpy()
    weights = read_published_weights(tmp_path / "ckpt_best.h5")
    state = {n: v for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert set(weights) == set(state)
    assert all(torch.equal(weights[name], value) for name, value in state.items())
