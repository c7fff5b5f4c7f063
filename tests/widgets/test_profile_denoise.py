"""Denoising in the spectrum panel: chosen by hand, live under a dragged line, a network in both modes, all rows."""

from __future__ import annotations

import os
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
from qtpy.QtWidgets import QApplication, QCheckBox, QWidget
from superqt import QCollapsible

from napari_bgremove.engine.signal_denoising import DenoisingMethod, denoise
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.provenance import parse_provenance
from napari_bgremove.spectra.backgrounds import separate_background
from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.profile_panel import ProfilePanel

Click = Callable[[Any, str], None]
Tick = Callable[[QCheckBox], None]
SHAPE, NOISE = (40, 160), 4.0
LONG = 60_000


def make_noisy_level(frames: int = 1) -> np.ndarray:
    """A peak on a step along the columns, with white noise."""
    energy = np.arange(SHAPE[1], dtype=float)
    peak = 100 * np.exp(-((energy - 80) ** 2) / (2 * 6**2))
    row = peak + 50 + 20 * (1 - np.cumsum(peak) / peak.sum())
    noise = np.random.default_rng(0).normal(0, NOISE, (frames, *SHAPE))
    return (row + noise).astype(np.float32)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(make_noisy_level()[0], name="level", scale=(0.5, 0.05), translate=(0, -43.0))
    return viewer


@pytest.fixture
def panel(qtbot: Any, viewer: Any, click: Click) -> ProfilePanel:
    """With a line one pixel wide, and the section unfolded."""
    panel = ProfilePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Profile")
    (section,) = [s for s in panel.findChildren(QCollapsible) if s.text() == "Denoise"]
    section.expand(animate=False)
    panel.band.width_px.setValue(1)
    click(panel, "Draw a line")
    qtbot.waitUntil(lambda: len(panel.fits) == 1, timeout=LONG)
    return panel


def choose(panel: ProfilePanel, method: str) -> None:
    box = panel.denoising.form.method
    box.setCurrentIndex(box.findData(method))


def wait_for(qtbot: Any, panel: ProfilePanel, key: str) -> Any:
    def is_there() -> bool:
        return bool(panel.fits) and key in panel.fits[0].denoised.parts and not panel.fits[0].denoised.is_awaited

    qtbot.waitUntil(is_there, timeout=LONG)
    return panel.fits[0].denoised.parts[key]


def read_column(path: Path, name: str) -> np.ndarray:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.genfromtxt(lines, delimiter=",", names=True)[name]


def toggle_of(panel: ProfilePanel, text: str) -> QCheckBox:
    (box,) = [box for box in panel.findChildren(QCheckBox) if box.text() == text]
    return box


def test_nothing_is_denoised_unless_a_person_says_so(panel: ProfilePanel) -> None:
    assert panel.fits[0].denoised.parts == {}
    assert set(panel.plot.curves) == {"line 1", "line 1, Shirley", "line 1, net"}
    assert not panel.denoising.form.button.isEnabled()
    assert "Choose a method first" in panel.denoising.form.button.toolTip()
    assert panel.plot._curves["line 1"].opts["pen"].color().alpha() == 255
    assert engine_of(panel.viewer)._client is None, "nothing was started"


def test_a_method_chosen_with_the_keyboard_is_drawn_over_what_was_measured(qtbot: Any, panel: ProfilePanel) -> None:
    box = panel.denoising.form.method
    panel.bring_into_view(box)
    box.setFocus()
    for _ in range(box.findData("tv")):
        qtbot.keyClick(box, Qt.Key.Key_Down)
    part, measured = wait_for(qtbot, panel, "tv"), panel.fits[0].profile.values
    expected = denoise(measured, DenoisingMethod(method="tv"))
    assert_array_equal(part.signal, expected.signal)
    assert_array_equal(panel.plot.curves["line 1, Total variation"][1], expected.signal)
    assert panel.plot._curves["line 1"].opts["pen"].color().alpha() < 128, "what was measured is faint"
    (row,) = panel.denoising.form.table.rows
    assert row.sigma == pytest.approx(float(estimate_sigma(measured))) == pytest.approx(NOISE, rel=0.3)
    assert row.curves["Total variation"].taken_away == pytest.approx(np.sqrt(np.mean(expected.background**2)))
    assert row.curves["Total variation"].left < row.sigma / 5
    weight = panel.denoising.form.parameters["tv"].fields["weight"]
    assert weight.isVisible()
    assert weight.placeholderText() == f"auto: {expected.provenance['found']['weight'][0]:.5g}"
    assert panel.table.rows[0].status == "ok", "its background is that of what was measured"


def test_it_follows_the_end_of_a_line_under_the_mouse(qtbot: Any, viewer: Any, panel: ProfilePanel) -> None:
    choose(panel, "wavelet")
    wait_for(qtbot, panel, "wavelet")
    viewer.reset_view()
    qtbot.wait(100)
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    shapes, camera = panel.sources.lines_choice.layer, viewer.scene.camera

    def place(world: Any) -> QPoint:
        row, column = (np.asarray(world)[-2:] - np.asarray(camera.center[-2:])) * camera.zoom
        return canvas.rect().center() + QPoint(round(column), round(row))

    before = len(panel.fits[0].values)
    start = place(shapes.data_to_world(shapes.data[0][1]))
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place([10.0, -39.0]))
    qtbot.mouseMove(canvas, start)
    qtbot.wait(20)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    lengths = set()
    for share in (0.25, 0.5, 0.75, 1.0):
        qtbot.mouseMove(canvas, start - QPoint(round(80 * share), 0))
        qtbot.wait(60)
        (fit,) = panel.fits
        lengths.add(len(fit.values))
        expected = denoise(fit.profile.values, DenoisingMethod(method="wavelet"))
        assert_array_equal(fit.denoised.parts["wavelet"].signal, expected.signal)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start - QPoint(80, 0))
    assert len(lengths) > 2, "while it was dragged"
    assert min(lengths) < before


def test_a_number_typed_counts_and_what_is_no_number_is_said(qtbot: Any, panel: ProfilePanel) -> None:
    choose(panel, "tv")
    automatic = wait_for(qtbot, panel, "tv").signal
    weight = panel.denoising.form.parameters["tv"].fields["weight"]
    panel.bring_into_view(weight)
    weight.setFocus()
    qtbot.keyClicks(weight, "50")
    qtbot.keyClick(weight, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not np.array_equal(panel.fits[0].denoised.signal, automatic), timeout=LONG)
    stronger = denoise(panel.fits[0].profile.values, DenoisingMethod(method="tv", parameters={"weight": 50}))
    assert_array_equal(panel.fits[0].denoised.signal, stronger.signal)
    qtbot.keyClicks(weight, "x")
    qtbot.keyClick(weight, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "'weight' must be a number" in panel.message.text, timeout=LONG)
    assert "line 1" in panel.plot.curves, "the spectrum stays"
    weight.clear()
    qtbot.keyClick(weight, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.message.text == "", timeout=LONG)
    assert_array_equal(panel.fits[0].denoised.signal, automatic)


def test_what_a_filter_refuses_is_said_and_the_background_stays(qtbot: Any, panel: ProfilePanel) -> None:
    panel.denoising.form.parameters["median"].fields["window"].setText("4")
    choose(panel, "median")
    qtbot.waitUntil(lambda: "line 1, Median: 'window' must be an odd number" in panel.message.text, timeout=LONG)
    assert panel.table.rows[0].status == "ok"


def test_a_tick_takes_denoised_curves_off_the_plot(qtbot: Any, panel: ProfilePanel, tick: Tick) -> None:
    choose(panel, "wiener")
    wait_for(qtbot, panel, "wiener")
    box = toggle_of(panel, "Denoised")
    panel.bring_into_view(box)
    tick(box)
    assert "line 1, Wiener" not in panel.plot.curves
    assert "line 1" in panel.plot.curves
    tick(box)
    assert "line 1, Wiener" in panel.plot.curves


def test_a_background_is_fitted_to_the_denoised_spectrum_only_when_that_is_ticked(
    qtbot: Any, panel: ProfilePanel, tick: Tick
) -> None:
    before = panel.table.rows[0].area
    choose(panel, "savitzky_golay")
    signal = wait_for(qtbot, panel, "savitzky_golay").signal
    form = panel.denoising.form
    assert not form.fit.isChecked()
    assert panel.table.rows[0].area == before
    panel.bring_into_view(form.fit)
    tick(form.fit)
    qtbot.waitUntil(lambda: panel.fits[0].is_of_denoised, timeout=LONG)
    assert form.warning.isVisible()
    assert panel.windows is not None
    ends = tuple(Anchor(Window(*window)) for window in panel.windows)
    by_hand = separate_background(panel.fits[0].values, signal, method="direct", ends=ends, sigma="scatter")
    (row,) = panel.table.rows
    assert row.area == pytest.approx(by_hand.net_area)
    assert row.area != before
    assert "standard errors are not true" in row.sentence
    assert_allclose(panel.plot.curves["line 1, net"][1], by_hand.signal)
    choose(panel, "none")
    qtbot.waitUntil(lambda: panel.table.rows[0].area == before, timeout=LONG)


def test_a_network_is_shown_in_both_modes_and_one_of_them_goes_on(
    qtbot: Any, panel: ProfilePanel, denoiser_file: Path, tick: Tick
) -> None:
    form = panel.denoising.form
    form.take_model(str(denoiser_file))
    assert "batches of 16: the running statistics (fixed)" in form.trained.text().replace("\n", " ")
    qtbot.waitUntil(lambda: "line 1, network (fixed)" in panel.plot.curves, timeout=LONG)
    form.fit.setChecked(True)
    for norm in ("fixed", "signal"):
        part = wait_for(qtbot, panel, norm)
        expected = denoise(panel.fits[0].profile.values, DenoisingMethod(model=str(denoiser_file), norm=norm))
        assert_allclose(part.signal, expected.signal, rtol=1e-5)
        assert_allclose(panel.plot.curves[f"line 1, network ({norm})"][1], expected.signal, rtol=1e-5)
    assert form.table.heads[2:] == ("fixed:\ntaken away", "fixed:\nleft", "signal:\ntaken away", "signal:\nleft")
    assert not np.array_equal(
        panel.fits[0].denoised.parts["fixed"].signal, panel.fits[0].denoised.parts["signal"].signal
    )
    assert panel.fits[0].denoised.chosen == "fixed"
    form.norm.setCurrentIndex(form.norm.findData("signal"))
    qtbot.waitUntil(lambda: panel.fits[0].denoised.chosen == "signal", timeout=LONG)
    assert panel.denoising.how is not None
    assert panel.denoising.how.norm == "signal"
    assert not panel.fits[0].denoised.is_awaited, "known already"
    panel.sources.lines_choice.layer.data = [np.array([[11.0, 10.0], [11.0, 150.0]])]
    qtbot.waitUntil(lambda: panel.fits[0].denoised.is_awaited, timeout=LONG)
    assert np.isnan(panel.plot.curves["line 1, network (fixed)"][1]).all(), "nothing of another line is shown"
    assert panel.table.rows[0].status == "awaited"
    part = wait_for(qtbot, panel, "signal")
    assert_array_equal(part.measured, panel.fits[0].profile.values)


def test_what_is_no_denoiser_is_said_beside_the_choice(qtbot: Any, panel: ProfilePanel, tmp_path: Path) -> None:
    choose(panel, "network")
    qtbot.waitUntil(lambda: "Choose the model file of a denoiser" in panel.message.text, timeout=LONG)
    panel.denoising.form.model.choose(str(BUNDLED_MODEL))
    qtbot.waitUntil(lambda: "is no denoiser of signals" in panel.message.text, timeout=LONG)
    assert "is no denoiser of signals" in panel.denoising.form.trained.text()
    panel.denoising.form.model.choose(str(tmp_path / "gone.safetensors"))
    qtbot.waitUntil(lambda: "gone.safetensors' cannot be read" in panel.message.text, timeout=LONG)
    assert panel.table.rows[0].status == "ok"


def test_all_rows_become_layers_beside_the_image(qtbot: Any, viewer: Any, panel: ProfilePanel, click: Click) -> None:
    image = viewer.layers["level"]
    data = np.array(image.data)
    data[3] = np.nan
    image.data = data
    labels = np.zeros(SHAPE, np.uint8)
    labels[5, 40:60] = 1
    panel.sources.mask_choice.layer = viewer.add_labels(labels, scale=image.scale, translate=image.translate)
    panel.sources.leave_out.setChecked(True)
    choose(panel, "gmc")
    click(panel, "Denoise all")
    qtbot.waitUntil(lambda: "level - denoised, Sparse (GMC)" in viewer.layers, timeout=LONG)
    denoised, noise = (viewer.layers[f"level - {part}, Sparse (GMC)"] for part in ("denoised", "noise"))
    usable = np.isfinite(data) & (labels == 0)
    expected = denoise(data, DenoisingMethod(method="gmc"), valid_mask=usable)
    assert_allclose(denoised.data, expected.signal, rtol=1e-5, atol=1e-4)
    assert_allclose(denoised.data + noise.data, np.where(usable, data, np.nan), rtol=1e-5)
    assert_array_equal(denoised.scale, image.scale)
    assert_array_equal(denoised.translate, image.translate)
    record = denoised.metadata["napari_bgremove"]
    assert (record["method"], record["axis"], record["of"]) == ("gmc", -1, "level")
    assert record["parameters"]["gamma"] == 0.8
    assert record["sigma_median"] == pytest.approx(NOISE, rel=0.2)
    said = panel.denoising.form.progress.status.text().replace("\n", " ")
    assert said.startswith("39 of 40 signals denoised")
    assert "The others have no result, the first because" in said
    assert_array_equal(image.data, data), "a person's layer stays"
    panel.sources.image_choice.layer = denoised
    assert panel.sources.image.unique_id == denoised.unique_id, "lines can be drawn on it"


def test_a_stack_is_denoised_along_its_rows_or_through_its_frames(
    qtbot: Any, viewer: Any, panel: ProfilePanel, click: Click
) -> None:
    stack = viewer.add_image(make_noisy_level(frames=20)[:, :4, :30], name="stack")
    panel.sources.image_choice.layer = stack
    choose(panel, "median")
    for axis, form in ((-1, panel.denoising.form), (-3, panel.denoising.form)):
        form.along.setCurrentIndex(form.along.findData(axis))
        click(panel, "Denoise all")
        qtbot.waitUntil(lambda: not panel.denoising.images.is_busy, timeout=LONG)
        rows = np.moveaxis(stack.data, axis, -1)
        expected = np.moveaxis(denoise(rows, DenoisingMethod(method="median")).signal, -1, axis)
        assert_allclose(viewer.layers["stack - denoised, Median"].data, expected, rtol=1e-6)


def test_an_image_has_no_frames_to_go_through_and_a_cancelled_one_becomes_no_layer(
    qtbot: Any, viewer: Any, panel: ProfilePanel, click: Click
) -> None:
    choose(panel, "tv")
    form, before = panel.denoising.form, len(viewer.layers)
    form.along.setCurrentIndex(form.along.findData(-3))
    click(panel, "Denoise all")
    assert "'level' must have frames" in panel.message.text
    form.along.setCurrentIndex(form.along.findData(-1))
    click(panel, "Denoise all")
    assert not form.button.isEnabled()
    click(form, "Cancel")
    assert form.button.isEnabled()
    assert "Cancelled" in form.progress.status.text()
    qtbot.wait(1500)
    assert len(viewer.layers) == before


def test_the_table_that_is_saved_has_the_denoised_curve(qtbot: Any, panel: ProfilePanel, tmp_path: Path) -> None:
    choose(panel, "l1")
    signal = wait_for(qtbot, panel, "l1").signal
    panel.save_table(tmp_path / "spectra.csv")
    assert_allclose(read_column(tmp_path / "spectra.csv", "denoised_l1"), signal)
    assert_allclose(read_column(tmp_path / "spectra.csv", "measured"), panel.fits[0].profile.values)
    text = (tmp_path / "spectra.csv").read_text()
    record = parse_provenance("".join(line[2:] for line in text.splitlines() if line.startswith("# ")))
    assert record is not None
    assert record["lines"]["line 1"]["denoised l1"]["method"] == "l1"


@pytest.mark.parametrize("fits_denoised", [False, True])
def test_what_is_copied_denoises_alike_without_a_window(
    qtbot: Any, viewer: Any, panel: ProfilePanel, click: Click, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    fits_denoised: bool,
) -> None:  # fmt: skip
    np.save(tmp_path / "level.npy", make_noisy_level()[0])
    viewer.layers.remove("level")
    image = viewer.open(tmp_path / "level.npy", plugin="napari-bgremove")[0]
    image.scale, image.translate = (0.5, 0.05), (0, -43.0)
    panel.sources.image_choice.layer = image
    panel.denoising.form.parameters["tv"].fields["weight"].setText("6.5")
    panel.denoising.form.fit.setChecked(fits_denoised)
    choose(panel, "tv")
    signal = wait_for(qtbot, panel, "tv").signal
    qtbot.waitUntil(lambda: panel.table.rows[0].status == "ok", timeout=LONG)
    area = panel.table.rows[0].area
    monkeypatch.chdir(tmp_path)
    click(panel, "Copy as Python")
    script = f"{QApplication.clipboard().text()}\nprint(denoised.sum(), separation.net_area)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert_allclose([float(word) for word in ran.stdout.splitlines()[-1].split()], [signal.sum(), area], rtol=1e-6)
    click(panel, "Copy as command")
    commands = QApplication.clipboard().text().splitlines()
    assert [shlex.split(command)[1] for command in commands] == ["profile", "signals", "shirley"]
    for command in commands:
        words = [sys.executable, "-m", "napari_bgremove", *shlex.split(command)[1:]]
        ran = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        assert ran.returncode == 0, ran.stderr
    assert f"{area:.5g}"[:4] in ran.stdout
    assert_allclose(read_column(tmp_path / "denoised.csv", "denoised"), signal, rtol=1e-6)


def test_spectra_from_files_are_denoised_too_and_have_no_rows(qtbot: Any, panel: ProfilePanel, tmp_path: Path) -> None:
    energy = np.linspace(700, 740, 160)
    np.savetxt(tmp_path / "Fe 2p.txt", np.stack([energy, make_noisy_level()[0, 7]], axis=1), header="energy counts")
    panel.open_files((str(tmp_path / "Fe 2p.txt"),))
    choose(panel, "tv")
    part = wait_for(qtbot, panel, "tv")
    assert_allclose(part.measured, make_noisy_level()[0, 7], rtol=1e-6)
    assert not panel.denoising.form.button.isVisible()
    panel.origin.setCurrentIndex(panel.origin.findData("image"))
    assert panel.denoising.form.button.isVisible()
