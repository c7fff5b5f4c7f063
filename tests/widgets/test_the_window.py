"""All panels in one window: they fit a laptop's screen, bring no torch, and take the images people have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QPushButton

import napari_bgremove
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.main_panel import MainPanel
from napari_bgremove.widgets.panel import Panel

MANIFEST = Path(napari_bgremove.__file__).parent / "napari.yaml"
LAPTOP = (1366, 768)
# Signed gaps, a module with a beam stop, a few photons over read noise, and an HDF5 file of several datasets.
REAL_FILES = (
    "gimap_gisaxs_4nm_00005.cbf",
    "lcls2_cspad_cxitut13_r10_32_asic.npy",
    "lunus_snc_newhead_00001.img",
    "sasview_33837rear_2D.h5",
)

WHOLE_PROCESS = """
import sys
import napari
import numpy as np
from qtpy.QtTest import QTest
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.main_panel import MainPanel

viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).poisson(3.0, (64, 64)).astype(np.float32), name="shot")
panel = MainPanel(viewer)
viewer.window.add_dock_widget(panel)
separate = panel.widget(3)
separate.separate()
for _ in range(3000):
    QTest.qWait(50)
    if separate.button.isEnabled():
        break
engine_of(viewer).close()
print([layer.name for layer in viewer.layers], sorted({"torch", "escnn"} & set(sys.modules)))
"""


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any, npe2pm: Any) -> Any:
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        viewer = make_napari_viewer_proxy(show=True)
        yield viewer
        engine_of(viewer).close()


def test_every_panel_fits_the_screen_of_a_laptop_with_its_buttons(qtbot: Any, viewer: Any) -> None:
    viewer.window.resize(*LAPTOP)
    main_panel = MainPanel(viewer)
    viewer.window.add_dock_widget(main_panel, name="Background removal")
    window = main_panel.window()
    for number in range(main_panel.count()):
        main_panel.setCurrentIndex(number)
        qtbot.wait(50)
        assert window.width() <= LAPTOP[0], main_panel.tabText(number)
        assert window.height() <= LAPTOP[1], main_panel.tabText(number)
        panel = main_panel.widget(number)
        assert isinstance(panel, Panel)
        in_the_bar = [panel.buttons.itemAt(i).widget() for i in range(panel.buttons.count())]
        primary = [b for w in in_the_bar for b in ([w] if isinstance(w, QPushButton) else w.findChildren(QPushButton))]
        assert len(primary) >= len(in_the_bar)
        for button in primary:
            corners = (button.rect().topLeft(), button.rect().bottomRight())
            assert all(window.rect().contains(button.mapTo(window, corner)) for corner in corners), button.text()


def test_the_process_of_the_window_brings_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", WHOLE_PROCESS], capture_output=True, text=True, check=True)
    layers, brought = done.stdout.strip().rsplit(" [", 1)
    assert "'shot - signal'" in layers
    assert brought == "]"


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_images_open_and_get_a_mask(qtbot: Any, viewer: Any, shared_data: Path, name: str) -> None:
    (layer, *_) = viewer.open(str(shared_data / "saxs" / "signal" / name), plugin="napari-bgremove")
    main_panel = MainPanel(viewer)
    viewer.window.add_dock_widget(main_panel)
    mask_panel = main_panel.widget(0)
    mask_panel.image_choice.layer = layer
    mask_panel.proposal.tick.setChecked(True)
    qtbot.waitUntil(lambda: "Mask preview" in viewer.layers, timeout=60_000)
    proposed = np.asarray(viewer.layers["Mask preview"].data) > 0
    assert proposed.shape == layer.data.shape[-2:]
    measured = np.asarray(layer.data, dtype=np.float64).reshape(-1, *proposed.shape)[0]
    inside, outside = measured[proposed], measured[~proposed]
    assert 0 < proposed.mean() < 1
    assert np.nanmean(inside) > np.nanmean(outside)
    assert not mask_panel.message.text
    QApplication.processEvents()
