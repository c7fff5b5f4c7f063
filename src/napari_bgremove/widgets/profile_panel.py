"""Spectra along lines on an image: drag the line, drag the anchors, read the net area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.line_profiles import LineProfile
from napari_bgremove.images.sampling import ImageSampler
from napari_bgremove.viewer_layers.geometry import current_frame, frame_index, frame_shape
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.viewer_layers.spectrum_lines import LINES_ROLE, DrawnLine, add_lines_layer, colour_lines, lines_of
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.background_table import BackgroundTable
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.layer_watch import MASK_EDITS, watch_chosen
from napari_bgremove.widgets.parts.spectrum_plot import SpectrumPlot
from napari_bgremove.widgets.parts.spectrum_toggles import SpectrumToggles
from napari_bgremove.widgets.profile_copies import profile_as_command, profile_as_python
from napari_bgremove.widgets.profile_forms import AxisForm, BandForm, MethodsForm
from napari_bgremove.widgets.profile_handles import LineHandles
from napari_bgremove.widgets.profile_map_form import MapForm
from napari_bgremove.widgets.profile_maps import Choices, ProfileMaps
from napari_bgremove.widgets.profile_results import save_fits, to_rows, to_shown
from napari_bgremove.widgets.profile_work import (
    Fit,
    ImagePlace,
    Windows,
    fit_spectrum,
    place_windows,
    propose_windows,
    read_line,
    read_rings,
)

__all__ = ["ProfilePanel"]

RINGS_COLOUR = "#d62728"


class ProfilePanel(Panel):
    """Background below the lines of a spectrum that is read off an image (Qajar, "Methodology")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        layers = napari_viewer.layers
        self.image_choice = LayerCombo(layers, (napari.layers.Image,), roles=("signal", "background", "residual"))
        self.lines_choice = LayerCombo(layers, (napari.layers.Shapes,), roles=(LINES_ROLE,))
        self.leave_out = QCheckBox("Leave out")
        self.leave_out.setToolTip("Pixels that are labelled in this layer are left out of every mean.")
        self.mask_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        self.use_rings = QCheckBox("Rings about")
        self.use_rings.setToolTip("Also the mean over rings about a point, as wide as the band.")
        self.centre_choice = LayerCombo(layers, (napari.layers.Points,))
        self.band, self.axis_form, self.methods = BandForm(), AxisForm(), MethodsForm()
        self.plot, self.table, self.map_form = SpectrumPlot(), BackgroundTable(), MapForm()
        self.maps = ProfileMaps(napari_viewer, self.map_form, self._choices, self)
        self.fits: list[Fit] = []
        self.windows: Windows | None = None
        self._sampler: tuple[Any, NDArray[np.float32], ImageSampler] | None = None
        self._handles = LineHandles(napari_viewer, self.connections, self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()

    @reports_errors
    def draw_line(self) -> None:
        """Add a layer with a line on it, ready to be dragged."""
        image = self.image_choice.layer
        if image is None:
            self.message.show_text("Open an image first: a spectrum is read along a line on it.")
            return
        self.lines_choice.layer = add_lines_layer(self.viewer, image)

    @reports_errors
    def refresh(self) -> None:
        """Read every line again, and draw what came out."""
        if not self.isVisible():
            return
        self.fits = [self._fit(line.name, line.colour, self._read(line)) for line in self._lines()]
        if self.use_rings.isChecked():
            self.fits.append(self._fit("rings", RINGS_COLOUR, self._read_rings()))
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
    def draw_areas(self) -> None:
        """Draw the net area along each line over the frames."""
        self.maps.draw_areas()

    def _copied(self, write: Callable[..., str]) -> str:
        """The first line, as text."""
        chosen = self._choices()
        if not chosen.lines:
            msg = "Draw a line first: of rings there is a script in the Compare panel."
            raise ValueError(msg)
        if self.leave_out.isChecked():
            msg = "Labels that are left out are no file a script could name: untick 'Leave out' to copy."
            raise ValueError(msg)
        noise = str(self.methods.noise.currentData())
        return write(self.viewer, chosen.image, chosen.lines[0], self.fits[0], chosen.band, chosen.place, noise=noise)

    def _choices(self) -> Choices:
        image = self.image_choice.layer
        if image is None or self.windows is None or not self.fits:
            msg = "Draw a line on an image first: its anchors are those of all spectra."
            raise ValueError(msg)
        return Choices(image, self._lines(), self.band.choice, self.axis_form.choice, self._place(), self.windows)

    def _read(self, line: DrawnLine) -> LineProfile:
        _, sampler = self._frame()
        return read_line(sampler, line.vertices, self.band.choice, self._place(), is_rectangle=line.is_rectangle)

    def _read_rings(self) -> LineProfile:
        image, points = self.image_choice.layer, self.centre_choice.layer
        if image is None or points is None or len(points.data) == 0:
            msg = "Add a points layer and click the centre of the rings first."
            raise ValueError(msg)
        row, column = np.asarray(image.world_to_data(points.data_to_world(points.data[-1])))[-2:]
        frame, _ = self._frame()
        return read_rings(frame, (float(row), float(column)), self.band.choice.width, self._place())

    def _fit(self, name: str, colour: str, profile: LineProfile) -> Fit:
        axis = self.axis_form.choice.apply(profile, self._place())
        values = axis.to_values(profile.position)
        if self.windows is None:
            self.windows = propose_windows(values)
        self.windows = place_windows(self.windows, values)
        noise = str(self.methods.noise.currentData())
        return fit_spectrum(name, colour, profile, axis, self.windows, self.methods.methods, noise=noise)

    def _show(self) -> None:
        label = self.fits[0].axis.label if self.fits else "length"
        self.plot.show_spectra([to_shown(fit) for fit in self.fits], x_label=label, y_label=self.band.choice.reduce)
        self.plot.set_anchors(self.windows if self.fits else None)
        self.table.set_rows([row for fit in self.fits for row in to_rows(fit)])
        refusals = [f"{fit.name}, {method}: {why}" for fit in self.fits for method, why in fit.refusals.items()]
        self.message.show_text(refusals[0] if refusals else "")
        self._handles.follow(self.image_choice.layer, self.fits[0] if self.fits else None)

    def _lines(self) -> list[DrawnLine]:
        image, shapes = self.image_choice.layer, self.lines_choice.layer
        if image is None or shapes is None:
            return []
        colour_lines(shapes)
        return lines_of(shapes, image)

    def _frame(self) -> tuple[NDArray[np.float32], ImageSampler]:
        """The shown frame, made ready to be read; kept for as long as it is the same."""
        image, mask = self.image_choice.layer, self.mask_choice.layer if self.leave_out.isChecked() else None
        order = self.band.choice.order
        key = (id(image), id(image.data), frame_index(self.viewer, image), id(mask), order)
        if self._sampler is None or self._sampler[0] != key:
            usable = None if mask is None else ~mask_of(mask, frame_shape(image))
            # Behind the gate the gaps of a file are NaN.
            frame = gate_image(current_frame(self.viewer, image), valid_mask=usable).values
            self._sampler = (key, frame, ImageSampler(frame, order=order))
        return self._sampler[1], self._sampler[2]

    def _place(self) -> ImagePlace:
        image = self.image_choice.layer
        scale, translate = (tuple(map(float, values[-2:])) for values in (image.scale, image.translate))
        unit = str(image.units[-1])
        return ImagePlace((scale[0], scale[1]), (translate[0], translate[1]), "px" if unit == "pixel" else unit)

    def _on_anchors_dragged(self, windows: Windows) -> None:
        self.windows = windows
        self._later.start()

    def _forget_frame(self, _event: Any = None) -> None:
        self._sampler = None
        self._later.start()

    def _on_image_chosen(self, _image: Any) -> None:
        self._handles.close()
        self._forget_frame()

    def _on_slider_moved(self, _event: Any = None) -> None:
        self._later.start()

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
        for form in (self.band, self.axis_form, self.methods):
            form.changed.connect(self._later.start)
        self.map_form.map_requested.connect(self.separate_all)
        self.map_form.areas_requested.connect(self.draw_areas)
        self.maps.failed.connect(self.message.show_error)
        self._handles.dragged.connect(self._on_anchors_dragged)
        self.plot.anchors_dragged.connect(self._on_anchors_dragged)
        self.plot.anchors_released.connect(self._on_anchors_dragged)
        self.leave_out.toggled.connect(self._forget_frame)
        self.use_rings.toggled.connect(lambda _: self._later.start())
        watch_chosen(self.centre_choice, ("data",), self.connections, self._later.start)
        self.image_choice.layer_changed.connect(self._on_image_chosen)
        watch_chosen(self.image_choice, ("data", "scale", "translate"), self.connections, self._forget_frame)
        watch_chosen(self.lines_choice, ("set_data",), self.connections, self._later.start)
        watch_chosen(self.mask_choice, MASK_EDITS, self.connections, self._forget_frame)
        self.connections.connect(self.viewer.dims.events.current_step, self._on_slider_moved)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self.image_choice)
        form.addRow("Lines", self.lines_choice)
        form.addRow(self.leave_out, self.mask_choice)
        form.addRow(self.use_rings, self.centre_choice)
        self.body.addLayout(form)
        self.body.addWidget(self.plot)
        self.body.addWidget(SpectrumToggles(self.plot))
        self.body.addWidget(self.table)
        self.body.addWidget(make_section("Line", self.band))
        self.body.addWidget(make_section("Axis", self.axis_form))
        self.body.addWidget(make_section("Backgrounds", self.methods, is_open=True))
        self.body.addWidget(make_section("All rows, maps, frames", self.map_form))
        self.add_copies(
            python=lambda: self._copied(profile_as_python), command=lambda: self._copied(profile_as_command)
        )
        self.add_button("Draw a line", self.draw_line, tip="A layer with a line, whose ends can be dragged.")
        self.add_button("Save...", self._ask_and_save, tip="The spectra with their backgrounds, as CSV.")
        self.add_button("Picture...", self._ask_and_save_picture, tip="The plot as a PNG file.")
