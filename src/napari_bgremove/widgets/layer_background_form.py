"""Whether a training also removes the background of hidden layers, and how strongly."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_bgremove.spectra.layer_background import LayerBackground
from napari_bgremove.widgets.parts.help_text import make_help
from napari_bgremove.widgets.recipe_form import RecipeForm

__all__ = ["LayerBackgroundForm"]

FIRST = ("strength", "gate", "units")
TIP = (
    "The weak units of hidden layers are shrunk while the network learns, so that more passes through fewer of them; "
    "the panel Layers shows them, and takes them out."
)
ABOUT = (
    "Adds <i>strength x R</i> to the loss, R the background energy of all hidden layers (A. Qajar, "
    "<i>Gaussian-Lorentzian Layer Background Removal</i>). A good strength depends on the size of the loss: 0.02 for "
    "one of order one, less for a smaller one. The curve above shows R, the layer SNR and the share of small units."
)


class LayerBackgroundForm(QWidget):
    """A tick box; the numbers of the term show while it is ticked."""

    def __init__(self) -> None:
        super().__init__()
        self.tick = QCheckBox("Layer background removal")
        self.tick.setToolTip(TIP)
        self._numbers = RecipeForm(LayerBackground, LayerBackground(), first=FIRST)
        self._shown = QWidget()
        inner = QVBoxLayout(self._shown)
        inner.setContentsMargins(16, 0, 0, 0)  # what is ticked stands below its box
        inner.addWidget(make_help(ABOUT))
        inner.addWidget(self._numbers)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tick)
        layout.addWidget(self._shown)
        self._shown.hide()
        self.tick.toggled.connect(self._shown.setVisible)

    @property
    def term(self) -> LayerBackground | None:
        """What is filled in; None while it is not ticked.

        Raises
        ------
        ValueError
            When a number lies outside its range.
        """
        return self._numbers.recipe if self.tick.isChecked() else None

    def field(self, name: str) -> Any:
        """Return the magicgui widget of a number of the term."""
        return self._numbers.field(name)
