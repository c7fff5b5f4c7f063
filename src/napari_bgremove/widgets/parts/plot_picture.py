"""A plot as the bytes of a picture."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QBuffer, QIODevice, QRectF, Qt
from qtpy.QtGui import QImage, QPainter

__all__ = ["plot_picture"]


def plot_picture(plot: Any, *, scale: int = 2) -> bytes:
    """Render a plot widget of pyqtgraph on white, as PNG, `scale` times as large as on the screen.

    The picture is made as for a screen of that many pixels per point. The
    image exporter of pyqtgraph would only magnify the axes: the legend, and
    the width of the curves, would stay as small as they are.
    """
    from pyqtgraph.exporters import ImageExporter

    seen = plot.viewport().rect()
    picture = QImage(seen.size() * scale, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(scale)
    picture.fill(Qt.GlobalColor.white)
    exporter = ImageExporter(plot.scene())
    exporter.setExportMode(True, {"antialias": True})
    painter = QPainter(picture)
    try:
        plot.render(painter, QRectF(seen), seen)
    finally:
        painter.end()
        exporter.setExportMode(False)
    return _encode(picture)


def _encode(picture: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")
    return bytes(buffer.data().data())
