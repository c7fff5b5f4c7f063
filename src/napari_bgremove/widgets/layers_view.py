"""The hidden layers of one model or two: a table, and the spectrum of the layer that is chosen."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_bgremove.widgets.layers_inspection import SIDES, ModelLayers
from napari_bgremove.widgets.parts.layer_plot import GatePlot, LayerPlot, ShownLayer
from napari_bgremove.widgets.parts.layer_table import LayerTable
from napari_bgremove.widgets.parts.profile_plot import COLOURS

__all__ = ["LayersView"]

PLOT_HEIGHT = 200  # with the gate below it in sight on a laptop
# Of the model, and of the one it is compared with.
_COLOURS = (COLOURS[0], COLOURS[2])


class LayersView(QWidget):
    """Shows what it is given, and computes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._models: Mapping[str, ModelLayers] = {}
        self.table = LayerTable()
        self.side = QComboBox()
        for side, words in SIDES.items():
            self.side.addItem(words, side)
        self.side.setToolTip("Norms of the weights that lead into, or out of, each unit.")
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.plot = LayerPlot(height=PLOT_HEIGHT)
        self.gate = GatePlot(self.plot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(self._make_switches())
        for widget in (self.plot, self.gate, self.sentence):
            layout.addWidget(widget)
        self.table.layer_chosen.connect(lambda _: self._draw())
        self.side.currentIndexChanged.connect(lambda _: self._draw())

    def show_models(self, models: Mapping[str, ModelLayers]) -> None:
        """Show the layers of models by name, the first one in front."""
        self._models = models
        self.table.show_models({name: layers.rows for name, layers in models.items()})
        if not models:
            self._draw()

    def _draw(self) -> None:
        layer, side = self.table.layer, str(self.side.currentData())
        drawn = {name: layers.spectrum(layer, side) for name, layers in self._models.items()}
        shown = [
            ShownLayer(name, colour, spectrum)
            for (name, spectrum), colour in zip(drawn.items(), _COLOURS, strict=False)
            if spectrum is not None
        ]
        self.plot.show_layers(shown)
        self.gate.show_layers(shown)
        alone = len(shown) == 1
        self.sentence.setText("\n".join(f"{'' if alone else f'{each.name}: '}{each.drawn.sentence}" for each in shown))

    def _make_switches(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.side)
        for text, tip, switch, on in (
            ("Background", "Shirley's background of the layer, shaded.", self.plot.show_background, True),
            ("Net", "J - B, the residual: the peaks that are left.", self.plot.show_net, True),
            ("Units", "A stroke for each unit, at its energy.", self.plot.show_rug, True),
            ("Gate", "Share of background over the energy, and each unit on it.", self.gate.setVisible, True),
            ("Inspect", "A line follows the mouse and says what stands there.", self.plot.inspect, False),
        ):
            box = QCheckBox(text)
            box.setToolTip(tip)
            box.setChecked(on)
            box.toggled.connect(switch)
            row.addWidget(box)
        row.addStretch(1)
        return row
