"""Do for all spectra of a layer what the panel shows for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.line_profiles import LineProfile
from napari_bgremove.images.sampling import ImageSampler
from napari_bgremove.viewer_layers.spectrum_lines import DrawnLine
from napari_bgremove.viewer_layers.spectrum_maps import put_spectrum_map
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.profile_fits import Windows, take_backgrounds
from napari_bgremove.widgets.profile_map_form import MapForm
from napari_bgremove.widgets.profile_map_work import MapParts, areas_of, separate_along
from napari_bgremove.widgets.profile_work import AxisChoice, BandChoice, ImagePlace, read_line, values_along

__all__ = ["Choices", "ProfileMaps"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choices:
    """What the panel shows at the moment."""

    image: Any
    lines: list[DrawnLine]
    band: BandChoice
    axis: AxisChoice
    place: ImagePlace
    windows: Windows


class ProfileMaps(QObject):
    """Computes off the window's thread, then puts layers or a curve.

    Parameters
    ----------
    viewer : napari.Viewer
    form : MapForm
    choices : callable
        Returns what is chosen now; raises ValueError, in a sentence, when something is missing.
    """

    failed = Signal(object)

    def __init__(self, viewer: Any, form: MapForm, choices: Callable[[], Choices], parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._form, self._choices = viewer, form, choices
        self._image: Any = None
        self._record: dict[str, Any] = {}
        self._map = LatestCall(separate_along, delay_ms=0, parent=self)
        self._map.returned.connect(self._on_map)
        self._areas = LatestCall(measure_areas, delay_ms=0, parent=self)
        self._areas.returned.connect(form.show_areas)
        for call in (self._map, self._areas):
            call.failed.connect(self.failed)

    def separate(self) -> None:
        """Separate every spectrum of the layer."""
        chosen = self._choices()
        data, axis = chosen.image.data, self._form.axis
        if data.ndim + axis < 0:
            msg = f"'{chosen.image.name}' must have frames for spectra to run along them; found {data.ndim} axes."
            raise ValueError(msg)
        values = values_along(chosen.axis, axis, data.shape[axis], _place_of_all(chosen.image))
        self._image = chosen.image
        self._record = {"method": self._form.chosen, "windows": [list(window) for window in chosen.windows]}
        self._form.text.setText("Separating all spectra...")
        self._map(data, axis, values, chosen.windows, self._form.chosen)

    def draw_areas(self) -> None:
        """Draw the net area along each line over the frames of the stack."""
        chosen = self._choices()
        if chosen.image.data.ndim != 3:
            msg = f"'{chosen.image.name}' must be a stack for areas over frames; found {chosen.image.data.ndim} axes."
            raise ValueError(msg)
        self._areas(chosen, self._form.chosen)

    def _on_map(self, parts: MapParts) -> None:
        self._form.text.setText(parts.sentence)
        if self._image in self._viewer.layers and self._image.data.shape == parts.signal.shape:
            arrays = {"signal": parts.signal, "background": parts.background}
            put_spectrum_map(self._viewer, self._image, arrays, parts.status, record=self._record)


def measure_areas(chosen: Choices, method: str) -> dict[str, Array]:
    """Measure the net area along each line in every frame."""
    profiles: dict[str, list[LineProfile]] = {line.name: [] for line in chosen.lines}
    for frame in chosen.image.data:  # one in memory at a time
        sampler = ImageSampler(gate_image(np.asarray(frame)).values, order=chosen.band.order)
        for line in chosen.lines:
            profile = read_line(sampler, line.vertices, chosen.band, chosen.place, is_rectangle=line.is_rectangle)
            profiles[line.name].append(profile)
    areas = {}
    for name, read in profiles.items():
        values = chosen.axis.apply(read[0], chosen.place).to_values(read[0].position)
        spectra = np.stack([profile.values for profile in read])
        parts, refusals = take_backgrounds(values, spectra, chosen.windows, [method])
        if method not in parts:
            raise ComputeError(refusals[method])
        areas[name] = areas_of(parts[method], values, chosen.windows)
    return areas


def _place_of_all(image: Any) -> ImagePlace:
    """Scale and translation of every axis of a layer."""
    return ImagePlace(tuple(map(float, image.scale)), tuple(map(float, image.translate)), str(image.units[-1]))
