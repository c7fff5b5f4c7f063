"""How exactly the networks turn with their input, and what `import napari_bgremove` costs.

    python benchmarks/exactness.py --json exactness.json

Every preset and topology, with weights that keep the head alive, and the
bundled model: the largest difference of latents and outputs over three quarter
turns, relative to the largest latent, in float32. The time of the import is the
median of fresh interpreters, beside that of numpy in the same ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.learning.checks import compare_turned, measure_equivariance
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.learning.networks import PRESETS, AdditiveNetwork, NetworkSpec, build_network

EQUIVARIANCE_TARGET, IMPORT_TARGET_S = 1e-5, 0.1
TOPOLOGIES = ("D", "A")
IMPORTS = 9
TIMED_IMPORT = """
import sys, time
start = time.perf_counter()
import napari_bgremove
ours = time.perf_counter() - start
torch_came_along = "torch" in sys.modules
start = time.perf_counter()
import numpy
print(ours, time.perf_counter() - start, torch_came_along)
"""


def measure_networks(side: int) -> dict[str, dict[str, float]]:
    """Return the error and the share of live pixels of every preset and topology, and of the bundled model."""
    x = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0)) ** 3
    figures = {}
    for topology in TOPOLOGIES:
        for preset, fields in PRESETS.items():
            network = build_network(NetworkSpec(fields=fields, topology=topology), seed=0).eval()
            live = enliven(network, x)
            figures[f"{preset} {topology}"] = {"error": compare_turned(network, x), "live_share": live}
    figures["bundled"] = {"error": measure_equivariance(read_model(BUNDLED_MODEL).network)}
    return figures


@torch.no_grad()
def enliven(network: AdditiveNetwork, x: torch.Tensor) -> float:
    """Let every bias take part and half of the pixels be background; return that half as it came out."""
    for number, (name, parameter) in enumerate(network.named_parameters()):
        if name.endswith("bias"):  # biases are born zero
            parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(number))
    network.head.conv.bias -= network.head.conv(network.latents(x)).median()
    return float((network(x)[1] > 0).float().mean())


def measure_import() -> dict[str, Any]:
    """Return the seconds of our import and of numpy's, each the median of fresh interpreters."""
    said = [
        subprocess.run([sys.executable, "-c", TIMED_IMPORT], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(IMPORTS)
    ]
    ours, peer = (statistics.median(float(words[i]) for words in said) for i in (0, 1))
    return {"seconds": ours, "numpy_seconds": peer, "torch": any(words[2] == "True" for words in said)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64, help="of the square that is turned, a multiple of 8")
    parser.add_argument("--json", type=Path, help="write the printed figures here")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"equivariance": measure_networks(arguments.side), "import": measure_import()}
    for name, found in figures["equivariance"].items():
        verdict = "ok" if found["error"] <= EQUIVARIANCE_TARGET else "too large"
        print(f"{name:>10}: {found['error']:.1e} of the largest latent ({verdict}; at most {EQUIVARIANCE_TARGET:g})")
    cost = figures["import"]
    print(
        f"import napari_bgremove: {1000 * cost['seconds']:.1f} ms (below {1000 * IMPORT_TARGET_S:g}), numpy "
        f"{1000 * cost['numpy_seconds']:.0f} ms; torch {'comes along' if cost['torch'] else 'stays away'}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
