"""Spectra from files in the profile panel: opened, overlaid, dragged with a real mouse, copied, saved."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.spectra.backgrounds import separate_background
from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.widgets.profile_panel import ProfilePanel

Click = Callable[[Any, str], None]
ENERGY = np.linspace(700.0, 740.0, 401)


def write_peak(path: Path, height: float = 100.0) -> Path:
    """A peak on a step, brighter towards high binding energy, as text."""
    peak = height * np.exp(-((ENERGY - 720) ** 2) / 18)
    counts = 50 + peak + 20 * np.cumsum(peak) / peak.sum()
    np.savetxt(path, np.stack([ENERGY, counts], axis=1), header="binding energy (eV)\tcounts", delimiter="\t")
    return path


@pytest.fixture
def panel(make_napari_viewer_proxy: Any) -> ProfilePanel:
    viewer = make_napari_viewer_proxy(show=True)
    panel = ProfilePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Profile")
    return panel


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Answer the dialog that opens files; with none: Cancel."""

    def answer(*files: Path) -> None:
        chosen = [str(file) for file in files]
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args, **_options: (chosen, ""))

    return answer


@pytest.fixture
def opened(panel: ProfilePanel, choose: Callable[..., None], click: Click, tmp_path: Path) -> ProfilePanel:
    choose(write_peak(tmp_path / "Fe 2p.txt"))
    panel.origin.setCurrentIndex(panel.origin.findData("files"))
    click(panel.files, "Open...")
    return panel


def test_a_file_is_fitted_as_the_same_numbers_are_by_hand(opened: ProfilePanel, tmp_path: Path) -> None:
    (spectrum,) = read_spectra(tmp_path / "Fe 2p.txt")
    assert opened.windows is not None
    ends = tuple(Anchor(Window(*window)) for window in opened.windows)
    by_hand = separate_background(spectrum.axis, spectrum.intensity, method="direct", ends=ends, sigma="scatter")
    (row,) = opened.table.rows
    assert row.status == "ok"
    assert row.area == pytest.approx(by_hand.net_area)
    assert not opened.sources.isVisible(), "an image has no say here"


def test_files_lie_over_each_other_and_those_of_one_name_are_told_apart(
    qtbot: Any, opened: ProfilePanel, tmp_path: Path, choose: Callable[..., None], click: Click
) -> None:
    (tmp_path / "second").mkdir()
    choose(write_peak(tmp_path / "second" / "Fe 2p.txt", height=50.0))
    click(opened.files, "Open...")
    assert [row.name for row in opened.table.rows] == ["Fe 2p", "Fe 2p (2)"]
    assert opened.fits[0].colour != opened.fits[1].colour
    first, second = (row.area for row in opened.table.rows)
    assert first == pytest.approx(2 * second, rel=0.2), "the lower peak stands on the same step"
    click(opened.files, "Clear")
    qtbot.waitUntil(lambda: not opened.table.rows, timeout=20_000)


def test_back_on_the_image_the_files_are_still_open(
    qtbot: Any, opened: ProfilePanel, choose: Callable[..., None], click: Click
) -> None:
    of_file = opened.table.rows[0].area
    opened.viewer.add_image(np.random.default_rng(0).poisson(50, (60, 200)).astype(np.float32), name="image")
    click(opened, "Draw a line")
    qtbot.waitUntil(lambda: [fit.name for fit in opened.fits] == ["line 1"], timeout=20_000)
    opened.origin.setCurrentIndex(opened.origin.findData("files"))
    qtbot.waitUntil(lambda: [fit.name for fit in opened.fits] == ["Fe 2p"], timeout=20_000)
    assert opened.table.rows[0].area == pytest.approx(of_file)
    assert "image - anchors" not in opened.viewer.layers, "no handle for a spectrum that lies on no image"


def test_what_is_copied_gives_the_same_area_without_a_window(
    opened: ProfilePanel, click: Click, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = opened.table.rows[0].area
    monkeypatch.chdir(tmp_path)
    click(opened, "Copy as Python")
    script = QApplication.clipboard().text() + "\nprint(separation.net_area)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.splitlines()[-1]) == pytest.approx(area, rel=1e-9)
    click(opened, "Copy as command")
    words = shlex.split(QApplication.clipboard().text())
    ran = subprocess.run([sys.executable, "-m", "napari_bgremove", *words[1:]], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"{area:.5g}"[:4] in ran.stdout


def test_the_table_that_is_saved_has_the_energies_of_the_file(opened: ProfilePanel, tmp_path: Path) -> None:
    opened.save_table(tmp_path / "out.csv")
    lines = [line for line in (tmp_path / "out.csv").read_text().splitlines() if not line.startswith("#")]
    assert lines[0].split(",")[:3] == ["line", "binding energy", "measured"]
    assert_allclose([float(line.split(",")[1]) for line in lines[1:]], ENERGY)


def test_a_cancelled_dialog_and_a_file_that_is_no_spectrum_lose_nothing(
    opened: ProfilePanel, choose: Callable[..., None], click: Click, tmp_path: Path
) -> None:
    choose()
    click(opened.files, "Open...")
    bad = tmp_path / "bad.txt"
    bad.write_text("energy\tcounts\n1\t2\n2\tmany\n")
    choose(bad)
    click(opened.files, "Open...")
    assert "line 3" in opened.message.text
    assert [fit.name for fit in opened.fits] == ["Fe 2p"]


def test_what_cannot_be_done_with_files_says_so(opened: ProfilePanel) -> None:
    opened.separate_all()
    assert "Draw a line on an image first" in opened.message.text


def test_a_real_vamas_file_gives_each_of_its_spectra_a_row(panel: ProfilePanel, shared_data: Path) -> None:
    file = shared_data / "xps" / "xpsdl_Cu111_oxidation.vms"
    panel.open_files((str(file),))
    labels = [spectrum.label for spectrum in read_spectra(file)]
    assert [fit.source.file for fit in panel.fits] == [(str(file), label) for label in labels]
    assert len(panel.table.rows) == len(labels)


def test_a_line_and_all_rows_of_a_real_detector_image_are_solved(
    qtbot: Any, panel: ProfilePanel, shared_data: Path, click: Click
) -> None:
    """The ADRESS image: 391 spectra of 721 energies from -43 eV in steps of 0.05 eV (MANIFEST)."""
    (image,) = panel.viewer.open(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5", plugin="napari-bgremove")
    click(panel, "Draw a line")
    panel.sources.lines_choice.layer.data = [np.array([[195.0, 0.0], [195.0, 720.0]])]
    for box, number in zip(np.ravel(panel.axis_form.points), (0, -43, 720, -7), strict=True):
        box.setValue(number)
    panel.axis_form.name.setCurrentText("energy")
    panel.axis_form.source.setCurrentIndex(panel.axis_form.source.findData("points"))
    qtbot.waitUntil(lambda: bool(panel.fits) and panel.fits[0].values[0] == -43, timeout=20_000)
    windows = ((-19.525, -18.975), (-15.025, -14.475))  # between samples
    panel._on_anchors_dragged(windows)
    qtbot.waitUntil(lambda: panel.fits[0].windows == windows, timeout=20_000)
    with h5py.File(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5") as file:
        rows = file["Matrix"][()].reshape(391, 721)
    axis = -43 + 0.05 * np.arange(721)
    ends = Anchor(Window(*windows[0])), Anchor(Window(*windows[1]))
    by_hand = separate_background(axis, rows[193:198].mean(axis=0), method="direct", ends=ends)
    assert panel.table.rows[0].area == pytest.approx(by_hand.net_area, rel=1e-5)
    panel.separate_all()
    status = f"{image.name} - status, spectra"
    qtbot.waitUntil(lambda: status in panel.viewer.layers, timeout=20_000)
    assert not panel.viewer.layers[status].data.any(), "every one of 391 has a background"
