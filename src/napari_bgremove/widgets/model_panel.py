"""Train or load: a network learns while its curve and a pinned patch show what it has learnt."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit

from napari_bgremove._validation import describe_duration
from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.launch import start_detached
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.scripts import as_command, as_python
from napari_bgremove.preferences import read_preferences
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.viewer_layers.results import put_image
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.device_choice import DeviceChoice
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.recipe_form import RecipeForm
from napari_bgremove.widgets.run_follower import RunFollower
from napari_bgremove.widgets.training_view import TrainingView
from napari_bgremove.workspace import workspace_of

__all__ = ["ModelPanel"]

FIRST = ("preset", "topology", "epochs", "batch_size", "learning_rate", "seed")
# Decided when patches are cut, or when the network is applied.
ELSEWHERE = ("patch", "signal_patches", "background_patches", "mask_grow", "merge", "padded")
START = SaxsUnetRecipe(preset="tiny", epochs=20, batch_size=8, learning_rate=1e-3, warmup_steps=100)
PREVIEW = "Pinned patch (input | signal | background | their truth below)"


class ModelPanel(Panel):
    """Trains in a process that survives napari (Starke & Smid, "Training")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine, self.workspace = engine_of(napari_viewer), workspace_of(napari_viewer)
        self.patches = QLineEdit(self.workspace.patch_folder)
        self.patches.setPlaceholderText("folder with signal.npz and background.npz")
        self.form = RecipeForm(SaxsUnetRecipe, START, first=FIRST, leave_out=ELSEWHERE)
        self.device = DeviceChoice(read_preferences().device)
        self.precision = QComboBox()
        self.precision.addItems(["float32", "bfloat16"])
        self.view = TrainingView()
        self.follower = RunFollower(self)
        self._run: RunFolder | None = None
        self._lay_out()
        self.follower.happened.connect(self.view.show_events)
        self.follower.ended.connect(self._on_ended)
        self.view.epoch_shown.connect(self._on_epoch_chosen)
        self.view.epoch_used.connect(self.use_epoch)
        self.connections.connect(self.workspace.events.patch_folder, self._on_patches_saved)
        self._enable()

    @reports_errors
    def estimate(self) -> None:
        """Ask the engine how long a step takes."""
        self.message.show_text("Timing three training steps...")
        self.engine.ask(
            "estimate", self._on_estimated, recipe=self.form.recipe.to_dict(), device=self.device.currentText(),
            precision=self.precision.currentText(),
        )  # fmt: skip

    def make_job(self) -> TrainJob:
        """Return the training that the panel describes."""
        source = Path(self.patches.text())
        return TrainJob(
            recipe=self.form.recipe, signal=str(source / "signal.npz"), background=str(source / "background.npz"),
            device=self.device.currentText(), precision=self.precision.currentText(),  # type: ignore[arg-type]
        )  # fmt: skip

    @reports_errors
    def start(self, folder: str | Path | None = None) -> None:
        """Start a training in a process of its own."""
        job = self.make_job()
        for file in (job.signal, job.background):
            if not Path(file).is_file():
                msg = f"'{file}' is not there: extract patches and save them, or choose their folder."
                raise ValueError(msg)
        place = read_preferences().results_folder or Path(job.signal).parent
        run = RunFolder(Path(folder or _new_folder(place)))
        run.create(job.model_dump_json(indent=1))
        self.attach(run.path, process=_start(run))

    @reports_errors
    def attach(self, path: str | Path, *, process: int | None = None) -> None:
        """Show a run: one that is going on, or one that has ended; `process` is the one just started for it."""
        run = RunFolder(Path(path))
        job = read_job(run.job)
        if not isinstance(job, TrainJob):
            msg = f"'{run.path.name}' is no training."
            raise ValueError(msg)
        self.follower.leave()
        self._run = run
        self.workspace.run_folder = str(run.path)
        self.view.start_anew(f"{run.path.name}: starting...")
        self.follower.follow(run, process=process)
        self._enable()

    @reports_errors
    def resume(self) -> None:
        """Go on with the shown run from its newest model."""
        if self._run is not None:
            process = _start(self._run)
            self.view.status.setText(f"{self._run.path.name}: resuming...")
            self.follower.follow(self._run, from_start=False, process=process)
            self._enable()

    @reports_errors
    def stop(self) -> None:
        """Ask the run to stop after its step; a loadable model is kept."""
        if self._run is not None:
            self._run.ask_to_stop()
            self.view.status.setText("Stopping... the newest model is kept.")
            self.stop_button.setEnabled(False)

    @reports_errors
    def pause(self) -> None:
        """Let the run wait after its step, or go on."""
        if self._run is not None:
            waits = not self._run.pause_asked
            self._run.ask_to_pause(on=waits)
            self.pause_button.setText("Go on" if waits else "Pause")
            self.view.status.setText("Pausing..." if waits else "Going on...")

    @reports_errors
    def use_epoch(self, epoch: int) -> None:
        """Separate with the weights of an epoch, counted from 0."""
        if self._run is None:
            return
        path = self._run.epoch_model(epoch)
        if not path.exists():
            kept = ", ".join(str(epoch + 1) for epoch in self._run.kept_epochs())
            self.message.show_text(f"The weights of this epoch were not kept; kept are {kept}.")
            return
        self.use_model(path)

    @reports_errors
    def use_model(self, path: str | Path) -> None:
        """Separate with a model file."""
        self.workspace.model_file = str(path)
        self.engine.ask("model", self._on_model_read, model=str(path))

    @reports_errors
    def check_equivariance(self) -> None:
        """Turn, predict and compare, with the model that is in use."""
        self.engine.ask("equivariance", self._on_equivariance, model=self.workspace.model_file)

    def _on_patches_saved(self, folder: str) -> None:
        self.patches.setText(folder)

    def _on_estimated(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        seconds = reply.values["seconds_per_step"]
        samples = reply.values["batch"] / seconds
        self.message.show_text(
            f"{samples:.3g} patches/s: {describe_duration(60 / samples * 1000 / 60)} per 1000 patches."
        )

    def _on_model_read(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        card = reply.values["card"]
        trained = card["provenance"].get("trained_on") or card["recipe"].get("preset", "")
        self.message.show_text(f"In use: {Path(reply.values['file']).name}; self-test passed; {trained}")

    def _on_equivariance(self, reply: Letter) -> None:
        if reply.kind == "failed":
            self.message.show_text(reply.values["message"])
            return
        error = reply.values["error"]
        verdict = "exactly equivariant" if error < 1e-4 else "not equivariant"
        self.message.show_text(f"Turned by 90, 180 and 270 degrees: largest difference {error:.1e}; {verdict}.")

    def _on_ended(self, how: str, sentence: str) -> None:
        words = {
            "finished": "finished", "stopped": "stopped; resume goes on", "failed": "failed", "lost": "was lost",
        }  # fmt: skip
        self.view.status.setText(f"Training {words.get(how, how)}.")
        self._on_epoch_chosen(self.view.epoch_slider.value())  # written after the event that told of it
        if sentence:
            self.message.show_text(sentence)
        if self._run is not None and self._run.best.exists() and how in ("finished", "stopped"):
            self.workspace.model_file = str(self._run.best)
        self._enable()

    def _on_epoch_chosen(self, epoch: int) -> None:
        if self._run is None or not self._run.preview(epoch).exists():
            return
        self.view.epoch_text.setText(f"epoch {epoch + 1}")
        with np.load(self._run.preview(epoch), allow_pickle=False) as file:
            rows = [["measured", "predicted_signal", "predicted_background"], ["measured", "signal", "background"]]
            picture = np.concatenate([np.concatenate([file[name] for name in row], axis=1) for row in rows])
        put_image(self.viewer, PREVIEW, picture, role="pinned", colormap="magma", contrast_limits=(0, 1))

    def _on_devices(self, reply: Letter) -> None:
        if reply.kind != "failed":
            self.device.show_devices(reply.values["devices"])

    def _enable(self) -> None:
        busy = self.follower.is_following
        self.start_button.setEnabled(not busy)
        self.stop_button.setEnabled(busy)
        self.pause_button.setEnabled(busy)
        self.pause_button.setText("Go on" if busy and self._run is not None and self._run.pause_asked else "Pause")
        self.resume_button.setEnabled(not busy and self._run is not None)
        self.start_button.setToolTip("A training is going on; stop it first." if busy else "In a process of its own.")

    def _ask_for(self, what: str) -> None:
        if what == "model":
            path, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter="Models (*.safetensors)")
        else:
            start = str(read_preferences().results_folder or "")
            path = QFileDialog.getExistingDirectory(self, f"Choose the folder of the {what}", start)
        if path and what == "model":
            self.use_model(path)
        elif path and what == "run":
            self.attach(path)
        elif path:
            self.patches.setText(path)

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, ask for the truth about the devices."""
        super().showEvent(event)
        if not self.device.is_known:
            self.engine.ask("devices", self._on_devices)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Patches", _row(self.patches, make_button("...", lambda: self._ask_for("patches"))))
        self.estimate_button = make_button("How long?", self.estimate, tip="Time three steps before starting.")
        form.addRow("Device", _row(self.device, self.precision, self.estimate_button))
        self.body.addLayout(form)
        self.body.addWidget(self.form)
        files = _row(
            make_button("Load model...", lambda: self._ask_for("model")),
            make_button("Attach to run...", lambda: self._ask_for("run")),
            make_button("Equivariant?", self.check_equivariance),
        )
        self.body.addLayout(files)
        self.add_copies(
            python=lambda: as_python(self.make_job(), out="run"), command=lambda: as_command(self.make_job(), out="run")
        )
        self.body.addWidget(self.view)
        self.start_button = self.add_button("Start", self.start)
        self.pause_button = self.add_button("Pause", self.pause, tip="Wait after the step at hand, processors free.")
        self.stop_button = self.add_button("Stop", self.stop, tip="After the step at hand; a model is kept.")
        self.resume_button = self.add_button("Resume", self.resume, tip="Go on from the newest model.")


def _new_folder(place: Path) -> Path:
    """Return a folder called after the time; two panels may start in the same second."""
    name = time.strftime("run-%Y%m%d-%H%M%S")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(folder for folder in (place / name for name in names) if not folder.exists())


def _start(run: RunFolder) -> int:
    """Start a run beside a window, which needs a core of its own."""
    return start_detached(run, threads=read_preferences().engine_threads)


def _row(*widgets: Any) -> QHBoxLayout:
    row = QHBoxLayout()
    for number, widget in enumerate(widgets):
        row.addWidget(widget, 1 if number == 0 else 0)
    return row
