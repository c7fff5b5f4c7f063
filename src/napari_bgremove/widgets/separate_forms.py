"""How the network is applied."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget

from napari_bgremove.preferences import read_preferences
from napari_bgremove.widgets.parts.fields import OptionalNumber

__all__ = ["OptionsForm"]

AS_TRAINED = "as trained"


class OptionsForm(QWidget):
    """How the network is applied."""

    def __init__(self) -> None:
        super().__init__()
        self.normalization, self.merge = QComboBox(), QComboBox()
        self.normalization.addItems([AS_TRAINED, "conserving", "literal"])
        self.merge.addItems([AS_TRAINED, "weighted", "median", "mean"])
        self.merge.setToolTip("How the predictions of the four grids become one.")
        self.padded = QCheckBox("Four predictions everywhere")
        self.padded.setToolTip("Off: the four grids as published, which leave the rim with fewer.")
        self.padded.setChecked(True)
        self.residual = QCheckBox("Also the residual")
        known = read_preferences().kev_per_unit
        self.kev_per_unit = OptionalNumber("keV per unit", known or 1.0, decimals=4, tip="The ledger is then in keV.")
        self.kev_per_unit.tick.setChecked(known is not None)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Normalisation", self.normalization)
        form.addRow("Merge", self.merge)
        for row in (self.padded, self.residual):
            form.addRow(row)
        form.addRow(self.kev_per_unit)

    @property
    def values(self) -> dict[str, Any]:
        """What differs from how the model was trained."""
        chosen = {"normalization": self.normalization.currentText(), "merge": self.merge.currentText()}
        return {name: text for name, text in chosen.items() if text != AS_TRAINED} | {"padded": self.padded.isChecked()}
