"""A plot has the colours of the window it lies in."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_bgremove.widgets.parts.profile_plot import ProfilePlot


def test_the_plot_follows_the_theme_and_its_changes(qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    plot = ProfilePlot(x_label="radius", y_label="mean")
    plot.set_curves({"shot": (np.arange(5.0), np.arange(5.0))})
    QVBoxLayout(window).addWidget(plot)
    window.show()
    for theme, is_dark in (("dark", True), ("light", False), ("dark", True)):
        window.setStyleSheet(get_stylesheet(theme))
        QApplication.processEvents()
        picture = plot.grab().toImage()
        lightness = [
            picture.pixelColor(x, y).lightness() for x in range(0, picture.width(), 3) for y in range(0, 60, 3)
        ]
        assert (np.median(lightness) < 128) == is_dark
        assert max(lightness) - min(lightness) > 100, "text and curves stand out"
        text = plot.palette().color(plot.foregroundRole()).name()
        assert [text in label.item.toHtml() for _, label in plot._legend.items] == [True]
