"""Train or load: a network learns while its curve and a pinned patch show what it has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.scripts import as_command, as_python
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.pinned_patch import show_pinned_patch
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.leaving import LeavingQuestion
from napari_bgremove.widgets.model_in_use import ModelInUse
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_button, make_section
from napari_bgremove.widgets.parts.help_text import make_help
from napari_bgremove.widgets.train_form import ABOUT, TrainForm, describe_estimate
from napari_bgremove.widgets.training_controls import TrainingControls
from napari_bgremove.widgets.training_run import TrainingRun
from napari_bgremove.widgets.training_view import TrainingView
from napari_bgremove.workspace import workspace_of

__all__ = ["ModelPanel"]


class ModelPanel(Panel):
    """Trains in a process that survives napari (Starke & Smid, "Neural network")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine, self.workspace = engine_of(napari_viewer), workspace_of(napari_viewer)
        self.form = TrainForm(patches=self.workspace.patch_folder, device=read_preferences().device)
        self.patches, self.device = self.form.patches, self.form.device
        self.model = ModelInUse(self.engine, self.workspace)
        self.card = self.model.card
        self.view = TrainingView()
        self.training = TrainingRun(TrainJob, self)
        self.follower = self.training.follower
        self.controls = TrainingControls(self.training, self.view, self.message)
        self.start_button, self.stop_button = self.controls.start_button, self.controls.stop_button
        LeavingQuestion(self, self.training)
        self._lay_out()
        self.form.estimate_requested.connect(self.estimate)
        self.form.patches_requested.connect(lambda: self._ask_for("patches"))
        self.model.load_requested.connect(lambda: self._ask_for("model"))
        self.model.equivariance_requested.connect(self.check_equivariance)
        self.model.said.connect(self.message.show_text)
        self.model.failed.connect(self.message.show_failure)
        self.controls.start_requested.connect(self.start)
        self.controls.resume_requested.connect(self.resume)
        self.controls.model_made.connect(self.model.use)
        self.view.epoch_shown.connect(self._on_epoch_shown)
        self.connections.connect(self.workspace.events.patch_folder, self.form.take_patches)
        self.connections.connect(self.workspace.events.model_file, self.model.show_model)

    @reports_errors
    def estimate(self) -> None:
        """Ask the engine how long this training takes."""
        job = self.make_job().model_dump(mode="json")
        self.message.show_text("Timing three training steps...")
        self.engine.ask("estimate", self._on_estimated, job=job)

    def make_job(self) -> TrainJob:
        """Return the training that the panel describes."""
        return self.form.job

    @reports_errors
    def start(self, folder: str | Path | None = None) -> None:
        """Start a training in a process of its own."""
        job = self.make_job()
        place = read_preferences().results_folder or Path(job.signal).parent
        self.training.create(job, folder=folder, place=place)
        self._watch("starting...")

    @reports_errors
    def attach(self, path: str | Path) -> None:
        """Show a run: one that is going on, or one that has ended."""
        job = self.training.attach(path)
        self.message.show_text(self.form.choose_where(job))
        self._watch("reading what happened...")

    @reports_errors
    def resume(self) -> None:
        """Go on with the shown run from its newest model, on the device that is chosen."""
        if self.training.folder is not None:
            self.training.resume(**self.form.where)
            self._watch("resuming...", anew=False)

    def stop(self) -> None:
        """Ask the run to stop after its step, or end it when it was asked before."""
        self.controls.stop()

    def pause(self) -> None:
        """Let the run wait after its step, or go on."""
        self.controls.pause()

    @reports_errors
    def use_model(self, path: str | Path) -> None:
        """Separate with a model file."""
        self.model.use(path)

    @reports_errors
    def check_equivariance(self) -> None:
        """Turn, predict and compare, with the model that is in use."""
        self.model.check_equivariance()

    def _watch(self, status: str, *, anew: bool = True) -> None:
        """Show what happens in the run that was just taken; `anew`: from its first event on."""
        run = self.training.folder
        assert run is not None
        self.workspace.run_folder = str(run.path)
        self.controls.watch(status, anew=anew)
        self.bring_into_view(self.view)

    def _on_estimated(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_failure(reply.values)
        else:
            self.message.show_text(describe_estimate(reply.values))

    def _on_epoch_shown(self, epoch: int) -> None:
        run = self.training.folder
        if run is not None and run.preview(epoch).exists():
            show_pinned_patch(self.viewer, run.preview(epoch))

    def _on_devices(self, reply: Letter) -> None:
        if reply.kind != "failed":
            self.device.show_devices(reply.values["devices"])

    def _ask_for(self, what: str) -> None:
        if what == "model":
            path, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter="Models (*.safetensors)")
        else:
            start = str(read_preferences().results_folder or "")
            path = QFileDialog.getExistingDirectory(self, f"Choose the folder of the {what}", start)
        take = {"model": self.use_model, "run": self.attach, "patches": self.form.take_patches}[what]
        if path:
            take(path)

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, ask for the truth about the devices and the model in use."""
        super().showEvent(event)
        if not self.device.is_known:
            self.engine.ask("devices", self._on_devices)
        if not self.model.is_known:
            self.model.show_model(self.workspace.model_file)

    def _lay_out(self) -> None:
        self.body.addWidget(make_section("What is this?", make_help(ABOUT)))
        self.body.addWidget(self.form)
        self.body.addWidget(self.view)
        self.body.addWidget(make_section("Model in use", self.model, is_open=True))
        self.attach_button = make_button("Attach to run...", lambda: self._ask_for("run"))
        self.body.addWidget(self.attach_button)
        self.add_copies(
            python=lambda: as_python(self.make_job(), out="run"), command=lambda: as_command(self.make_job(), out="run")
        )
        self.buttons.addWidget(self.controls)
