"""Separate: signal and background of what is on the screen, of a stack, of a folder; beside it as layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.layers
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.scripts import as_command, as_python_for_image
from napari_bgremove.io.bundled import BUNDLED_MODEL, name_bundled
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.frames import code_for_frame, file_to_name, saturation_of
from napari_bgremove.viewer_layers.geometry import frame_index
from napari_bgremove.widgets.batch_form import BatchForm
from napari_bgremove.widgets.batch_table import WALKING_KEYS
from napari_bgremove.widgets.batch_work import BatchWork
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.frame_work import FrameWork
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.bundled_button import BundledButton
from napari_bgremove.widgets.parts.device_choice import DeviceChoice
from napari_bgremove.widgets.parts.fields import make_button, make_section
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.parts.viewer_keys import bind_key
from napari_bgremove.widgets.separate_forms import OptionsForm
from napari_bgremove.widgets.shown_ledger import ShownLedger
from napari_bgremove.workspace import workspace_of

__all__ = ["SeparatePanel"]

BUTTON = "Separate this frame"


class SeparatePanel(Panel):
    """Take images apart with a trained network (Starke & Smid, "Application")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine = engine_of(napari_viewer)
        self.image_choice = LayerCombo(napari_viewer.layers, (napari.layers.Image,))
        self.workspace = workspace_of(napari_viewer)
        self.model_text = QLabel()
        self.model_text.setWordWrap(True)
        self.device = DeviceChoice(read_preferences().device)
        self.options = OptionsForm()
        self.ledger = ShownLedger()
        self.frame = FrameWork(napari_viewer, self.engine, self)
        self.batch_form = BatchForm()
        self.batch = BatchWork(napari_viewer, self.batch_form, self.make_job, self.message.show_error)
        self._lay_out()
        self._show_model()
        self.connections.connect(self.workspace.events.model_file, self._on_model_chosen)
        self.connections.connect(napari_viewer.dims.events.current_step, self._show_ledger)
        self.image_choice.layer_changed.connect(self._on_image_chosen)
        self._on_image_chosen(self.image_choice.layer)
        self.frame.ended.connect(self._on_frame_ended)
        for work in (self.frame, self.batch):
            work.measured.connect(self._on_measured)
        self.batch.file_shown.connect(self.ledger.show_frame)
        self.batch.failed.connect(self._say)
        self.batch_form.stack_requested.connect(self.separate_stack)
        self.batch_form.folder_requested.connect(self.separate_folder)
        self.batch_form.export_requested.connect(self.export_table)
        for key, by in WALKING_KEYS.items():
            unbind = bind_key(napari_viewer, key, self.show_next if by > 0 else self.show_previous)
            self.connections.at_the_end(unbind)

    @property
    def model_file(self) -> Path:
        """The model that separates."""
        return Path(self.workspace.model_file)

    @reports_errors
    def separate(self) -> None:
        """Separate the frame that is shown."""
        self._separate(view_only=False)

    @reports_errors
    def preview(self) -> None:
        """Separate only what of the frame is on the screen: a look, not a result."""
        self._separate(view_only=True)

    @reports_errors
    def separate_stack(self) -> None:
        """Separate every frame of the chosen image, in a process of its own."""
        self.batch.start_stack(self._needed_image())

    @reports_errors
    def separate_folder(self, folder: str | Path) -> None:
        """Separate every image of a folder, in a process of its own."""
        self.batch.start_folder(Path(folder))

    @reports_errors
    def export_table(self, path: str | Path) -> None:
        """Write the table of frames with what was accepted and rejected."""
        self.batch.export(path)
        self.message.show_text(f"The table is in {path}.")

    @reports_errors
    def choose_model(self, path: str | Path) -> None:
        """Take another model file."""
        self.workspace.model_file = str(path)

    def make_job(self, inputs: list[str], out: str, image: Any | None = None) -> SeparateJob:
        """Return what the panel says as a job for files; for those of an image, with what is known of it."""
        model = None if self.model_file == Path(BUNDLED_MODEL) else str(self.model_file)
        return SeparateJob(
            inputs=inputs, out=out, model=model, device=self.device.currentText(),
            saturation=None if image is None else saturation_of(image),
            kev_per_unit=self.options.kev_per_unit.value, residual=self.options.residual.isChecked(),
            **self.options.values,
        )  # fmt: skip

    def as_python(self) -> str:
        """Return a script that separates the shown frame."""
        image = self._needed_image()
        load = code_for_frame(image, frame_index(self.viewer, image))
        return as_python_for_image(load, self.make_job([], "", image))

    def as_command(self) -> str:
        """Return the command that separates the file of the image."""
        image = self._needed_image()
        return as_command(self.make_job([file_to_name(image)], "separated", image))

    def show_next(self) -> None:
        """Show the next frame of the table."""
        self.batch_form.table.step(1)

    def show_previous(self) -> None:
        """Show the frame before."""
        self.batch_form.table.step(-1)

    def ask_devices(self) -> None:
        """Ask the engine what it can compute on."""
        self.engine.ask("devices", self._on_devices)

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, ask for the truth about the devices."""
        super().showEvent(event)
        if not self.device.is_known:
            self.ask_devices()

    def _needed_image(self) -> Any:
        if self.image_choice.layer is None:
            msg = "There is no image: open one first."
            raise ValueError(msg)
        return self.image_choice.layer

    def _separate(self, *, view_only: bool) -> None:
        self.frame.start(
            self._needed_image(), model=str(self.model_file), device=self.device.currentText(),
            options=self.options.values, residual=self.options.residual.isChecked(),
            kev_per_unit=self.options.kev_per_unit.value, view_only=view_only,
        )  # fmt: skip
        self.button.setEnabled(False)
        self.button.setText("Separating...")

    def _on_frame_ended(self, sentence: str, details: str) -> None:
        self.button.setEnabled(True)
        self.button.setText(BUTTON)
        self._say(sentence, details)

    def _say(self, sentence: str, details: str) -> None:
        self.message.show_text(sentence, details=details)

    def _on_measured(self, layer: Any, index: tuple[int, ...], ledger: dict[str, Any]) -> None:
        self.ledger.remember(layer, index, ledger)
        self._show_ledger()

    def _on_image_chosen(self, layer: Any | None) -> None:
        self.connections.disconnect_by(self._on_data_replaced)
        if layer is not None:
            self.connections.connect(layer.events.data, self._on_data_replaced)
        self._show_ledger()

    def _on_data_replaced(self, event: Any) -> None:
        self.ledger.forget(event.source)
        self._show_ledger()

    def _show_ledger(self, _event: Any = None) -> None:
        image = self.image_choice.layer
        self.ledger.show_frame(image, () if image is None else frame_index(self.viewer, image))

    def _on_model_chosen(self, path: str) -> None:
        self._show_model()
        self.engine.ask("model", self._on_model_read, model=path)

    def _on_devices(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        self.device.show_devices(reply.values["devices"])

    def _on_model_read(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.workspace.model_file = str(BUNDLED_MODEL)
            self.message.show_text(reply.values["message"])
            return
        card = reply.values["card"]
        kind = "C4" if card["network"]["family"] == "c4_unet" else "plain"
        self._show_model(f"{kind}, tile {card['tile']}, {card['normalization']}")

    def _show_model(self, details: str = "") -> None:
        words = {"bundled": "the bundled model", "fast": "the fast bundled model"}
        name = words.get(name_bundled(self.model_file) or "", self.model_file.name)
        self.model_text.setText(f"{name}{f' ({details})' if details else ''}")
        self.model_text.setToolTip(str(self.model_file))

    def _ask_for_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter="Models (*.safetensors)")
        if path:
            self.choose_model(path)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self.image_choice)
        form.addRow("Model", self.model_text)
        bundled = BundledButton()
        bundled.chosen.connect(self.choose_model)
        form.addRow("", make_row(bundled, make_button("Choose...", self._ask_for_model)))
        form.addRow("Device", self.device)
        self.body.addLayout(form)
        self.body.addWidget(make_section("Options", self.options))
        self.body.addWidget(self.ledger)
        self.add_copies(python=self.as_python, command=self.as_command)
        self.batch_section = make_section("Stack or folder", self.batch_form)
        self.body.addWidget(self.batch_section)
        self.button = self.add_button(BUTTON, self.separate, tip="Adds or updates the result layers.")
        self.add_button("Preview the view", self.preview, tip="Only what is on the screen: faster on a large image.")
