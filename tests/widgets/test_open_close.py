"""A panel that is closed is gone: no widget, thread, timer, process or callback of it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_bgremove.widgets.main_panel import PANELS, MainPanel

ALL_PANELS = {**PANELS, "Background removal": MainPanel}


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any, fake_engine: Any) -> Any:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(np.random.default_rng(0).poisson(5, (48, 64)).astype(np.float32), name="shot")
    return viewer


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
