"""Where the time goes when a 512 x 1024 image is separated, and what a long stack costs in memory.

    python benchmarks/separate.py [--model FILE] [--repeats 5] [--frames 0] [--json FILE]

Everything but the network (read, gate, normalise, tile, merge, write) should
stay below 5 % of the wall time or 150 ms. With --frames 300 a lazy stack is
separated with a tiny network and the peak memory above the first frame is
printed; a few minutes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import dask.array as da
import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.images import read_image
from napari_bgremove.io.results import StackWriter, write_image, write_separation
from napari_bgremove.learning import inference
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.learning.networks import PRESETS, NetworkSpec, build_network
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


def measure_memory(frames: int) -> float:
    """Return the peak memory in MiB above that of the first frame."""

    def make(block_id: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(block_id[0]).gamma(0.5, 5, (1, 512, 1024)).astype(np.float32)

    stack = da.map_blocks(lambda block_id=None: make(block_id), chunks=((1,) * frames, (512,), (1024,)), dtype="f4")
    network = build_network(NetworkSpec(fields=PRESETS["tiny"]), seed=0)
    inference.separate_image(network, make((0,))[0])
    base = _peak()
    with tempfile.TemporaryDirectory() as folder, StackWriter(Path(folder) / "signal.tif", provenance={}) as writer:
        for i in range(frames):
            frame = stack[i].compute(scheduler="synchronous")
            writer.append(inference.separate_image(network, frame).signal)
    return _peak() - base


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=0, help="also measure the memory over this many frames")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, Any] = {"seconds": measure_split(a.model, a.repeats)}
    total = figures["seconds"]["total"]
    for name, seconds in figures["seconds"].items():
        print(f"{name:<26}{1000 * seconds:9.1f} ms {seconds / total:7.1%}")
    if a.frames:
        figures["memory_mib_above_first_frame"] = measure_memory(a.frames)
        print(f"{a.frames} frames: {figures['memory_mib_above_first_frame']:.0f} MiB above the first")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
