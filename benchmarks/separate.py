"""Where the time goes when a 512 x 1024 image is separated, and what a long stack costs in memory.

    python benchmarks/separate.py [--model FILE] [--repeats 5] [--frames 0] [--network tiny] [--json FILE]

Everything but the network (read, gate, normalise, tile, merge, write) should
stay below 5 % of the wall time or 150 ms. With --frames 300 a stack of that
many frames is separated as `bgremove separate` does it, with an untrained
network (or a stub that answers at once), and the peak memory above that of a
single frame is printed; a few minutes, and 3 GB in the temporary folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.images import read_image
from napari_bgremove.io.results import StackWriter, write_image, write_separation
from napari_bgremove.learning import inference, model_file
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import PRESETS, AdditiveNetwork, NetworkSpec, build_network
from napari_bgremove.synthetic.saxs import make_full_shot

STAGES = ("gate_image", "fill_unusable", "measure_percentile_range", "undo_normalization", "_forward", "_merge")


@contextmanager
def stopwatches(seconds: dict[str, float]) -> Iterator[None]:
    """Add up the time of each stage of `inference` while it is called by its own name."""

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                seconds[name] += time.perf_counter() - start

        return call

    patches = [mock.patch.object(inference, n, timed(n, getattr(inference, n))) for n in STAGES]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def measure_split(model_path: Path, repeats: int) -> dict[str, float]:
    """Return median seconds per stage, network and everything else."""
    model = read_model(model_path)
    options = inference.options_of(model)
    runs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        shot = make_full_shot(1)
        source = write_image(Path(folder) / "shot.tif", np.where(shot.valid_mask, shot.measured, np.nan), provenance={})
        for _ in range(repeats + 1):
            seconds: dict[str, float] = defaultdict(float)
            start = time.perf_counter()
            image = read_image(source)
            seconds["read"] = time.perf_counter() - start
            with stopwatches(seconds):
                separation = inference.separate_image(model.network, image, options=options)
            writing = time.perf_counter()
            write_separation(folder, "shot", separation, unit="keV")
            seconds["write"] = time.perf_counter() - writing
            seconds["total"] = time.perf_counter() - start
            seconds["network"] = seconds.pop("_forward")
            seconds["everything else"] = seconds["total"] - seconds["network"]
            runs.append(dict(seconds))
    # The first run warms up the caches and the thread pool.
    return {name: statistics.median(r[name] for r in runs[1:]) for name in runs[0]}


class Stub(nn.Module):
    """Stands for a network: everything is signal."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal and background."""
        return measured, torch.zeros_like(measured)


def measure_memory(frames: int, network: str) -> dict[str, float]:
    """Return the peak memory of a stack in MiB above that of a single frame, and the seconds it took."""
    with tempfile.TemporaryDirectory() as name, _untrained(Path(name), network) as model:
        _separate_stack(Path(name), model, frames=1)
        base, start = _peak(), time.perf_counter()
        done = _separate_stack(Path(name), model, frames=frames)
        seconds = time.perf_counter() - start
        return {"frames": done, "mib_of_one_frame": base, "mib_above_one_frame": _peak() - base, "seconds": seconds}


@contextmanager
def _untrained(folder: Path, network: str) -> Iterator[Path]:
    """Write an untrained model of the smallest width; the stub takes the place of its network."""
    spec = NetworkSpec(fields=PRESETS["tiny"])
    path = folder / "model.safetensors"
    write_model(path, build_network(spec, seed=0), ModelDescription(network=spec))
    if network == "tiny":
        yield path
        return
    stubbed = dataclasses.replace(read_model(path), network=cast(AdditiveNetwork, Stub()))
    with mock.patch.object(model_file, "read_model", return_value=stubbed):
        yield path


def _separate_stack(folder: Path, model: Path, *, frames: int) -> int:
    """Write a stack, separate it, and return how many frames that were."""
    source = folder / f"{frames}.tif"
    with StackWriter(source, provenance={}, dtype=np.uint16) as writer:
        for i in range(frames):
            writer.append(np.random.default_rng(i).poisson(5, (512, 1024)).astype(np.uint16))
    job = SeparateJob(inputs=[str(source)], out=str(folder / "separated"), model=str(model), device="cpu")
    events: list[str] = []
    run_separation(job, emit=lambda event, **_values: events.append(event))
    return events.count("frame")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    parser.add_argument("--repeats", type=int, default=5, help="0 leaves out where the time goes")
    parser.add_argument("--frames", type=int, default=0, help="also measure the memory over this many frames")
    parser.add_argument("--network", choices=("tiny", "stub"), default="tiny", help="that separates these frames")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, Any] = {}
    if a.frames:  # first: the peak of a larger network would hide what the frames add
        figures["memory"] = measure_memory(a.frames, a.network)
        print(
            "{frames} frames: {mib_above_one_frame:.0f} MiB above one, which takes {mib_of_one_frame:.0f} MiB, Python "
            "and torch included; {seconds:.0f} s".format(**figures["memory"])
        )
    if a.repeats:
        figures["seconds"] = measure_split(a.model, a.repeats)
        total = figures["seconds"]["total"]
        for name, seconds in figures["seconds"].items():
            print(f"{name:<26}{1000 * seconds:9.1f} ms {seconds / total:7.1%}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
