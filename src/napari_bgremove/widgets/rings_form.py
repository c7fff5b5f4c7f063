"""Profiles over rings: about which point, or by which geometry; and the curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.profiles import radial_profile
from napari_bgremove.io.poni import profile_by_poni
from napari_bgremove.widgets.parts.fields import make_button, with_decimals
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot

__all__ = ["Profiles", "RingsForm", "profile_images"]

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Profiles:
    """Curves by name, over one axis."""

    axis: str
    curves: Mapping[str, Curve]


def profile_images(
    images: Mapping[str, NDArray[np.generic]], poni: str = "", centre: tuple[float, float] = (0, 0), width: float = 1
) -> Profiles:
    """Average images over q by a PONI file, or over rings about a centre; computed off the window's thread."""
    gated = {name: gate_image(image).values for name, image in images.items()}
    if poni:
        return Profiles("q (1/nm)", {name: profile_by_poni(values, poni) for name, values in gated.items()})
    rings = {name: radial_profile(values, centre=centre, width=width)[:2] for name, values in gated.items()}
    return Profiles("radius (px)", rings)


class RingsForm(QWidget):
    """Values in, curves out; it knows no viewer."""

    profiles_requested = Signal()
    copy_requested = Signal()

    def __init__(self, centre_choice: LayerCombo) -> None:
        super().__init__()
        self.centre_choice = centre_choice
        self.ring_width = with_decimals(2.0, 0.5, 100, suffix="px", tip="Width of a ring.", decimals=1)
        self.logarithm = QCheckBox("Logarithmic")
        self._poni = QLineEdit()
        self._poni.setPlaceholderText("none: rings about the beam centre")
        self._poni.setToolTip("Geometry file of pyFAI: the profile is then over q.")
        self.plot: ProfilePlot | None = None
        self._lay_out()

    @property
    def poni(self) -> str:
        """The geometry file; empty without one."""
        return self._poni.text().strip()

    @poni.setter
    def poni(self, path: str) -> None:
        self._poni.setText(path)

    def show_profiles(self, profiles: Profiles) -> None:
        """Draw curves; the plot is made with the first."""
        if self.plot is None:
            self.plot = ProfilePlot(x_label=profiles.axis, y_label="mean")
            self.logarithm.toggled.connect(self.plot.use_logarithm)
            self.layout().addRow(self.plot)
        self.plot.set_x_label(profiles.axis)
        self.plot.use_logarithm(self.logarithm.isChecked())
        self.plot.set_curves(dict(profiles.curves))

    def _ask_for_poni(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a geometry", filter="PONI files (*.poni);;All files (*)")
        if path:
            self.poni = path

    def _lay_out(self) -> None:
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Beam centre", self.centre_choice)
        rows.addRow("Rings", _row(self.ring_width, self.logarithm))
        rows.addRow("PONI", _row(self._poni, make_button("...", self._ask_for_poni)))
        # No command averages over rings, so there is none to copy.
        tip = "The same without a window, from the files."
        draw = make_button("Draw profiles", self.profiles_requested.emit)
        rows.addRow(_row(draw, make_button("Copy as Python", self.copy_requested.emit, tip=tip)))


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
