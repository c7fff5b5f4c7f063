"""Separate: signal and background of what is on the screen, beside it as layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.viewer_layers.geometry import current_frame, frame_index
from napari_bgremove.viewer_layers.results import put_separation
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import OptionalNumber, make_section
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.workspace import workspace_of

__all__ = ["SeparatePanel"]

AS_TRAINED = "as trained"


class SeparatePanel(Panel):
    """Take the shown frame apart with a trained network (Starke & Smid, "Application")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine = engine_of(napari_viewer)
        self.image_choice = LayerCombo(napari_viewer.layers, (napari.layers.Image,))
        self.workspace = workspace_of(napari_viewer)
        self.model_text = QLabel()
        self.model_text.setWordWrap(True)
        self.device = QComboBox()
        self.device.addItem("auto")
        self.options = OptionsForm()
        self.ledger = QLabel()
        self.ledger.setWordWrap(True)
        self._asked: tuple[Any, tuple[int, ...]] | None = None
        self._lay_out()
        self._show_model()
        self.connections.connect(self.workspace.events.model_file, self._on_model_chosen)

    @reports_errors
    def separate(self) -> None:
        """Separate the frame that is shown."""
        image = self.image_choice.layer
        if image is None:
            self.message.show_text("There is no image: open one first.")
            return
        self._asked = image, frame_index(self.viewer, image)
        self.button.setEnabled(False)
        self.button.setText("Separating...")
        self.engine.ask(
            "separate", self._on_separated, arrays={"image": np.asarray(current_frame(self.viewer, image))},
            model=str(self.model_file), device=self.device.currentText(), **self.options.values,
        )  # fmt: skip

    @reports_errors
    def choose_model(self, path: str | Path) -> None:
        """Take another model file."""
        self.workspace.model_file = str(path)

    @property
    def model_file(self) -> Path:
        """The model that separates."""
        return Path(self.workspace.model_file)

    def _on_model_chosen(self, path: str) -> None:
        self._show_model()
        self.engine.ask("model", self._on_model_read, model=path)

    def ask_devices(self) -> None:
        """Ask the engine what it can compute on."""
        self.engine.ask("devices", self._on_devices)

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, ask for the truth about the devices."""
        super().showEvent(event)
        if self.device.count() == 1:
            self.ask_devices()

    def _on_devices(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        for name, text in reply.values["devices"].items():
            if self.device.findText(name) < 0:
                self.device.addItem(name)
                self.device.setItemData(self.device.count() - 1, text, 3)  # tool tip
        self.device.setToolTip("\n".join(f"{n}: {t}" for n, t in reply.values["devices"].items()))

    def _on_model_read(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.workspace.model_file = str(BUNDLED_MODEL)
            self.message.show_text(reply.values["message"])
            return
        card = reply.values["card"]
        kind = "C4" if card["network"]["family"] == "c4_unet" else "plain"
        self._show_model(f"{kind}, tile {card['tile']}, {card['normalization']}")

    def _on_separated(self, reply: Letter) -> None:
        self.button.setEnabled(True)
        self.button.setText("Separate this frame")
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        image, index = self._asked or (None, ())
        if image is None or image not in self.viewer.layers:
            self.message.show_text("The image is gone; its result was dropped.")
            return
        parts = {name: reply.arrays[name] for name in ("background", "signal", "uncertainty")}
        if self.options.residual.isChecked():
            parts["residual"] = reply.arrays["measured"] - parts["signal"] - parts["background"]
        record = {
            "method": "saxs_unet", "model": reply.values["file"], "tensors_sha256": reply.values["sha256"],
            "frame": list(index), "options": self.options.values, "ledger": reply.values["ledger"],
        }  # fmt: skip
        put_separation(self.viewer, image, parts, record=record)
        self._show_ledger(reply.values["ledger"], reply.values["seconds"])

    def _show_ledger(self, ledger: dict[str, float], seconds: float) -> None:
        kev = self.options.kev_per_unit.value or 1.0
        unit = "keV" if self.options.kev_per_unit.value else "in the unit of the image"
        lines = [f"{name}: {ledger[name] * kev:,.6g}" for name in ("measured", "signal", "background", "residual")]
        self.ledger.setText(
            "\n".join([*lines, f"({unit}; measured = signal + background + residual; {seconds:.1f} s)"])
        )

    def _show_model(self, details: str = "") -> None:
        name = "the bundled model" if self.model_file == Path(BUNDLED_MODEL) else self.model_file.name
        self.model_text.setText(f"{name}{f' ({details})' if details else ''}")
        self.model_text.setToolTip(str(self.model_file))

    def _ask_for_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter="Models (*.safetensors)")
        if path:
            self.choose_model(path)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self.image_choice)
        row = QHBoxLayout()
        row.addWidget(self.model_text, 1)
        choose = QPushButton("Choose...")
        choose.clicked.connect(self._ask_for_model)
        row.addWidget(choose)
        form.addRow("Model", row)
        form.addRow("Device", self.device)
        self.body.addLayout(form)
        self.body.addWidget(make_section("Options", self.options))
        self.body.addWidget(self.ledger)
        self.button = self.add_button("Separate this frame", self.separate, tip="Adds or updates the result layers.")


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
        self.kev_per_unit = OptionalNumber("keV per unit", 1.0, decimals=4, tip="The ledger is then in keV.")
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
