"""How many spectra per second the network cleans on a processor, beside the classical ways.

    python benchmarks/spectroscopynet.py [--threads 2] [--repeats 5] [--json FILE]

The spectra have ChemCam's 5485 channels in three spectrometers, the networks
depth 18 and 64, 32 or 16 features; only the branch that is needed is run, with
its batch normalisation folded in, from spectra in counts to background in
counts. All ways take turns in every round. Printed are spectra per second of
wall time (the best and the median round), processor time per spectrum (the one
to compare on a busy machine), and the load of the machine before and after.
The paper says about 50 Hz on a CPU. The classical ways go through
spectra/cleaning.py: the ChemCam pipeline, and baselines of pybaselines for each
spectrometer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_bgremove.learning.model_description import SpectraModelDescription, describe_blocks
from napari_bgremove.learning.model_file import LoadedSpectraModel
from napari_bgremove.learning.networks import SpectroscopyNetSpec, build_network
from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra
from napari_bgremove.spectra.blocks import number_blocks
from napari_bgremove.spectra.cleaning import clean_spectra
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

# Channels of UV, VIO and VNIR behind the paper's bands, and their ends in nm.
SIZES = (1884, 1928, 1673)
ENDS = ((246.64, 338.45), (387.86, 469.09), (492.43, 848.9))
TARGETS_HZ = {"64 features float32": 50.0, "32 features float32": 150.0}
CLASSICAL: dict[str, dict[str, Any]] = {
    "chemcam": {}, "arpls": {"lam": 1e5}, "airpls": {"lam": 1e6}, "snip": {"max_half_window": 40},
    "modpoly": {"poly_order": 5},
}  # fmt: skip
Way = Callable[[], object]


def make_spectra(n: int) -> SpectraSet:
    """Lines on a smooth continuum and a pedestal, in counts."""
    rng = np.random.default_rng(0)
    axis = np.concatenate([np.linspace(*ends, size) for ends, size in zip(ENDS, SIZES, strict=True)])
    places = rng.choice(axis, 300, replace=False)
    lines = (rng.lognormal(6, 1, (n, 300)) @ np.exp(-0.5 * ((axis - places[:, None]) / 0.2) ** 2)).astype(np.float32)
    continuum = 700 + 400 * np.exp(-(((axis - 550) / 200) ** 2))
    edges = [0, *np.cumsum(SIZES).tolist()]
    blocks = number_blocks(edges, names=("UV", "VIO", "VNIR"))
    return make_spectra_set(axis, rng.poisson(lines + continuum).astype(np.float32), targets="made up", blocks=blocks)


def make_model(spectra: SpectraSet, features: int) -> LoadedSpectraModel:
    """An untrained network whose normalisations have seen something, as good as a trained one for timing."""
    network = build_network(SpectroscopyNetSpec(features=features, blocks=SIZES), seed=0)
    with torch.no_grad():
        network(torch.rand(2, 1, 256))
    description = SpectraModelDescription(network=network.spec, blocks=describe_blocks(spectra, (1e4, 1e4, 1e4)))
    return LoadedSpectraModel(network.eval(), description, "untrained", Path("untrained"), 0.0)


def make_ways(spectra: SpectraSet, threads: int, batch_size: int) -> dict[str, Way]:
    """Everything that is timed; each call goes once over all spectra."""
    values = np.asarray(spectra.spectra)
    models = {features: make_model(spectra, features) for features in (64, 32, 16)}

    def learned(features: int, precision: str) -> Way:
        options = SpectraOptions(threads=threads, precision=precision, batch_size=batch_size)
        return lambda: separate_spectra(models[features], values, options=options)

    def classical(name: str) -> Way:
        return lambda: clean_spectra(spectra.axis, values, method=name, blocks=spectra.blocks, **CLASSICAL[name])

    ways = {f"{f} features {p}": learned(f, p) for f in models for p in ("float32", "bfloat16")}
    return {**ways, **{name: classical(name) for name in CLASSICAL}}


def time_in_turns(ways: dict[str, Way], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Return wall and processor seconds of every round of every way; the first round warms up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return seconds


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    spectra = make_spectra(arguments.spectra)
    before = os.getloadavg()[0]
    seconds = time_in_turns(make_ways(spectra, arguments.threads, arguments.batch_size), arguments.repeats)
    n = arguments.spectra
    rows = {
        name: {
            "best_hz": n / min(wall for wall, _ in rounds),
            "median_hz": n / statistics.median(wall for wall, _ in rounds),
            "processor_ms": 1e3 * min(processor for _, processor in rounds) / n,
        }
        for name, rounds in seconds.items()
    }
    setting = {
        "channels": sum(SIZES),
        "threads": arguments.threads,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }
    return {"setting": setting, "load": [before, os.getloadavg()[0]], "rows": rows}


def print_figures(figures: dict[str, Any]) -> None:
    load = figures["load"]
    print(f"{figures['setting']}, load {load[0]:.1f} before and {load[1]:.1f} after\n")
    print(f"{'':24}{'best Hz':>10}{'median Hz':>11}{'CPU ms':>9}{'wanted Hz':>11}")
    for name, row in figures["rows"].items():
        wanted = f"{TARGETS_HZ[name]:11.0f}" if name in TARGETS_HZ else ""
        print(f"{name:24}{row['best_hz']:10.1f}{row['median_hz']:11.1f}{row['processor_ms']:9.2f}{wanted}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=int, default=8, help="spectra of one round")
    parser.add_argument("--batch-size", type=int, default=SpectraOptions().batch_size)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the same figures to this file")
    arguments = parser.parse_args(argv)
    figures = measure(arguments)
    print_figures(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
