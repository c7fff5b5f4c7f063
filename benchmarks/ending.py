"""How fast the engine is gone: asked to stop, ended by its window, and after its window was killed.

    python benchmarks/ending.py [--json FILE]

A stack of 512 x 1024 pixels is separated by the bundled model, and a small
network is trained; each is ended in the middle of its work. What was separated
in part has to be gone, and what was learnt has to be there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import SeparateJob, TrainJob
from napari_bgremove.engine.launch import end_process, start_attached, start_detached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.io.processes import start_time
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

BAR_S = 2.0
PATIENCE_S = 120.0
FRAMES, SIDE = 50, 64
OWNER = (
    "import sys, time; from pathlib import Path; from napari_bgremove.engine.launch import start_attached;"
    "from napari_bgremove.engine.run_folder import RunFolder;"
    "start_attached(RunFolder(Path(sys.argv[1]))); time.sleep(600)"
)


def wait_for(what: str, is_so: Callable[[], bool]) -> float:
    """Return the seconds until something is so."""
    start = time.perf_counter()
    while not is_so():
        if time.perf_counter() - start > PATIENCE_S:
            sys.exit(f"It did not happen in time: {what}.")
        time.sleep(0.002)
    return time.perf_counter() - start


def has_told(run: RunFolder, event: str, count: int) -> bool:
    """Whether an event was told so many times."""
    return sum(told["event"] == event for told in run.read_events()[0]) >= count


def make_separation(folder: Path) -> RunFolder:
    """Write a stack, and the job that separates it."""
    stack = np.random.default_rng(0).poisson(5, (FRAMES, 512, 1024)).astype(np.uint16)
    np.save(folder / "stack.npy", stack)
    run = RunFolder(folder / "run")
    run.create(SeparateJob(inputs=[str(folder / "stack.npy")], out=str(folder / "out")).model_dump_json())
    return run


def make_training(folder: Path) -> RunFolder:
    """Write patches, and the job that learns from them."""
    rng = np.random.default_rng(0)
    for role in ("signal", "background"):
        values = rng.gamma(0.3, 5, (40, SIDE, SIDE)).astype(np.float32)
        patches = PatchSet(values, role, np.zeros((40, 2)), np.zeros(40), np.arange(40) % 4, ("a", "b", "c", "d"))
        write_patch_set(folder / f"{role}.npz", patches)
    recipe = SaxsUnetRecipe(preset="small", epochs=1000, batch_size=8)
    run = RunFolder(folder / "run")
    job = TrainJob(recipe=recipe, signal=str(folder / "signal.npz"), background=str(folder / "background.npz"))
    run.create(job.model_dump_json())
    return run


def end_by_window(folder: Path) -> float:
    """End a separation as its panel does when it closes."""
    process = start_attached(run := make_separation(folder))
    wait_for("a frame", lambda: has_told(run, "frame", 1))
    start = time.perf_counter()
    end_process(process)
    check_nothing_is_left(folder)
    return time.perf_counter() - start


def kill_window(folder: Path) -> float:
    """Kill the process that started a separation."""
    run = make_separation(folder)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(run.path)])
    wait_for("a frame", lambda: has_told(run, "frame", 1))
    engine = run.owner()
    assert engine is not None
    owner.kill()
    owner.wait()
    seconds = wait_for("the end of the engine", lambda: start_time(engine) is None)
    check_nothing_is_left(folder)
    return seconds


def stop_training(folder: Path) -> float:
    """Ask a training to stop."""
    pid = start_detached(run := make_training(folder))
    wait_for("an epoch", lambda: has_told(run, "epoch", 1))
    run.ask_to_stop()
    seconds = wait_for("the end of the training", lambda: start_time(pid) is None or has_told(run, "stopped", 1))
    wait_for("the end of the engine", lambda: run.owner() is None)
    assert run.model.exists(), "what was learnt is lost"
    return seconds


def check_nothing_is_left(folder: Path) -> None:
    """Refuse half files."""
    left = [path.name for path in (folder / "out").glob("*")]
    assert not left, f"half files are left: {left}"


WAYS = {
    "a separation whose panel closes": end_by_window,
    "a separation whose window was killed": kill_window,
    "a training that is asked to stop": stop_training,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, list[float]] = {}
    for what, measure in WAYS.items():
        for _ in range(a.repeats):
            with tempfile.TemporaryDirectory() as folder:
                figures.setdefault(what, []).append(measure(Path(folder)))
        seconds = figures[what]
        verdict = "pass" if max(seconds) <= BAR_S else "FAIL"
        print(f"{what:<38} gone after {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s   {verdict}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
