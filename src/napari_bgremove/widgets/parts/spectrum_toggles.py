"""Which curves of a spectrum plot are shown: a row of tick boxes."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from napari_bgremove.widgets.parts.spectrum_plot import SpectrumPlot

__all__ = ["SpectrumToggles"]


class SpectrumToggles(QWidget):
    """Tick boxes that switch the curves of one plot."""

    def __init__(self, plot: SpectrumPlot) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, tip, switch, on in (
            ("Raw", "What was measured.", plot.show_raw, True),
            ("Denoised", "What is left without the noise, where a method is chosen.", plot.show_denoised, True),
            ("Background", "Every background that was asked for.", plot.show_background, True),
            ("Net", "What is left above the first background.", plot.show_net, True),
            ("± sigma", "Standard error of what was measured.", plot.show_ribbon, True),
            ("Inspect", "A line follows the mouse and says what the curves are there.", plot.inspect, False),
        ):
            box = QCheckBox(text)
            box.setToolTip(tip)
            box.setChecked(on)
            box.toggled.connect(switch)
            row.addWidget(box)
        row.addStretch(1)
