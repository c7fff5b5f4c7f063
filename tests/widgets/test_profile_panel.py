"""The profile panel in a real viewer: draw a line, drag its end and its anchors, read what the table says."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_bgremove.images.line_profiles import extract_profile
from napari_bgremove.images.profiles import azimuthal_profile, radial_profile
from napari_bgremove.spectra.backgrounds import separate_background
from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.widgets.profile_panel import ProfilePanel

Click = Callable[[Any, str], None]
SHAPE = (80, 240)
STEP, AREA = 20.0, 100 * 6 * np.sqrt(2 * np.pi)


def make_core_level(frames: int = 1) -> np.ndarray:
    """A peak on a step along the columns, the same in every row, brighter with every frame."""
    energy = np.arange(SHAPE[1], dtype=float)
    peak = 100 * np.exp(-((energy - 120) ** 2) / (2 * 6**2))
    share = 1 - np.cumsum(peak) / peak.sum()
    row = peak + 50 + STEP * share
    return np.stack([np.broadcast_to(row * (k + 1), SHAPE) for k in range(frames)]).astype(np.float32)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(make_core_level()[0], name="core level", scale=(0.5, 0.05), translate=(0, -43.0))
    return viewer


@pytest.fixture
def panel(viewer: Any) -> ProfilePanel:
    panel = ProfilePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Profile")
    return panel


@pytest.fixture
def drawn(qtbot: Any, panel: ProfilePanel, click: Click) -> ProfilePanel:
    click(panel, "Draw a line")
    qtbot.waitUntil(lambda: len(panel.fits) == 1, timeout=20_000)
    return panel


def canvas_of(panel: QWidget) -> QWidget:
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    return canvas


def place_on_screen(viewer: Any, canvas: QWidget, world: Any) -> QPoint:
    camera = viewer.scene.camera
    row, column = (np.asarray(world)[-2:] - np.asarray(camera.center[-2:])) * camera.zoom
    return canvas.rect().center() + QPoint(round(column), round(row))


def drag(qtbot: Any, canvas: QWidget, start: QPoint, stop: QPoint) -> None:
    qtbot.mouseMove(canvas, start)
    qtbot.wait(20)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.25, 0.5, 0.75, 1.0):
        qtbot.mouseMove(canvas, start + (stop - start) * share)
        qtbot.wait(20)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=stop)
    qtbot.wait(50)


def test_a_drawn_line_gives_the_spectrum_and_its_background_at_once(drawn: ProfilePanel) -> None:
    (fit,) = drawn.fits
    expected = extract_profile(make_core_level()[0], [[40, 24], [40, 216]], width=5, scale=(0.5, 0.05))
    assert_allclose(fit.profile.values, expected.values)
    assert drawn.windows is not None
    ends = tuple(Anchor(Window(*window)) for window in drawn.windows)
    by_hand = separate_background(expected.position, expected.values, method="direct", ends=ends, sigma="scatter")
    (row,) = drawn.table.rows
    assert row.status == "ok"
    assert row.area == pytest.approx(by_hand.net_area)
    assert row.area == pytest.approx(AREA * 0.05, rel=0.02), "pixels are 0.05 wide"


def test_the_end_of_a_line_is_dragged_with_the_mouse_and_the_spectrum_follows(
    qtbot: Any, viewer: Any, drawn: ProfilePanel
) -> None:
    viewer.reset_view()
    qtbot.wait(100)
    canvas, shapes = canvas_of(drawn), drawn.sources.lines_choice.layer
    before = drawn.fits[0].profile.position[-1]
    end = shapes.data_to_world(shapes.data[0][1])
    start = place_on_screen(viewer, canvas, end)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place_on_screen(viewer, canvas, [20.0, -37.0]))
    drag(qtbot, canvas, start, start - QPoint(60, 0))
    qtbot.waitUntil(lambda: drawn.fits[0].profile.position[-1] < before - 0.1, timeout=20_000)
    assert_allclose(drawn.fits[0].profile.points[-1], shapes.data[0][1], atol=0.1)


def test_the_axis_is_that_of_the_image_or_of_two_known_points(qtbot: Any, drawn: ProfilePanel) -> None:
    drawn.axis_form.source.setCurrentIndex(drawn.axis_form.source.findData("columns"))
    qtbot.waitUntil(lambda: drawn.fits[0].axis.name == "pixel" and drawn.fits[0].values[0] < -40, timeout=20_000)
    assert_allclose(drawn.fits[0].values[[0, -1]], [-43 + 24 * 0.05, -43 + 216 * 0.05])
    drawn.axis_form.name.setCurrentText("binding energy")
    drawn.axis_form.points[0][1].setValue(100)
    drawn.axis_form.points[1][0].setValue(1)
    drawn.axis_form.points[1][1].setValue(90)
    drawn.axis_form.source.setCurrentIndex(drawn.axis_form.source.findData("points"))
    qtbot.waitUntil(lambda: drawn.fits[0].values[0] == 100, timeout=20_000)
    assert drawn.fits[0].values[-1] == pytest.approx(100 - 10 * 192 * 0.05)
    assert drawn.fits[0].axis.label == "binding energy (eV)"
    (row,) = drawn.table.rows
    assert row.area == pytest.approx(AREA * 0.5, rel=0.02), "the order of the axis does not matter"


def test_an_anchor_is_dragged_by_its_handle_on_the_image(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    drawn.sources.lines_choice.layer.mode = "pan_zoom"
    viewer.reset_view()
    qtbot.wait(100)
    handles = viewer.layers["core level - anchors"]
    canvas = canvas_of(drawn)
    before = drawn.windows
    start = place_on_screen(viewer, canvas, handles.data_to_world(handles.data[1]))
    drag(qtbot, canvas, start, start + QPoint(30, 0))
    qtbot.waitUntil(lambda: drawn.windows != before, timeout=20_000)
    assert before is not None
    assert drawn.windows is not None
    assert drawn.windows[0][1] > before[0][1] + 0.1
    assert drawn.windows[1] == before[1]
    assert_allclose(drawn.plot.anchors, drawn.windows)


def test_the_handles_follow_a_line_and_the_sliders_are_left_alone(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    handles, told = viewer.layers["core level - anchors"], []
    handles.events.data.connect(told.append)
    ranges = viewer.dims.range
    drawn.sources.lines_choice.layer.data = [np.array([[50.0, 30.0], [50.0, 200.0]])]
    qtbot.waitUntil(lambda: np.allclose(handles.data[:, 0], 50), timeout=20_000)
    along = drawn.fits[0].axis.to_positions(np.ravel(drawn.windows))
    assert_allclose(handles.data[:, 1], 30 + along / 0.05)
    assert_allclose(handles.extent.data, [handles.data.min(axis=0), handles.data.max(axis=0)])
    assert not told, "for which the viewer would measure all layers anew"
    assert viewer.dims.range == ranges


def test_several_lines_and_methods_stand_side_by_side_in_their_colours(
    qtbot: Any, drawn: ProfilePanel, tick: Callable[[Any], None]
) -> None:
    drawn.sources.lines_choice.layer.add_lines([[10, 24], [10, 216]])
    for method in ("linear", "snip"):
        drawn.methods.ticks[method].setChecked(True)
    qtbot.waitUntil(lambda: len(drawn.table.rows) == 6, timeout=20_000)
    assert [fit.name for fit in drawn.fits] == ["line 1", "line 2"]
    assert drawn.fits[0].colour != drawn.fits[1].colour
    colours = drawn.sources.lines_choice.layer.edge_color
    assert not np.allclose(colours[0], colours[1])


def test_where_there_is_no_shirley_background_nothing_is_drawn_and_the_reason_is_said(
    qtbot: Any, viewer: Any, drawn: ProfilePanel
) -> None:
    step = np.broadcast_to(100 - 50 / (1 + np.exp(-(np.arange(SHAPE[1]) - 120.0))), SHAPE).astype(np.float32)
    viewer.layers["core level"].data = step
    qtbot.waitUntil(lambda: drawn.table.rows[0].status == "no_solution", timeout=20_000)
    (row,) = drawn.table.rows
    assert row.sentence
    assert np.isnan(row.area)
    assert all(np.isnan(y).all() for name, (_, y) in drawn.plot.curves.items() if "Shirley" in name)


def test_pixels_that_are_left_out_do_not_count(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    image = viewer.layers["core level"]
    spoiled = np.array(image.data)
    spoiled[40, 100:140] = 1e6
    image.data = spoiled
    labels = np.zeros(SHAPE, np.uint8)
    labels[40, 100:140] = 1
    drawn.sources.mask_choice.layer = viewer.add_labels(
        labels, name="dead", scale=image.scale, translate=image.translate
    )
    drawn.sources.leave_out.setChecked(True)
    qtbot.waitUntil(lambda: np.nanmax(drawn.fits[0].profile.values) < 1000, timeout=20_000)
    assert drawn.table.rows[0].area == pytest.approx(AREA * 0.05, rel=0.02)


def test_the_slider_moves_through_a_stack_and_the_areas_follow_the_frames(
    qtbot: Any, viewer: Any, panel: ProfilePanel, click: Click
) -> None:
    viewer.layers.clear()
    viewer.add_image(make_core_level(frames=3), name="stack", scale=(1, 0.5, 0.05))
    click(panel, "Draw a line")
    viewer.dims.set_point(0, 0)
    qtbot.waitUntil(lambda: bool(panel.fits), timeout=20_000)
    first = panel.table.rows[0].area
    viewer.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: panel.table.rows[0].area == pytest.approx(3 * first), timeout=20_000)
    panel.draw_areas()
    qtbot.waitUntil(lambda: panel.map_form.plot is not None, timeout=20_000)
    _, areas = panel.map_form.plot.curves["line 1"]
    assert_allclose(areas, first * np.array([1, 2, 3]), rtol=1e-5)


def test_all_rows_become_layers_with_a_status(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    image = viewer.layers["core level"]
    data = np.array(image.data)
    data[3] = np.linspace(100, 50, SHAPE[1])  # a row without a peak
    image.data = data
    drawn.axis_form.source.setCurrentIndex(drawn.axis_form.source.findData("columns"))
    qtbot.waitUntil(lambda: drawn.fits[0].values[0] < -40, timeout=20_000)
    drawn.separate_all()
    qtbot.waitUntil(lambda: "core level - status, spectra" in viewer.layers, timeout=20_000)
    status = viewer.layers["core level - status, spectra"].data
    assert (status[3] > 0).all()
    assert not np.delete(status, 3, axis=0).any()
    signal = viewer.layers["core level - signal, spectra"].data
    background = viewer.layers["core level - background (noise), spectra"].data
    known = np.isfinite(signal)
    assert_allclose((signal + background)[known], data[known], rtol=1e-5)
    assert np.isnan(signal[3]).all(), "nothing false is shown"
    assert "79" in drawn.map_form.text.text()


def test_spectra_are_saved_with_their_backgrounds(drawn: ProfilePanel, tmp_path: Path) -> None:
    drawn.save_table(tmp_path / "spectra.csv")
    text = (tmp_path / "spectra.csv").read_text()
    header = next(line for line in text.splitlines() if not line.startswith("#"))
    assert header == "line,length,pixel,measured,sigma,background direct,net direct"
    table = np.genfromtxt(tmp_path / "spectra.csv", delimiter=",", comments="#", skip_header=0, names=None)
    assert_allclose(table[1:, 3], drawn.fits[0].profile.values)


def test_without_an_image_or_a_line_it_says_what_to_do(
    qtbot: Any, make_napari_viewer_proxy: Any, click: Click, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    panel = ProfilePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Profile")
    click(panel, "Draw a line")
    assert "Open an image first" in panel.message.text
    panel.save_table(tmp_path / "nothing.csv")
    assert "Draw a line on an image first" in panel.message.text
    panel.separate_all()
    assert "Draw a line on an image first" in panel.message.text


def test_hiding_takes_the_handles_away_and_an_image_that_goes_leaves_nothing_behind(
    qtbot: Any, viewer: Any, drawn: ProfilePanel
) -> None:
    assert "core level - anchors" in viewer.layers
    drawn.hide()
    assert "core level - anchors" not in viewer.layers
    drawn.show()
    qtbot.waitUntil(lambda: "core level - anchors" in viewer.layers, timeout=20_000)
    viewer.layers.remove("core level")
    qtbot.waitUntil(lambda: not drawn.fits, timeout=20_000)
    assert drawn.message.text == ""
    assert_array_equal(drawn.plot.anchors is None, True)


@pytest.mark.parametrize("kind", ["line", "rectangle"])
def test_what_is_copied_gives_the_same_area_without_a_window(
    qtbot: Any, viewer: Any, drawn: ProfilePanel, click: Click, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:  # fmt: skip
    np.save(tmp_path / "core level.npy", make_core_level()[0])
    viewer.layers.remove("core level")
    image = viewer.open(tmp_path / "core level.npy", plugin="napari-bgremove")[0]
    image.scale, image.translate = (0.5, 0.05), (0, -43.0)
    drawn.sources.image_choice.layer = image
    shapes = drawn.sources.lines_choice.layer
    if kind == "rectangle":
        shapes.data = []
        shapes.add_rectangles([[20.5, 24.5], [20.5, 216.5], [44.5, 216.5], [44.5, 24.5]])
    drawn.axis_form.name.setCurrentText("energy")
    qtbot.waitUntil(lambda: len(drawn.fits) == 1 and drawn.table.rows[0].status == "ok", timeout=20_000)
    area = drawn.table.rows[0].area
    monkeypatch.chdir(tmp_path)
    click(drawn, "Copy as Python")
    script = QApplication.clipboard().text()
    ran = subprocess.run(
        [sys.executable, "-c", f"{script}\nprint(separation.net_area)"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.splitlines()[-1]) == pytest.approx(area, rel=1e-6)
    click(drawn, "Copy as command")
    for command in QApplication.clipboard().text().splitlines():
        words = [sys.executable, "-m", "napari_bgremove", *shlex.split(command)[1:]]
        ran = subprocess.run(words, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    assert f"{area:.5g}"[:4] in ran.stdout


def test_what_no_script_could_name_is_refused(drawn: ProfilePanel, click: Click) -> None:
    drawn.sources.leave_out.setChecked(True)
    click(drawn, "Copy as Python")
    assert "untick 'Leave out' to copy" in drawn.message.text


def test_rings_about_a_point_are_a_spectrum_too(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    rows, columns = np.indices(SHAPE)
    radius = np.hypot(rows - 40, columns - 120)
    image = viewer.layers["core level"]
    image.data = (100 * np.exp(-((radius - 20) ** 2) / 18) + 30 - radius / 10).astype(np.float32)
    drawn.sources.use_rings.setChecked(True)
    assert drawn.isVisible()
    qtbot.waitUntil(lambda: "click the centre of the rings first" in drawn.message.text, timeout=20_000)
    world = image.data_to_world((40, 120))
    drawn.sources.centre_choice.layer = viewer.add_points([world], name="centre")
    qtbot.waitUntil(lambda: len(drawn.fits) == 2, timeout=20_000)
    rings = drawn.fits[1]
    expected, mean, _ = radial_profile(image.data, centre=(40, 120), width=5)
    assert_allclose(rings.profile.values, mean)
    assert_allclose(rings.values, expected * 0.05)
    assert drawn.table.rows[1].name == "rings"


def test_sectors_of_a_ring_are_a_spectrum_over_the_angle(qtbot: Any, viewer: Any, drawn: ProfilePanel) -> None:
    rows, columns = np.indices(SHAPE) - np.array([40, 120])[:, None, None]
    image = viewer.layers["core level"]
    angle = np.degrees(np.arctan2(rows, columns)) % 360
    image.data = (100 * np.exp(-((angle - 180) ** 2) / 800) + 30).astype(np.float32)
    drawn.sources.centre_choice.layer = viewer.add_points([image.data_to_world((40, 120))], name="centre")
    drawn.sources.radii[0].setValue(10)
    drawn.sources.radii[1].setValue(35)
    drawn.sources.by_angle.setChecked(True)
    qtbot.waitUntil(lambda: [fit.name for fit in drawn.fits] == ["angles"], timeout=20_000)
    (fit,) = drawn.fits
    expected, mean, _ = azimuthal_profile(image.data, centre=(40, 120), radii=(10, 35))
    assert_allclose(fit.values, expected)
    assert_allclose(fit.profile.values, mean)
    assert fit.axis.label == "angle (°)"
    drawn.separate_all()
    assert "Draw a line on an image first" in drawn.message.text, "its windows are angles"
