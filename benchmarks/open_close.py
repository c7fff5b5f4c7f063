"""What is left when panels and viewers are opened and closed many times.

    python benchmarks/open_close.py [--panels 50] [--viewers 10] [--json FILE]

Needs a screen (xvfb-run will do). Each panel is docked in a real window and
closed by the cross of its dock; then whole viewers with all panels. Nothing
may be left: no widget, no running timer, no thread, no process, no callback;
the memory may grow by 5 MiB after the first rounds. A whole viewer is judged by
what it leaves beyond an empty one.
"""

from __future__ import annotations

import argparse
import gc
import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtCore import QEvent, QThreadPool, QTimer
from qtpy.QtWidgets import QApplication

from napari_bgremove._files import atomic_write
from napari_bgremove.widgets.main_panel import PANELS, MainPanel

ALL_PANELS = {**PANELS, "Background removal": MainPanel}
WARM_UP = {"panels": 60, "viewers": 5}  # rounds in which caches fill
MOST_MIB = 5.0
EMPTY, VIEWER = "empty viewer", "viewer"


def settle() -> None:
    """Let Qt do what it has put off, and Python collect."""
    QThreadPool.globalInstance().waitForDone()
    for _ in range(3):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


def count_what_is_there(layers: Any) -> dict[str, int]:
    """Return how many widgets, running timers, threads, processes and callbacks there are."""
    return {
        "widgets": len(QApplication.allWidgets()),
        "timers": sum(_is_running(o) for o in gc.get_objects() if issubclass(type(o), QTimer)),
        "threads": threading.active_count() + QThreadPool.globalInstance().activeThreadCount(),
        "processes": sum(c.status() != psutil.STATUS_ZOMBIE for c in psutil.Process().children(recursive=True)),
        "callbacks": sum(len(emitter.callbacks) for emitter in layers.events.emitters.values()),
    }


def open_and_close_panel(viewer: Any, name: str) -> None:
    """Dock a panel and click the cross of its dock."""
    dock = viewer.window.add_dock_widget(ALL_PANELS[name](viewer), name=name)
    QApplication.processEvents()
    dock.title.close_button.click()
    settle()


def open_and_close_viewer(*, empty: bool = False) -> None:
    """Open a viewer with an image and all panels, and close it; without panels it is what napari itself leaves."""
    viewer = make_viewer()
    if not empty:
        viewer.window.add_dock_widget(MainPanel(viewer), name="Background removal")
    QApplication.processEvents()
    viewer.close()
    del viewer
    settle()


def make_viewer() -> Any:
    """Open a viewer with an image."""
    viewer = napari.Viewer(show=True)
    viewer.add_image(np.random.default_rng(0).poisson(5, (64, 64)).astype(np.float32), name="shot")
    QApplication.processEvents()
    return viewer


def measure(act: Callable[[], None], layers: Any, *, rounds: int, warm_up: int) -> dict[str, float]:
    """Return what `rounds` rounds leave behind, after some to warm up."""
    for _ in range(warm_up):
        act()
    settle()
    before, memory = count_what_is_there(layers), _resident_mib()
    for _ in range(rounds):
        act()
    settle()
    after = count_what_is_there(layers)
    return {**{name: after[name] - before[name] for name in before}, "mib": _resident_mib() - memory}


def passes(left: dict[str, float], by_itself: dict[str, float]) -> bool:
    """Whether no more is left than napari itself leaves."""
    return all(value - by_itself.get(name, 0) <= (MOST_MIB if name == "mib" else 0) for name, value in left.items())


def _is_running(timer: Any) -> bool:
    try:
        return bool(timer.isActive())
    except RuntimeError:  # Qt has deleted it, Python not yet
        return False


def _resident_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panels", type=int, default=50, help="rounds of each panel")
    parser.add_argument("--viewers", type=int, default=10, help="rounds of a whole viewer")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, Any] = {"rounds": {"panels": a.panels, "viewers": a.viewers}, "left": {}}
    viewer = make_viewer()
    for name in ALL_PANELS:
        act = partial(open_and_close_panel, viewer, name)
        figures["left"][name] = measure(act, viewer.layers, rounds=a.panels, warm_up=WARM_UP["panels"])
    for name, act in ((EMPTY, partial(open_and_close_viewer, empty=True)), (VIEWER, open_and_close_viewer)):
        if a.viewers:
            left = measure(act, viewer.layers, rounds=a.viewers, warm_up=WARM_UP["viewers"])
            figures["left"][name] = left
    viewer.close()
    by_itself = figures["left"].get(EMPTY, {})
    figures["passed"] = {
        name: passes(left, by_itself if name == VIEWER else {})
        for name, left in figures["left"].items()
        if name != EMPTY
    }
    for name, left in figures["left"].items():
        verdict = {True: "pass", False: "FAIL", None: "(napari itself)"}[figures["passed"].get(name)]
        counts = ", ".join(f"{key} {value:+d}" for key, value in left.items() if key != "mib")
        print(f"{name:<20} {counts}, memory {left['mib']:+.1f} MiB (at most {MOST_MIB:+.0f})   {verdict}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
