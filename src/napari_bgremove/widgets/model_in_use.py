"""The model that separates: its card, and what can be asked of it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.bundled_button import BundledButton
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.model_card import ModelCard
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.workspace import Workspace

__all__ = ["ModelInUse"]

# Rounding alone stays below.
EQUIVARIANT = 1e-4


class ModelInUse(QWidget):
    """Shows the card of the workspace's model, whoever has chosen it."""

    load_requested = Signal()
    equivariance_requested = Signal()
    said = Signal(str)
    failed = Signal(object)  # what an engine answers when it failed

    def __init__(self, engine: EngineLink, workspace: Workspace) -> None:
        super().__init__()
        self._engine, self._workspace = engine, workspace
        self._asked = 0  # number of the newest question
        self.card = ModelCard()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.card)
        bundled = BundledButton()
        bundled.chosen.connect(self.use)
        layout.addLayout(
            make_row(
                make_button("Load model...", self.load_requested.emit),
                bundled,
                make_button("Equivariant?", self.equivariance_requested.emit, tip="Turn, predict and compare."),
            )
        )

    @property
    def is_known(self) -> bool:
        """True once somebody has asked for the card."""
        return self._asked > 0

    def use(self, path: str | Path) -> None:
        """Separate with this file from now on."""
        if self._workspace.model_file == str(path):
            self.show_model(str(path))  # its content may be another by now
        else:
            self._workspace.model_file = str(path)

    def show_model(self, path: str) -> None:
        """Ask the engine for the card of a file, which reads and checks all of it."""
        self._asked = self._engine.ask("model", self._on_read, model=path)

    def check_equivariance(self) -> None:
        """Turn, predict and compare."""
        self._engine.ask("equivariance", self._on_turned, model=self._workspace.model_file)

    def _on_read(self, reply: Letter) -> None:
        if reply.number != self._asked:
            return  # another model was chosen meanwhile
        if reply.kind != "failed":
            self.card.show_model(reply.values)
            return
        self.failed.emit(reply.values)
        if reply.values["error"] == "ModelFileError":
            self._workspace.model_file = str(BUNDLED_MODEL)

    def _on_turned(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.failed.emit(reply.values)
            return
        error = reply.values["error"]
        verdict = "exactly equivariant" if error < EQUIVARIANT else "not equivariant"
        self.said.emit(f"Turned by 90, 180 and 270 degrees: largest difference {error:.1e}; {verdict}.")
