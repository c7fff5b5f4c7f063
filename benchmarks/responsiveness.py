"""How long the window is deaf while something is going on, against the same layers with nothing going on.

    python benchmarks/responsiveness.py [--epochs 6] [--frames 8] [--megabytes 1000] [--json FILE]

Needs a screen (xvfb-run will do). A timer of 10 ms beats in the window of a
real viewer; a gap between two beats is time in which a click waits. napari
itself takes long to add a layer without a graphics card, so each kind of work
is done twice: for real, and as a control that adds and updates the same layers
at the same times, with the arrays ready and no engine. Bars on what the work
adds: 50 ms at the 99th percentile, 200 ms at the maximum. A stack is separated
twice: frame by frame with the warm engine, and by "All frames" in a process of
its own. Also: from the call for the panel to its first paint (bar 1 s). That
torch was imported by the window's process is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import napari
import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.images import open_images
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.synthetic.saxs import make_full_shot
from napari_bgremove.viewer_layers.results import PARTS, put_separation
from napari_bgremove.widgets.batch_work import ALL_FRAMES
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.main_panel import MainPanel
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.separate_panel import SeparatePanel

BEAT_MS = 10
BARS = {"p99_ms": 50.0, "max_ms": 200.0}
FIRST_PAINT_BAR_S = 1.0
PATIENCE_S = 900.0
PATCHES, SIDE = 24, 128
WORK = ("training", "frames", "stack", "opening")
Gaps = dict[str, dict[str, float]]  # of the control and of the work
NAMES = {part: PARTS[part] for part in ("signal", "background", "uncertainty")}


@dataclass
class Heartbeat:
    """Beats while it is entered, and notes when."""

    beats: list[float] = field(default_factory=list)

    def __enter__(self) -> Heartbeat:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(lambda: self.beats.append(time.perf_counter()))
        self._timer.start()
        self.beats.append(time.perf_counter())
        return self

    def __exit__(self, *_raised: object) -> None:
        self._timer.stop()
        self.beats.append(time.perf_counter())

    @property
    def figures(self) -> dict[str, float]:
        """Percentile and maximum of the gaps in milliseconds."""
        gaps = 1000 * np.diff(self.beats)
        return {"p99_ms": float(np.percentile(gaps, 99)), "max_ms": float(gaps.max()), "beats": len(gaps)}


class FirstPaint(QObject):
    """Notes when a widget is painted for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: float | None = None
        self._start = time.perf_counter()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Let everything through."""
        if event is not None and event.type() == QEvent.Type.Paint and self.seconds is None:
            self.seconds = time.perf_counter() - self._start
        return False


def run_until(is_done: Callable[[], bool]) -> None:
    """Let the window work as it does when nobody asks for anything else."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline:
            sys.exit("It did not end in time.")
        QApplication.processEvents()
        time.sleep(0.001)


def run_for(seconds: float) -> None:
    """Let the window work for a while."""
    until = time.monotonic() + seconds
    run_until(lambda: time.monotonic() > until)


@contextmanager
def open_viewer() -> Iterator[Any]:
    """Open a viewer for one measurement: what another left behind takes no part in it.

    (It also keeps away from a crash of napari 0.9.2 itself: with Mesa's
    software drawing it does not survive that images are removed, the window is
    painted, and images are added again.)
    """
    viewer = napari.Viewer(show=True)
    run_for(1.0)
    yield viewer
    engine_of(viewer).close()
    viewer.close()
    run_for(0.3)


def warm_up() -> None:
    """Show a lazy image once: what the first one costs whoever shows it, neither run is to pay.

    That is up to a second for napari's first image, and 0.2 s for dask, which
    imports dask.distributed (extra `cluster`) at the first array it computes.
    """
    with open_viewer() as viewer:
        viewer.add_image(da.random.default_rng(0).poisson(5, (4, 64, 64), chunks=(1, 64, 64)))
        run_for(1.0)


def measure_first_paint() -> float:
    """Return the seconds from the call for all panels to the first paint of them."""
    with open_viewer() as viewer:
        paint = FirstPaint()
        panel = MainPanel(viewer)
        panel.installEventFilter(paint)
        viewer.window.add_dock_widget(panel, name="Background removal")
        run_until(lambda: paint.seconds is not None)
        assert paint.seconds is not None
        return paint.seconds


def measure_training(folder: Path, epochs: int) -> Gaps:
    """Follow a training, then the same events and previews of a run that only waits."""
    write_patches(folder)
    with open_viewer() as viewer:
        panel = dock_model_panel(viewer)
        panel.patches.setText(str(folder))
        for name, value in {"epochs": epochs, "batch_size": 4, "warmup_steps": 1}.items():
            panel.form.field(name).value = value
        with Heartbeat() as loaded:
            panel.start()
            run_until(lambda: not panel.follower.is_following)
        run = RunFolder(Path(panel.workspace.run_folder))
    with open_viewer() as viewer:
        panel = dock_model_panel(viewer)
        with Heartbeat() as control:
            replay(run, folder / "replay", panel)
    return {"control": control.figures, "loaded": loaded.figures}


def write_patches(folder: Path) -> None:
    """Write patch sets: speed does not ask what is in them."""
    rng = np.random.default_rng(0)
    for role in ("signal", "background"):
        values = rng.gamma(0.3, 5, (PATCHES, SIDE, SIDE)).astype(np.float32)
        angles, shots = np.zeros(PATCHES), np.arange(PATCHES) % 4
        patches = PatchSet(values, role, np.zeros((PATCHES, 2)), angles, shots, ("a", "b", "c", "d"))
        write_patch_set(folder / f"{role}.npz", patches)


def dock_model_panel(viewer: Any) -> ModelPanel:
    """Open the model panel."""
    panel = ModelPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Model")
    run_for(1.0)
    return panel


def replay(run: RunFolder, path: Path, panel: ModelPanel) -> None:
    """Write the events of a run again, at their times, into another folder that the panel follows."""
    events = run.read_events()[0]
    again = RunFolder(path)
    again.create(run.job.read_text())
    again.occupy()
    previews = {int(file.stem): file.read_bytes() for file in sorted((run.path / "preview").glob("*.npz"))}
    panel.attach(again.path)
    start, first = time.monotonic(), events[0]["time"]
    while events:
        run_until(lambda: time.monotonic() - start >= events[0]["time"] - first)
        event = events.pop(0)
        if event["event"] == "epoch" and event["epoch"] in previews:
            atomic_write(again.preview(event["epoch"]), previews[event["epoch"]])
        again.emit(event.pop("event"), **{name: value for name, value in event.items() if name != "time"})
    again.release()
    run_until(lambda: not panel.follower.is_following)


def make_stack(frames: int) -> np.ndarray:
    """Make a stack from one generated shot, shifted from frame to frame."""
    shot = make_full_shot(1)
    measured = np.where(shot.valid_mask, shot.measured, np.nan).astype(np.float32)
    return np.stack([np.roll(measured, 7 * k, axis=1) for k in range(frames)])


def dock_separate_panel(viewer: Any, stack: np.ndarray) -> SeparatePanel:
    """Open the separate panel beside a stack, its engine running."""
    panel = SeparatePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Separate")
    viewer.add_image(stack, name="stack")
    run_until(lambda: panel.device.is_known)
    run_for(1.0)
    return panel


def measure_frames(frames: int) -> Gaps:
    """Separate frame by frame with the bundled model, then put the same layers while the engine idles."""
    stack, results = make_stack(frames), []
    with open_viewer() as viewer:
        panel = dock_separate_panel(viewer, stack)
        with Heartbeat() as loaded:
            start = time.monotonic()
            for frame in range(frames):
                viewer.dims.set_point(0, frame)
                panel.separate()
                run_until(panel.button.isEnabled)
                parts = {part: np.array(viewer.layers[f"stack - {name}"].data) for part, name in NAMES.items()}
                results.append((time.monotonic() - start, parts))
    with open_viewer() as viewer:
        dock_separate_panel(viewer, stack)
        with Heartbeat() as control:
            start = time.monotonic()
            for frame, (seconds, parts) in enumerate(results):
                viewer.dims.set_point(0, frame)
                run_until(lambda seconds=seconds: time.monotonic() - start >= seconds)
                put_separation(viewer, viewer.layers["stack"], parts, record={})
    return {"control": control.figures, "loaded": loaded.figures}


def measure_stack(folder: Path, frames: int) -> Gaps:
    """Separate all frames in a process of their own, then put the same layers at the time they came."""
    stack = make_stack(frames)
    with open_viewer() as viewer:
        panel = dock_separate_panel(viewer, stack)
        panel.batch_form.results.setText(str(folder / "separated"))
        with Heartbeat() as loaded:
            start = time.monotonic()
            panel.separate_stack()
            run_until(panel.batch_form.stack_button.isEnabled)
            seconds = time.monotonic() - start
            run_for(1.0)  # the layers are drawn
        layers = {part: viewer.layers[f"stack - {name}{ALL_FRAMES}"] for part, name in NAMES.items()}
        files = layers["signal"].metadata["napari_bgremove"]["files"]
    ready = {part: np.asarray(open_images(files[part]).data) for part in NAMES}
    with open_viewer() as viewer:
        dock_separate_panel(viewer, stack)
        with Heartbeat() as control:
            run_for(seconds)
            put_separation(viewer, viewer.layers["stack"], ready, record={}, ndim=3, suffix=ALL_FRAMES)
            run_for(1.0)
    return {"control": control.figures, "loaded": loaded.figures}


def measure_opening(folder: Path, megabytes: int) -> Gaps:
    """Open a large file through the reader and walk through it, then the same with a stack that is in memory."""
    side = 1024
    frames = max(2, round(megabytes * 1e6 / (2 * side * side)))
    path = folder / "large.npy"
    noise = np.random.default_rng(0).poisson(5, (side, side)).astype(np.uint16)
    stack = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=(frames, side, side))
    for k in range(frames):
        stack[k] = np.roll(noise, k, axis=0)
    stack.flush()
    steps = np.linspace(0, frames - 1, 20).astype(int)
    with open_viewer() as viewer, Heartbeat() as loaded:
        viewer.open(path, plugin="napari-bgremove")
        walk(viewer, steps)
    ready = np.stack([stack[frame] for frame in steps])
    with open_viewer() as viewer, Heartbeat() as control:
        viewer.add_image(ready, name="large", contrast_limits=(0, 20))
        walk(viewer, range(len(steps)))
    return {"control": control.figures, "loaded": loaded.figures}


def walk(viewer: Any, frames: Iterable[int]) -> None:
    """Move the slider as somebody does who looks at each frame for a moment."""
    for frame in frames:
        viewer.dims.set_point(0, frame)
        run_for(0.1)


def judge(figures: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what was measured, its bar, the figure, and whether it passes."""
    seconds = figures["first_paint_s"]
    rows = [("first paint", f"<= {FIRST_PAINT_BAR_S:g} s", f"{seconds:.2f} s", seconds <= FIRST_PAINT_BAR_S)]
    for work, pair in figures["gaps"].items():
        for name, bar in BARS.items():
            added = pair["loaded"][name] - pair["control"][name]
            rows.append((f"{work}, {name[:3]}", f"<= {bar:+.0f} ms", f"{added:+.1f} ms", added <= bar))
    imported = figures["torch_imported"]
    return [*rows, ("torch imported", "no", "yes" if imported else "no", not imported)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="of the training")
    parser.add_argument("--frames", type=int, default=8, help="that are separated")
    parser.add_argument("--megabytes", type=int, default=1000, help="of the file that is opened")
    parser.add_argument("--only", choices=WORK, action="append", help="measure only this; may be repeated")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, Any] = {"first_paint_s": measure_first_paint()}
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "training": partial(measure_training, Path(folder), a.epochs),
            "frames": partial(measure_frames, a.frames),
            "stack": partial(measure_stack, Path(folder), a.frames),
            "opening": partial(measure_opening, Path(folder), a.megabytes),
        }
        figures["gaps"] = {name: measure() for name, measure in ways.items() if name in (a.only or WORK)}
    figures["torch_imported"] = "torch" in sys.modules
    rows = judge(figures)
    figures["passed"] = {what: passed for what, _, _, passed in rows}
    for work, pair in figures["gaps"].items():
        for what, gaps in pair.items():
            print(f"{work:<10} {what:<10} p99 {gaps['p99_ms']:7.1f} ms   max {gaps['max_ms']:7.1f} ms")
    for what, bar, measured, passed in rows:
        print(f"{what:<16} {bar:>12} {measured:>12}   {'pass' if passed else 'FAIL'}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))
    assert not figures["torch_imported"], "torch was imported by the window's process"


if __name__ == "__main__":
    main()
