"""Where the profile panel reads its spectra on an image: along drawn lines, and over rings about a point."""

from __future__ import annotations

from typing import Any

import napari.layers
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QWidget

from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.line_profiles import LineProfile
from napari_bgremove.images.sampling import ImageSampler
from napari_bgremove.viewer_layers.denoised_layers import DENOISED_ROLE, NOISE_ROLE
from napari_bgremove.viewer_layers.geometry import current_frame, frame_index, frame_shape
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.viewer_layers.spectrum_lines import LINES_ROLE, DrawnLine, add_lines_layer, colour_lines, lines_of
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.fields import with_decimals
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.layer_watch import MASK_EDITS, watch_chosen
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.profile_work import (
    AxisChoice,
    BandChoice,
    ImagePlace,
    Source,
    read_line,
    read_rings,
    read_sectors,
)

__all__ = ["ImageSources"]

_RINGS_COLOUR = "#d62728"
# Layers we made that a spectrum is worth reading on.
_OUR_IMAGES = ("signal", "background", "residual", DENOISED_ROLE, NOISE_ROLE)


class ImageSources(QWidget):
    """An image of the viewer, the lines on it, what is left out, and the centre of rings.

    Parameters
    ----------
    viewer : napari.Viewer
    connections : Connections
        Of the panel: cut when it goes.
    """

    changed = Signal()
    image_changed = Signal()

    def __init__(self, viewer: Any, connections: Connections) -> None:
        super().__init__()
        self._viewer = viewer
        layers = viewer.layers
        self.image_choice = LayerCombo(layers, (napari.layers.Image,), roles=_OUR_IMAGES)
        self.lines_choice = LayerCombo(layers, (napari.layers.Shapes,), roles=(LINES_ROLE,))
        self.leave_out = QCheckBox("Leave out")
        self.leave_out.setToolTip("Pixels that are labelled in this layer are left out of every mean.")
        self.mask_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        self.use_rings = QCheckBox("Rings about")
        self.use_rings.setToolTip("Also the mean over rings about a point, as wide as the band.")
        self.centre_choice = LayerCombo(layers, (napari.layers.Points,))
        self.by_angle = QCheckBox("by angle, radii")
        self.by_angle.setToolTip("In place of lines: the mean over sectors of 1 degree of the ring between two radii.")
        self.radii = tuple(with_decimals(r, 0, suffix="px", decimals=1) for r in (20.0, 60.0))
        self._sampler: tuple[Any, NDArray[np.float32], ImageSampler] | None = None
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Image", self.image_choice)
        form.addRow("Lines", self.lines_choice)
        form.addRow(self.leave_out, self.mask_choice)
        form.addRow(self.use_rings, self.centre_choice)
        form.addRow(self.by_angle, make_row(*self.radii))
        self._connect(connections)

    @property
    def image(self) -> Any | None:
        """The chosen image layer."""
        return self.image_choice.layer

    @property
    def whole(self) -> tuple[Any, NDArray[np.bool_] | None]:
        """The chosen image layer, and where its pixels are usable; None where all are.

        Raises
        ------
        ValueError
            When there is no image.
        """
        image = self._need_image()
        return image, self._usable(image)

    @property
    def lines(self) -> list[DrawnLine]:
        """What is drawn on the image, in its pixels; each gets its colour."""
        image, shapes = self.image, self.lines_choice.layer
        if image is None or shapes is None:
            return []
        colour_lines(shapes)
        return lines_of(shapes, image)

    @property
    def place(self) -> ImagePlace:
        """Where the pixels of the image lie in the world."""
        image = self._need_image()
        scale, translate = (tuple(map(float, values[-2:])) for values in (image.scale, image.translate))
        unit = str(image.units[-1])
        return ImagePlace((scale[0], scale[1]), (translate[0], translate[1]), "px" if unit == "pixel" else unit)

    def draw_line(self) -> None:
        """Add a layer with a line on it, ready to be dragged."""
        self.lines_choice.layer = add_lines_layer(self._viewer, self._need_image())

    def read(self, band: BandChoice, axis: AxisChoice) -> list[Source]:
        """Read the shown frame along every line and over the rings.

        Raises
        ------
        ValueError
            When rings are wanted and nobody said about which point.
        """
        if self.by_angle.isChecked():
            frame, _ = self._frame(band.order)
            inner, outer = (box.value() for box in self.radii)
            sectors = read_sectors(frame, self._find_centre(), (inner, outer))
            return [Source("angles", _RINGS_COLOUR, sectors, LinearAxis(name="angle", unit="°"))]
        found = [Source(line.name, line.colour, self._read_line(line, band)) for line in self.lines]
        if self.use_rings.isChecked():
            found.append(Source("rings", _RINGS_COLOUR, self._read_rings(band)))
        return [source.on(axis.apply(source.profile, self.place)) for source in found]

    def _read_line(self, line: DrawnLine, band: BandChoice) -> LineProfile:
        _, sampler = self._frame(band.order)
        return read_line(sampler, line.vertices, band, self.place, is_rectangle=line.is_rectangle)

    def _read_rings(self, band: BandChoice) -> LineProfile:
        frame, _ = self._frame(band.order)
        return read_rings(frame, self._find_centre(), band.width, self.place)

    def _find_centre(self) -> tuple[float, float]:
        """The newest of the chosen points, in pixels of the image."""
        points = self.centre_choice.layer
        if points is None or len(points.data) == 0:
            msg = "Add a points layer and click the centre of the rings first."
            raise ValueError(msg)
        row, column = np.asarray(self._need_image().world_to_data(points.data_to_world(points.data[-1])))[-2:]
        return float(row), float(column)

    def _frame(self, order: int) -> tuple[NDArray[np.float32], ImageSampler]:
        """The shown frame, made ready to be read; kept for as long as it is the same."""
        image, mask = self._need_image(), self.mask_choice.layer if self.leave_out.isChecked() else None
        key = (id(image), id(image.data), frame_index(self._viewer, image), id(mask), order)
        if self._sampler is None or self._sampler[0] != key:
            # Behind the gate the gaps of a file are NaN.
            frame = gate_image(current_frame(self._viewer, image), valid_mask=self._usable(image)).values
            self._sampler = (key, frame, ImageSampler(frame, order=order))
        return self._sampler[1], self._sampler[2]

    def _usable(self, image: Any) -> NDArray[np.bool_] | None:
        mask = self.mask_choice.layer if self.leave_out.isChecked() else None
        return None if mask is None else ~mask_of(mask, frame_shape(image))

    def _need_image(self) -> Any:
        if self.image is None:
            msg = "Open an image first: a spectrum is read along a line on it."
            raise ValueError(msg)
        return self.image

    def _connect(self, connections: Connections) -> None:
        for box in (self.use_rings, self.by_angle):
            box.toggled.connect(lambda _: self.changed.emit())
        for number in self.radii:
            number.valueChanged.connect(lambda _: self.changed.emit())
        self.leave_out.toggled.connect(self._forget_frame)
        self.image_choice.layer_changed.connect(lambda _: self.image_changed.emit())
        watch_chosen(self.centre_choice, ("data",), connections, self.changed.emit)
        watch_chosen(self.lines_choice, ("set_data",), connections, self.changed.emit)
        watch_chosen(self.image_choice, ("data", "scale", "translate"), connections, self._forget_frame)
        watch_chosen(self.mask_choice, MASK_EDITS, connections, self._forget_frame)
        connections.connect(self._viewer.dims.events.current_step, self._on_slider_moved)

    def _forget_frame(self, _state: Any = None) -> None:
        self._sampler = None
        self.changed.emit()

    def _on_slider_moved(self, _event: Any = None) -> None:
        self.changed.emit()
