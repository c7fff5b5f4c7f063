"""Spectra: sets of repeated shots, cleaned by classical methods or by a network, and judged by a calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_bgremove._validation import describe_duration
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_records import describe_record
from napari_bgremove.engine.spectra_scripts import cleaning_as_command, cleaning_as_python
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.preferences import read_preferences
from napari_bgremove.spectra.stationarity import Stationarity
from napari_bgremove.viewer_layers.spectra_layers import set_of_layer
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.spectra_calibrate_form import CalibrateForm
from napari_bgremove.widgets.spectra_clean_form import CleanForm
from napari_bgremove.widgets.spectra_cleanings import Cleaning, SpectraCleanings
from napari_bgremove.widgets.spectra_comparison import SpectraComparison
from napari_bgremove.widgets.spectra_loading import LoadedSet, SetLoader
from napari_bgremove.widgets.spectra_progress import CANCELLED
from napari_bgremove.widgets.spectra_set_form import NOTHING, SpectraSetForm
from napari_bgremove.widgets.spectra_training import SpectraTraining
from napari_bgremove.widgets.spectra_view import SpectraView
from napari_bgremove.workspace import workspace_of

__all__ = ["SpectraPanel"]

NO_SET = "Open spectra first: files with repeated shots of several targets."
COMPARING, CLEANING = "A comparison is going on; wait, or cancel it.", "A cleaning is going on; wait, or cancel it."
# The others are a matter of judgement, and the verdict says of which.
HOPELESS = ("too_few_targets",)


class SpectraPanel(Panel):
    """Background below repeated spectra of many targets (Castorena & Oyen)."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine = engine_of(napari_viewer)
        self.loaded: LoadedSet | None = None
        self.set_form, self.view = SpectraSetForm(napari_viewer.layers), SpectraView()
        self.clean_form, self.calibrate_form = CleanForm(device=read_preferences().device), CalibrateForm()
        self.training = SpectraTraining(self.message)
        self.loader = SetLoader(self)
        self.cleanings = SpectraCleanings(napari_viewer, self.engine, self)
        self.comparison = SpectraComparison(self.engine, self)
        self._lay_out()
        self._connect()

    @property
    def source(self) -> SpectraSource:
        """The set that is shown, with what is marked on it.

        Raises
        ------
        ValueError
            When there is none.
        """
        return self._needed_set().source.model_copy(update={"signal_bands": self.view.bands})

    @reports_errors
    def open(self, paths: tuple[str, ...]) -> None:
        """Read these files or folders as one set."""
        self.set_form.open(paths)

    @reports_errors
    def use_layer(self, layer: Any, path: str | Path) -> None:
        """Write the set that a layer shows to a file, and read it from there."""
        self.loader.write(str(path), set_of_layer(layer))

    @reports_errors
    def clean(self) -> None:
        """Take every spectrum of the set apart, as curves and as layers."""
        self._needed_set()
        self.cleanings.start(self.clean_form.how, self.view.bands)
        self.clean_form.progress.begin("Asking the engine...")
        self._enable()

    @reports_errors
    def cancel_cleaning(self) -> None:
        """Want the cleaning that goes on no more."""
        self.cleanings.cancel()
        self.clean_form.progress.say(CANCELLED)

    @reports_errors
    def train(self, folder: Path | None = None) -> None:
        """Start a training on the set, with its marks."""
        self.training.start(self.source, folder=folder)
        self.bring_into_view(self.training.view)

    @reports_errors
    def compare(self) -> None:
        """Calibrate on the raw spectra, on every cleaning with the marks of now, and on what is ticked."""
        made, ticked = self.cleanings.made, self.calibrate_form.ticked
        self.comparison.start(self._needed_set(), self.view.bands, made, ticked)
        self.calibrate_form.progress.begin("")
        self._enable()

    @reports_errors
    def cancel_comparison(self) -> None:
        """Want the comparison that goes on no more."""
        self.comparison.cancel()
        self.calibrate_form.progress.say(CANCELLED)

    @reports_errors
    def save_table(self, path: str | Path) -> None:
        """Write the table of calibrations as CSV."""
        self.calibrate_form.save(path)
        self.message.show_text(f"The table is in {path}.")

    def _needed_set(self) -> LoadedSet:
        if self.loaded is None:
            raise ValueError(NO_SET)
        return self.loaded

    def _on_set_changed(self) -> None:
        self.message.clear()
        source = self.set_form.source
        if source is not None:
            self.set_form.say("Reading...")
            self.loader.read(source)

    def _on_loaded(self, loaded: LoadedSet) -> None:
        self.loaded = loaded
        self.comparison.cancel()
        self.set_form.say(loaded.summary, "Judging the background...")
        lost = self.view.show_set(loaded)
        if lost:
            said = ", ".join(f"{low:.5g} to {high:.5g}" for low, high in lost)
            self.message.show_text(f"Marks that do not lie on this axis were taken away: {said}.")
        self.cleanings.take_set(loaded)
        self.calibrate_form.clear()
        self.clean_form.progress.say("")
        self.training.controls.enable(unless="")
        self._enable()

    def _on_judged(self, found: Stationarity) -> None:
        if self.loaded is not None:
            self.set_form.say(self.loaded.summary, found.message, warns=found.status not in ("stationary", "doubtful"))
            self.training.controls.enable(unless=found.message if found.status in HOPELESS else "")

    def _on_unreadable(self, error: Exception) -> None:
        self.set_form.say(self.loaded.summary if self.loaded is not None else NOTHING)
        self.message.show_error(error)

    def _on_written(self, path: str) -> None:
        self.open((path,))

    def _on_cleanings_changed(self) -> None:
        self.view.show_parts(self.cleanings.parts(self.view.bands))

    def _on_cleaned(self, cleaning: Cleaning) -> None:
        seconds = describe_duration(cleaning.record["seconds"])
        said = f"{cleaning.label}: {len(cleaning.signal)} spectra in {seconds}. {describe_record(cleaning.record)}"
        self.clean_form.progress.say(said.strip())

    def _on_cleaned_to_compare(self, label: str, done: int, count: int, seconds_left: float) -> None:
        self.calibrate_form.progress.show_progress(done, count, seconds_left, what=f"{label}: ")

    def _on_compared(self, columns: Any, points: Any, about: Any) -> None:
        self.calibrate_form.progress.say(" ".join(about["remarks"]))
        self.calibrate_form.show_result(columns, points, about)
        self.bring_into_view(self.calibrate_form.plot)

    def _on_devices(self, reply: Letter) -> None:
        if reply.kind != "failed":
            for choice in (self.clean_form.device, self.training.form.device):
                choice.show_devices(reply.values["devices"])

    def _enable(self) -> None:
        has_values = self.loaded is not None and self.loaded.spectra.composition is not None
        cleaning, comparing = self.cleanings.is_busy, self.comparison.is_busy
        self.clean_form.allow(is_there=self.loaded is not None, is_busy=cleaning, unless=COMPARING if comparing else "")
        self.calibrate_form.allow(has_values=has_values, is_busy=comparing, unless=CLEANING if cleaning else "")

    def _on_failed(self, values: Any) -> None:
        for form in (self.clean_form, self.calibrate_form):
            form.progress.say("")
        self.message.show_failure(values)

    def _ask_for_set_file(self, layer: Any) -> None:
        if layer is None:
            self.message.show_text("There is no image layer: open a sample, or a file.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save the set", f"{layer.name}.npz", "Sets of spectra (*.npz)")
        if path:
            self.use_layer(layer, path)

    def _ask_for_run(self) -> None:
        start = str(read_preferences().results_folder or "")
        path = QFileDialog.getExistingDirectory(self, "Choose the folder of the run", start)
        if path:
            self.training.attach(path)

    def showEvent(self, event: Any) -> None:
        """The first time it is seen, ask for the truth about the devices."""
        super().showEvent(event)
        if not self.clean_form.device.is_known:
            self.engine.ask("devices", self._on_devices)

    def _connect(self) -> None:
        self.set_form.changed.connect(self._on_set_changed)
        self.set_form.layer_requested.connect(self._ask_for_set_file)
        self.loader.loaded.connect(self._on_loaded)
        self.loader.judged.connect(self._on_judged)
        self.loader.written.connect(self._on_written)
        self.loader.failed.connect(self._on_unreadable)
        self.view.marked.connect(self._on_cleanings_changed)
        self.clean_form.clean_requested.connect(self.clean)
        self.clean_form.progress.cancel_requested.connect(self.cancel_cleaning)
        self.calibrate_form.progress.cancel_requested.connect(self.cancel_comparison)
        self.cleanings.changed.connect(self._on_cleanings_changed)
        self.cleanings.progressed.connect(self.clean_form.progress.show_progress)
        self.cleanings.made_one.connect(self._on_cleaned)
        self.comparison.progressed.connect(self._on_cleaned_to_compare)
        for work in (self.cleanings, self.comparison):
            work.ended.connect(self._enable)
            work.failed.connect(self._on_failed)
        self.cleanings.broke.connect(self.message.show_error)
        self.training.start_requested.connect(self.train)
        self.training.form.attach_requested.connect(self._ask_for_run)
        self.training.model_made.connect(self.clean_form.take_model)
        workspace = workspace_of(self.viewer)
        self.connections.connect(workspace.events.spectra_model_file, self.clean_form.take_model)
        if workspace.spectra_model_file:
            self.clean_form.take_model(workspace.spectra_model_file)
        self.comparison.compared.connect(self._on_compared)
        self.calibrate_form.compare_requested.connect(self.compare)
        self.calibrate_form.save_requested.connect(self.save_table)

    def _lay_out(self) -> None:
        for widget in (self.set_form, self.view, make_section("Clean", self.clean_form, is_open=True)):
            self.body.addWidget(widget)
        self.body.addWidget(make_section("Train a network", self.training))
        self.body.addWidget(make_section("Calibrate", self.calibrate_form))
        self.add_copies(
            python=lambda: cleaning_as_python(self.source, self.clean_form.how),
            command=lambda: cleaning_as_command(self.source, self.clean_form.how),
        )
