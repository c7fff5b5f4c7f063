"""The compare panel in a real viewer: curtain, flip, grid, numbers, rings."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_bgremove.images.profiles import radial_profile
from napari_bgremove.viewer_layers.results import put_separation
from napari_bgremove.widgets.compare_panel import ComparePanel

SHAPE = (80, 100)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    rng = np.random.default_rng(0)
    signal = rng.poisson(9, SHAPE).astype(np.float32)
    background = ((rng.random(SHAPE) < 0.1) * 50).astype(np.float32)
    viewer = make_napari_viewer_proxy(show=True)
    image = viewer.add_image(signal + background, name="shot", scale=(2, 2))
    parts = {"background": background, "signal": signal, "residual": np.zeros(SHAPE, np.float32)}
    put_separation(viewer, image, parts, record={})
    return viewer


@pytest.fixture
def panel(viewer: Any) -> ComparePanel:
    panel = ComparePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Compare")
    panel.before_choice.layer = viewer.layers["shot"]
    panel.after_choice.layer = viewer.layers["shot - signal"]
    return panel


def canvas_of(panel: ComparePanel) -> QWidget:
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    return canvas


def visible(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def test_the_curtain_is_dragged_with_the_mouse(qtbot: Any, viewer: Any, panel: ComparePanel) -> None:
    panel.show_curtain.setChecked(True)
    assert panel.curtain is not None
    viewer.reset_view()
    qtbot.wait(300)
    canvas = canvas_of(panel)
    middle = canvas.rect().center()
    before = panel.curtain.split
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    for step in range(1, 9):
        qtbot.mouseMove(canvas, middle + type(middle)(10 * step, 0))
        qtbot.wait(20)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + type(middle)(80, 0))
    assert panel.curtain.split > before + 3
    panel.show_curtain.setChecked(False)
    assert panel.curtain is None
    assert not any(layer.name.startswith("Curtain") for layer in viewer.layers)


def test_a_curtain_layer_that_is_deleted_ends_the_curtain(viewer: Any, panel: ComparePanel) -> None:
    panel.show_curtain.setChecked(True)
    viewer.layers.remove("Curtain line")
    assert not panel.show_curtain.isChecked()
    assert not any(layer.name.startswith("Curtain") for layer in viewer.layers)


def test_flipping_shows_one_after_the_other_in_the_same_view(qtbot: Any, viewer: Any, panel: ComparePanel) -> None:
    zoom, limits = viewer.scene.camera.zoom, viewer.layers["shot"].contrast_limits
    seen = []
    for _ in range(5):
        qtbot.keyClick(canvas_of(panel), Qt.Key.Key_K)
        (name,) = visible(viewer)
        seen.append(name)
    assert sorted(set(seen)) == ["shot", "shot - background (noise)", "shot - residual", "shot - signal"]
    assert seen[4] == seen[0]
    assert viewer.scene.camera.zoom == zoom
    assert viewer.layers["shot - signal"].contrast_limits == limits


def test_side_by_side_is_the_grid_of_the_viewer_and_goes_as_it_came(
    viewer: Any, panel: ComparePanel, tick: Callable[..., None]
) -> None:
    viewer.add_labels(np.zeros(SHAPE, int), name="mask")
    before = visible(viewer)
    tick(panel.side_by_side)
    assert viewer.canvas.grid.enabled
    assert sorted(visible(viewer)) == ["shot", "shot - background (noise)", "shot - residual", "shot - signal"]
    tick(panel.side_by_side)
    assert not viewer.canvas.grid.enabled
    assert visible(viewer) == before


def test_side_by_side_ends_with_the_panel_and_with_the_curtain(
    viewer: Any, panel: ComparePanel, tick: Callable[..., None], flush: Callable[[], None]
) -> None:
    before = visible(viewer)
    tick(panel.side_by_side)
    tick(panel.show_curtain)
    assert not viewer.canvas.grid.enabled
    tick(panel.side_by_side)
    assert viewer.canvas.grid.enabled
    viewer.window.remove_dock_widget(panel)
    flush()
    assert not viewer.canvas.grid.enabled
    assert visible(viewer) == before


def test_images_of_two_sizes_are_not_compared(viewer: Any, panel: ComparePanel, click: Callable[..., None]) -> None:
    part = {"signal": viewer.layers["shot - signal"].data[:30, :40]}
    panel.after_choice.layer = put_separation(
        viewer, viewer.layers["shot"], part, record={}, corner=(2, 3), suffix=", view"
    )["signal"]
    for text in ("Measure", "Draw profiles", "Copy as Python"):
        click(panel, text)
        assert panel.message.text == (
            "'shot - signal, view' must have the size of 'shot' (80 x 100 px) to be compared with it; found 30 x 40. "
            "Separate the whole frame, or choose two images of one size."
        )


def test_numbers_add_up_over_the_image_and_in_a_region(
    viewer: Any, panel: ComparePanel, click: Callable[..., None]
) -> None:
    click(panel, "Measure")
    shot, signal = (np.asarray(viewer.layers[name].data, float) for name in ("shot", "shot - signal"))
    share = 1 - signal.sum() / shot.sum()
    assert f"taken away: {share:.2%}" in panel.numbers.text()
    viewer.add_shapes([np.array([[-0.5, -0.5], [-0.5, 9.5], [9.5, 9.5], [9.5, -0.5]])], scale=(2, 2), name="box")
    click(panel, "Measure")
    assert "in the region (100 px)" in panel.numbers.text()
    assert f"sum {shot[:10, :10].sum():,.6g}" in panel.numbers.text()


def test_profiles_are_those_of_the_numerics(
    qtbot: Any, viewer: Any, panel: ComparePanel, click: Callable[..., None]
) -> None:
    click(panel, "Draw profiles")
    assert "click the beam centre first" in panel.message.text
    viewer.add_points([[40, 50]], scale=(2, 2), name="centre")
    click(panel, "Draw profiles")
    qtbot.waitUntil(lambda: panel.rings.plot is not None, timeout=20_000)
    radius, mean = panel.rings.plot.curves["shot - signal"]
    right, expected, _ = radial_profile(viewer.layers["shot - signal"].data, centre=(40, 50), width=2.0)
    assert_allclose(radius, right)
    assert_allclose(mean, expected)


def test_the_script_makes_the_same_profiles(
    viewer: Any, panel: ComparePanel, click: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_points([[40, 50]], scale=(2, 2), name="centre")
    monkeypatch.chdir(tmp_path)
    for name in ("shot", "shot - signal"):
        tifffile.imwrite(f"{name}.tif", viewer.layers[name].data)
    click(panel, "Copy as Python")
    Path("copied.py").write_text(QApplication.clipboard().text())
    profiles = runpy.run_path("copied.py")["profiles"]
    for name, curve in profiles.items():
        assert_allclose(curve, radial_profile(viewer.layers[name].data, centre=(40, 50), width=2.0)[:2])
    assert set(profiles) == {"shot", "shot - signal"}


def test_the_parts_of_a_renamed_image_are_still_found(
    viewer: Any, panel: ComparePanel, click: Callable[..., None]
) -> None:
    viewer.layers["shot"].name = "renamed"
    seen = []
    for _ in range(4):
        click(panel, "Flip (K)")
        seen += visible(viewer)
    assert sorted(seen) == ["renamed", "shot - background (noise)", "shot - residual", "shot - signal"]


def test_a_poni_file_gives_profiles_over_q(
    qtbot: Any, panel: ComparePanel, click: Callable[..., None], tmp_path: Path
) -> None:
    integrator = pytest.importorskip("pyFAI.integrator.azimuthal")
    detectors = pytest.importorskip("pyFAI.detectors")
    detector = detectors.Detector(pixel1=75e-6, pixel2=75e-6, max_shape=SHAPE)
    geometry = integrator.AzimuthalIntegrator(dist=0.5, poni1=3e-3, poni2=1e-3, detector=detector, wavelength=1e-10)
    geometry.save(str(tmp_path / "setup.poni"))
    panel.rings.poni = str(tmp_path / "missing.poni")
    click(panel, "Draw profiles")
    qtbot.waitUntil(lambda: "missing.poni" in panel.message.text, timeout=60_000)
    panel.rings.poni = str(tmp_path / "setup.poni")
    click(panel, "Draw profiles")
    qtbot.waitUntil(lambda: panel.rings.plot is not None, timeout=60_000)
    assert set(panel.rings.plot.curves) == {"shot", "shot - signal"}


def test_with_nothing_to_compare_it_says_so(make_napari_viewer_proxy: Any, click: Callable[..., None]) -> None:
    viewer = make_napari_viewer_proxy()
    panel = ComparePanel(viewer)
    viewer.window.add_dock_widget(panel)
    for text in ("Measure", "Draw profiles", "Flip (K)"):
        click(panel, text)
        assert panel.message.text
