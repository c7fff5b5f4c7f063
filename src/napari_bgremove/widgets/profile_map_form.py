"""The spectra of a whole image, map or stack: what runs along what, and by which method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from napari_bgremove.spectra.backgrounds import METHODS
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot
from napari_bgremove.widgets.parts.rows import make_row

__all__ = ["MapForm"]

AXES = ("columns", "rows", "frames")


class MapForm(QWidget):
    """Wishes go out, a sentence and a curve come in; it knows no viewer."""

    map_requested = Signal()
    areas_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.along = QComboBox()
        self.along.addItems(list(AXES))
        self.along.setToolTip("What a spectrum runs along: of an image its columns or rows, of a map also its frames.")
        self.method = QComboBox()
        for name, method in METHODS.items():
            self.method.addItem(method.label, name)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.plot: ProfilePlot | None = None
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Energy along", make_row(self.along, self.method))
        form.addRow(
            make_row(
                make_button("All spectra", self.map_requested.emit, tip="Every row of the image, or pixel of the map."),
                make_button("Areas over frames", self.areas_requested.emit, tip="Net area along each line, by frame."),
            )
        )
        form.addRow(self.text)

    @property
    def axis(self) -> int:
        """The axis the spectra run along, counted from the last of the data: -1 columns, -2 rows, -3 frames."""
        return -1 - self.along.currentIndex()

    @property
    def chosen(self) -> str:
        """Name of the method."""
        return str(self.method.currentData())

    def show_areas(self, areas: dict[str, NDArray[np.float64]]) -> None:
        """Draw net areas over frames, a curve for each line."""
        if self.plot is None:
            self.plot = ProfilePlot(x_label="frame", y_label="net area")
            layout: Any = self.layout()
            layout.addRow(self.plot)
        self.plot.set_curves({name: (np.arange(len(values), dtype=float), values) for name, values in areas.items()})
