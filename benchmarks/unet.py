"""Our C4 network beside the same network built with escnn: seconds per step, in one run.

    make test-escnn                                  (once: makes the environment)
    .venv-escnn/bin/python benchmarks/unet.py --json unet.json

Both hold the same weights and see the same patches. They take turns, so that
whatever else the machine does hits both; the ratio of the medians counts, above
1 ours is faster. escnn predicts in evaluation mode, with its filters expanded
beforehand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_bgremove.learning.networks import PRESETS, AdditiveNetwork, NetworkSpec, build_network, count_parameters

# What the ratios are measured against: (row, least acceptable ratio).
TARGETS = {"predict fp32": 1.15, "train fp32": 1.0, "predict bf16": 2.0, "train bf16": 1.5}
CONSTRUCTION_TARGET_S = 1.0


def predict(network: AdditiveNetwork, batch: dict[str, Tensor], *, bfloat16: bool) -> Tensor:
    """Return signal and background of one prediction as (B, 2, H, W) float32."""
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        signal, background = network(batch["measured"])
    return torch.cat([signal, background], dim=1).float()


def make_training_step(network: AdditiveNetwork, batch: dict[str, Tensor], *, bfloat16: bool) -> Callable[[], None]:
    """Return one step of AdamW on the mean absolute error of both outputs."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6, weight_decay=0.0)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            signal, background = network(batch["measured"])
        loss = (signal.float() - batch["signal"]).abs().mean()
        loss = loss + (background.float() - batch["background"]).abs().mean()
        loss.backward()
        optimizer.step()

    return step


def make_batch(patches: int, side: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    signal, background = torch.rand(2, patches, 1, side, side, generator=generator)
    return {"measured": (signal + background) / 2, "signal": signal / 2, "background": background / 2}


def time_in_turns(rows: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of every repeat of every row; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(repeats + 1):
        for name, run in rows.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def time_construction(spec: NetworkSpec, *, with_escnn: bool) -> dict[str, float]:
    builders: dict[str, Callable[[], object]] = {"construct ours": lambda: build_network(spec)}
    if with_escnn:
        from napari_bgremove.learning.escnn_bridge import build_escnn_network

        builders["construct escnn"] = lambda: build_escnn_network(spec, initialise=True)
    seconds = {}
    for name, build in builders.items():
        start = time.perf_counter()
        build()
        seconds[name] = time.perf_counter() - start
    return seconds


def make_networks(spec: NetworkSpec) -> tuple[AdditiveNetwork, AdditiveNetwork]:
    """Return our network and escnn's with the same weights."""
    from napari_bgremove.learning.escnn_bridge import to_escnn

    ours = build_network(spec, seed=0)
    with torch.no_grad():
        ours.head.conv.bias.fill_(0.3)  # a silent head would make any two outputs equal
    return ours, to_escnn(ours)


def make_rows(spec: NetworkSpec, batch: dict[str, Tensor]) -> dict[str, Callable[[], object]]:
    ours, theirs = make_networks(spec)
    rows: dict[str, Callable[[], object]] = {
        "predict escnn": lambda: predict(theirs, batch, bfloat16=False),
        "predict fp32": lambda: predict(ours, batch, bfloat16=False),
        "predict bf16": lambda: predict(ours, batch, bfloat16=True),
    }
    # Training moves weights, so every kind of step has a network of its own.
    for name, place in {"escnn": 1, "fp32": 0, "bf16": 0}.items():
        rows[f"train {name}"] = make_training_step(make_networks(spec)[place], batch, bfloat16=name == "bf16")
    return rows


def measure_differences(spec: NetworkSpec, batch: dict[str, Tensor]) -> dict[str, float]:
    ours, theirs = make_networks(spec)
    expected = predict(theirs, batch, bfloat16=False)
    found = {name: predict(ours, batch, bfloat16=name == "bf16") for name in ("fp32", "bf16")}
    return {name: float((value - expected).abs().max() / expected.abs().max()) for name, value in found.items()}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(arguments.threads)
    spec = NetworkSpec(topology=arguments.topology, fields=tuple(arguments.fields))
    widest = NetworkSpec(topology=arguments.topology, fields=tuple(arguments.construction_fields))
    batch = make_batch(arguments.patches, arguments.side)
    seconds = time_in_turns(make_rows(spec, batch), arguments.repeats)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "network": {**spec.model_dump(), "parameters": count_parameters(build_network(spec))},
        "setting": {"patches": arguments.patches, "side": arguments.side, "threads": arguments.threads},
        "seconds": seconds,
        "median_seconds": medians,
        "least_seconds": {name: min(values) for name, values in seconds.items()},
        "ratio_to_escnn": {name: medians[f"{name.split()[0]} escnn"] / medians[name] for name in TARGETS},
        "relative_output_difference": measure_differences(spec, batch),
        "construction_fields": list(widest.fields),
        "construction_seconds": time_construction(widest, with_escnn=not arguments.skip_escnn_construction),
    }


def print_figures(figures: dict[str, Any]) -> None:
    ratios = figures["ratio_to_escnn"]
    print(f"network {figures['network']}\nsetting {figures['setting']}\n")
    print(f"{'':16}{'median s':>10}{'least s':>10}{'ratio':>8}{'target':>8}")
    for name, median in figures["median_seconds"].items():
        compared = f"{ratios[name]:8.2f}{TARGETS[name]:8.2f}" if name in ratios else ""
        print(f"{name:16}{median:10.3f}{figures['least_seconds'][name]:10.3f}{compared}")
    print(f"\nconstruction, fields {figures['construction_fields']}, target {CONSTRUCTION_TARGET_S} s for ours")
    for name, value in figures["construction_seconds"].items():
        print(f"{name:16}{value:10.3f} s")
    print("\nlargest difference of the outputs from escnn's, relative to the largest output")
    for name, value in figures["relative_output_difference"].items():
        print(f"{name:16}{value:10.1e}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, nargs=4, default=PRESETS["small"], help="fields of the four blocks")
    parser.add_argument("--topology", choices=("D", "A"), default="D")
    parser.add_argument("--patches", type=int, default=16)
    parser.add_argument("--side", type=int, default=128, help="pixels, a multiple of 8")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--construction-fields", type=int, nargs=4, default=PRESETS["paper"])
    parser.add_argument("--skip-escnn-construction", action="store_true", help="it takes tens of seconds")
    parser.add_argument("--json", type=Path, help="write the same figures to this file")
    arguments = parser.parse_args(argv)
    figures = measure(arguments)
    print_figures(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
