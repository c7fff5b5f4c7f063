"""A panel that is closed is gone: no widget, thread, timer, process or callback of it is left.

`benchmarks/open_close.py` does the same 50 times for each panel and 10 times
for a whole viewer, and prints the figures.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_bgremove.widgets.main_panel import PANELS, MainPanel

ALL_PANELS = {**PANELS, "Background removal": MainPanel}
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "open_close.py"
ROUNDS = 8


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any, fake_engine: Any) -> Any:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(np.random.default_rng(0).poisson(5, (48, 64)).astype(np.float32), name="shot")
    return viewer


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("open_close", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cross_of_its_dock_ends_a_panel(viewer: Any, flush: Callable[[], None]) -> None:
    """napari only hides it and lets go; it would listen until Python's garbage collector comes by."""
    for name, kind in ALL_PANELS.items():
        panel = kind(viewer)
        dock = viewer.window.add_dock_widget(panel, name=name)
        flush()
        ended: list[str] = []
        panel.destroyed.connect(lambda *_, ended=ended, name=name: ended.append(name))
        dock.title.close_button.click()
        flush()
        assert ended == [name]
    assert not viewer.keymap


def test_panels_that_come_and_go_leave_nothing(viewer: Any, benchmark: ModuleType) -> None:
    def open_and_close_all() -> None:
        for name in ALL_PANELS:
            benchmark.open_and_close_panel(viewer, name)

    left = benchmark.measure(open_and_close_all, viewer.layers, rounds=ROUNDS, warm_up=2)
    mib = left.pop("mib")
    # napari forgets callbacks of what is gone with the next event only.
    assert left.pop("callbacks") <= 2
    assert left == {"widgets": 0, "timers": 0, "threads": 0, "processes": 0}
    assert mib < 50, "loosely: the figure is the benchmark's"


def test_a_viewer_that_is_closed_takes_its_panels_and_their_engine_along(
    make_napari_viewer_proxy: Any, fake_engine: Any, benchmark: ModuleType, flush: Callable[[], None]
) -> None:
    first = make_napari_viewer_proxy()
    before = benchmark.count_what_is_there(first.layers)
    second = make_napari_viewer_proxy(show=True)
    second.add_image(np.zeros((48, 64), np.float32), name="shot")
    panels = MainPanel(second)
    second.window.add_dock_widget(panels, name="Background removal")
    panels.setCurrentIndex(list(PANELS).index("Separate"))
    flush()
    assert fake_engine.living, "the panels asked what there is to compute on"
    second.close()
    flush()
    assert not fake_engine.living
    after = benchmark.count_what_is_there(first.layers)
    assert {name: after[name] for name in ("processes", "callbacks", "threads")} == {
        name: before[name] for name in ("processes", "callbacks", "threads")
    }
