"""Spectra along lines on an image, or from files: drag the line, drag the anchors, read the net area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout

from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.background_table import BackgroundTable
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.spectrum_plot import SpectrumPlot
from napari_bgremove.widgets.parts.spectrum_toggles import SpectrumToggles
from napari_bgremove.widgets.profile_copies import (
    file_as_command,
    file_as_python,
    profile_as_command,
    profile_as_python,
)
from napari_bgremove.widgets.profile_denoise import ProfileDenoising
from napari_bgremove.widgets.profile_denoise_work import Denoised
from napari_bgremove.widgets.profile_files import SpectrumFiles, read_sources
from napari_bgremove.widgets.profile_fits import Fit, Windows, fit_spectrum, place_windows, propose_windows
from napari_bgremove.widgets.profile_forms import AxisForm, BandForm, MethodsForm
from napari_bgremove.widgets.profile_handles import LineHandles
from napari_bgremove.widgets.profile_map_form import MapForm
from napari_bgremove.widgets.profile_maps import Choices, ProfileMaps
from napari_bgremove.widgets.profile_results import save_fits, say_refusals, to_rows, to_shown
from napari_bgremove.widgets.profile_sources import ImageSources
from napari_bgremove.widgets.profile_work import Source

__all__ = ["ProfilePanel"]

ORIGINS = {"image": "lines on an image", "files": "files"}


class ProfilePanel(Panel):
    """Background below spectra that are read off an image or a file (Qajar, "Methodology")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.origin = QComboBox()
        for key, text in ORIGINS.items():
            self.origin.addItem(text, key)
        self.sources, self.files = ImageSources(napari_viewer, self.connections), SpectrumFiles()
        self.band, self.axis_form, self.methods = BandForm(), AxisForm(), MethodsForm()
        self.plot, self.table, self.map_form = SpectrumPlot(), BackgroundTable(), MapForm()
        self.denoising = ProfileDenoising(
            napari_viewer, engine_of(napari_viewer), self.connections, lambda: self.sources.whole, self
        )
        self.maps = ProfileMaps(napari_viewer, self.map_form, self._choices, self)
        self.fits: list[Fit] = []
        self.windows: Windows | None = None
        self._handles = LineHandles(napari_viewer, self.connections, self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()

    @property
    def is_of_files(self) -> bool:
        """Whether the spectra come from files, and not from an image."""
        return str(self.origin.currentData()) == "files"

    @reports_errors
    def draw_line(self) -> None:
        """Add a layer with a line on it, ready to be dragged."""
        self.origin.setCurrentIndex(self.origin.findData("image"))
        self.sources.draw_line()

    @reports_errors
    def open_files(self, files: tuple[str, ...]) -> None:
        """Show the spectra of files beside those that are open."""
        sources, notes = read_sources(files, beside=self.files.sources)
        self.origin.setCurrentIndex(self.origin.findData("files"))
        self.files.set_sources(self.files.sources + sources)
        self.refresh()
        if notes and not self.message.text:
            self.message.show_text(" ".join(notes))

    @reports_errors
    def refresh(self) -> None:
        """Read every line again, and draw what came out."""
        if not self.isVisible():
            return
        self._later.stop()
        sources = self._read()
        self.fits = [self._fit(*one) for one in zip(sources, self.denoising.take(sources), strict=True)]
        self._show()

    @reports_errors
    def save_table(self, path: str | Path) -> None:
        """Write every spectrum with its backgrounds as CSV."""
        self.message.show_text(save_fits(Path(path), self.fits))

    @reports_errors
    def separate_all(self) -> None:
        """Separate every row of the image, or every pixel of the map."""
        self.maps.separate()

    @reports_errors
    def denoise_all(self) -> None:
        """Denoise every row of the image, or every pixel of the map."""
        self.denoising.images.start()

    @reports_errors
    def draw_areas(self) -> None:
        """Draw the net area along each line over the frames."""
        self.maps.draw_areas()

    def _copied(self, of_line: Callable[..., str], of_file: Callable[..., str]) -> str:
        """The first spectrum, as text."""
        how = {"noise": str(self.methods.noise.currentData()), "denoising": self.denoising.how}
        if self.is_of_files and self.fits:
            return of_file(self.fits[0], **how)
        chosen = self._choices()
        if not chosen.lines:
            msg = "Draw a line first: of rings there is a script in the Compare panel."
            raise ValueError(msg)
        if self.sources.leave_out.isChecked():
            msg = "Labels that are left out are no file a script could name: untick 'Leave out' to copy."
            raise ValueError(msg)
        return of_line(self.viewer, chosen.image, chosen.lines[0], self.fits[0], chosen.band, chosen.place, **how)

    def _choices(self) -> Choices:
        image = self.sources.image
        is_of_lines = not self.is_of_files and not self.sources.by_angle.isChecked()
        if not is_of_lines or image is None or self.windows is None or not self.fits:
            msg = "Draw a line on an image first: its anchors are those of all spectra."
            raise ValueError(msg)
        place = self.sources.place
        return Choices(image, self.sources.lines, self.band.choice, self.axis_form.choice, place, self.windows)

    def _read(self) -> list[Source]:
        if self.is_of_files:
            return list(self.files.sources)
        return self.sources.read(self.band.choice, self.axis_form.choice)

    def _fit(self, source: Source, denoised: Denoised) -> Fit:
        if self.windows is None:
            self.windows = propose_windows(source.values)
        self.windows = place_windows(self.windows, source.values)
        noise = str(self.methods.noise.currentData())
        return fit_spectrum(source, self.windows, self.methods.methods, noise=noise, denoised=denoised)

    def _show(self) -> None:
        label = self.fits[0].axis.label if self.fits else "length"
        height = "intensity" if self.is_of_files else self.band.choice.reduce
        self.plot.show_spectra([to_shown(fit) for fit in self.fits], x_label=label, y_label=height)
        self.plot.set_anchors(self.windows if self.fits else None)
        self.table.set_rows([row for fit in self.fits for row in to_rows(fit)])
        self.denoising.show(self.fits)
        self.message.show_text(next(say_refusals(self.fits), ""))
        on_image = self.fits[0] if self.fits and not self.is_of_files else None
        self._handles.follow(self.sources.image, on_image)

    def _on_anchors_dragged(self, windows: Windows) -> None:
        self.windows = windows
        self._later.start()

    def _on_origin_changed(self, _index: int) -> None:
        of_files = self.is_of_files
        self.files.setVisible(of_files)
        for widget in (self.sources, self._band_section, self._axis_section, self._map_section):
            widget.setVisible(not of_files)
        self.denoising.images.offer(not of_files)
        self.plot.invert_x(of_files and any("binding" in s.axis.name for s in self.files.sources))
        self.windows = None  # the axes have nothing in common
        self._later.start()

    def _on_files_changed(self) -> None:
        self._on_origin_changed(0)

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the spectra", "spectra.csv", "Tables (*.csv)")
        if path:
            self.save_table(path)

    def _ask_and_save_picture(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the picture", "spectra.png", "Pictures (*.png)")
        if path:
            self.plot.export_picture(path)

    def hideEvent(self, event: Any) -> None:
        """The handles belong to the panel."""
        self._handles.close()
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:
        """Read the lines as they are now."""
        super().showEvent(event)
        self._later.start()

    def _connect(self) -> None:
        for part in (self.band, self.axis_form, self.methods, self.sources, self.denoising):
            part.changed.connect(self._later.start)
        self.sources.image_changed.connect(self._handles.close)
        self.files.asked.connect(self.open_files)
        self.files.changed.connect(self._on_files_changed)
        self.origin.currentIndexChanged.connect(self._on_origin_changed)
        self.map_form.map_requested.connect(self.separate_all)
        self.map_form.areas_requested.connect(self.draw_areas)
        self.maps.failed.connect(self.message.show_error)
        self.denoising.form.all_requested.connect(self.denoise_all)
        self.denoising.failed.connect(self.message.show_failure)
        self.denoising.images.raised.connect(self.message.show_error)
        self._handles.dragged.connect(self._on_anchors_dragged)
        self.plot.anchors_dragged.connect(self._on_anchors_dragged)
        self.plot.anchors_released.connect(self._on_anchors_dragged)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Spectra of", self.origin)
        self.body.addLayout(form)
        self._band_section, self._axis_section = make_section("Line", self.band), make_section("Axis", self.axis_form)
        self._map_section = make_section("All rows, maps, frames", self.map_form)
        self.body.addWidget(self.sources)
        self.body.addWidget(self.files)
        self.body.addWidget(self.plot)
        self.body.addWidget(SpectrumToggles(self.plot))
        self.body.addWidget(self.table)
        self.body.addWidget(self._band_section)
        self.body.addWidget(self._axis_section)
        self.body.addWidget(make_section("Denoise", self.denoising.form))
        self.body.addWidget(make_section("Backgrounds", self.methods, is_open=True))
        self.body.addWidget(self._map_section)
        self.files.hide()
        self.add_copies(
            python=lambda: self._copied(profile_as_python, file_as_python),
            command=lambda: self._copied(profile_as_command, file_as_command),
        )
        self.add_button("Draw a line", self.draw_line, tip="A layer with a line, whose ends can be dragged.")
        self.add_button("Save...", self._ask_and_save, tip="The spectra with their backgrounds, as CSV.")
        self.add_button("Picture...", self._ask_and_save_picture, tip="The plot as a PNG file.")
