"""Standard errors as bands about curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pyqtgraph import GraphicsObject
from pyqtgraph.functions import arrayToQPolygonF
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter

from napari_bgremove.widgets.parts.shown_spectrum import Array, ShownSpectrum

__all__ = ["Band", "Ribbons"]

_ALPHA = 90
# Qt fills short polygons several times as fast as one with thousands of corners, but each has to be made:
# about this length takes the least time for both, and so a drag stays fluid.
_SAMPLES = 80


class Ribbons:
    """Bands from measured - sigma to measured + sigma; bands are updated, never made anew."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self._bands: dict[str, Band] = {}

    def show(self, spectra: Sequence[ShownSpectrum]) -> None:
        """Show the bands of those spectra that have standard errors; others go."""
        wanted = {spectrum.name: (spectrum, spectrum.sigma) for spectrum in spectra if spectrum.sigma is not None}
        for name in [name for name in self._bands if name not in wanted]:
            self._plot.removeItem(self._bands.pop(name))
        for name, (spectrum, sigma) in wanted.items():
            if name not in self._bands:
                self._bands[name] = Band()
                self._plot.addItem(self._bands[name])
            band, measured = self._bands[name], spectrum.measured
            band.show_between(spectrum.axis, measured - sigma, measured + sigma, colour=spectrum.colour)


class Band(GraphicsObject):  # type: ignore[misc]
    """The area between two curves over one axis, half transparent, below the curves; NaN is a gap."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = QColor()
        self.polygons: list[Any] = []
        self._area = QRectF()
        self.setZValue(-1)

    def show_between(self, axis: Array, lower: Array, upper: Array, *, colour: str) -> None:
        """Fill between these curves."""
        self.prepareGeometryChange()
        self.colour = QColor(colour)
        self.colour.setAlpha(_ALPHA)
        self.polygons = [
            _surround(axis, lower, upper, part) for part in _parts(np.isfinite(lower) & np.isfinite(upper))
        ]
        self._area = QRectF()
        for polygon in self.polygons:
            self._area |= polygon.boundingRect()
        self.informViewBoundsChanged()
        self.update()

    def boundingRect(self) -> QRectF:
        """Where it is, on the axes."""
        return self._area

    def dataBounds(self, axis: int, frac: float = 1.0, orthoRange: Any = None) -> tuple[float | None, float | None]:
        """What the plot has to show of it along one axis."""
        if not self.polygons:
            return None, None
        area = self._area
        return (area.left(), area.right()) if axis == 0 else (area.top(), area.bottom())

    def paint(self, painter: QPainter, *_options: Any) -> None:
        """Fill the polygons; their common edges would show if they were smoothed."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.colour)
        for polygon in self.polygons:
            painter.drawPolygon(polygon)


def _parts(usable: Any) -> Iterator[slice]:
    """Cut each run of usable samples into short ones, each of which begins with the last sample of the one before."""
    ends = np.flatnonzero(np.diff(usable, prepend=False, append=False)).tolist()
    for start, stop in zip(ends[::2], ends[1::2], strict=True):
        for first in range(start, stop - 1, _SAMPLES):
            yield slice(first, min(first + _SAMPLES + 1, stop))


def _surround(axis: Array, lower: Array, upper: Array, part: slice) -> Any:
    forth = axis[part]
    return arrayToQPolygonF(np.concatenate([forth, forth[::-1]]), np.concatenate([lower[part], upper[part][::-1]]))
