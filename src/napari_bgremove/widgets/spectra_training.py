"""Train on the set that is shown, in a process that survives napari; the pinned spectrum of every epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bgremove.engine.jobs import TrainSpectraJob
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.preferences import read_preferences
from napari_bgremove.spectra.blocks import find_blocks
from napari_bgremove.widgets.leaving import LeavingQuestion
from napari_bgremove.widgets.panel import MessageLine, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.help_text import make_help
from napari_bgremove.widgets.parts.separations_plot import Parts, SeparationsPlot
from napari_bgremove.widgets.spectra_train_form import ABOUT, SpectraTrainForm
from napari_bgremove.widgets.training_controls import TrainingControls
from napari_bgremove.widgets.training_run import TrainingRun
from napari_bgremove.widgets.training_view import TrainingView

__all__ = ["SpectraTraining"]

NO_SET = "Open spectra first."
PINNED_HEIGHT = 200


class SpectraTraining(QWidget):
    """The form, the buttons, the curve and the pinned spectrum of a training on spectra.

    Attributes
    ----------
    start_requested : Signal
        The panel knows the set.
    model_made : Signal of str
        A model file to clean with.
    """

    start_requested = Signal()
    model_made = Signal(str)

    def __init__(self, message: MessageLine) -> None:
        super().__init__()
        self.message = message
        self.form = SpectraTrainForm(device=read_preferences().device)
        self.view = TrainingView(samples="triplets")
        self.run = TrainingRun(TrainSpectraJob, self)
        self.controls = TrainingControls(self.run, self.view, message)
        self.controls.enable(unless=NO_SET)
        self.pinned = SeparationsPlot(height=PINNED_HEIGHT)
        self.pinned.hide()
        self._pinned_axis: np.ndarray | None = None
        LeavingQuestion(self, self.run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(make_section("What is this?", make_help(ABOUT)))
        for widget in (self.form, self.controls, self.view, self.pinned):
            layout.addWidget(widget)
        self.controls.start_requested.connect(self.start_requested)
        self.controls.resume_requested.connect(self.resume)
        self.controls.model_made.connect(self.model_made)
        self.view.epoch_shown.connect(self._on_epoch_shown)

    def start(self, source: SpectraSource, *, folder: Path | None = None) -> None:
        """Start a training on a set with its marks; the run goes beside its files.

        Raises
        ------
        ValueError, ReadError
            When the recipe is none, or a file is gone.
        """
        first = Path(source.paths[0])
        place = read_preferences().results_folder or first.parent
        self.run.create(self.form.make_job(source), folder=folder, place=place)
        self._forget_pinned()
        self.controls.watch("starting...")

    @reports_errors
    def attach(self, path: str | Path) -> None:
        """Show a run: one that is going on, or one that has ended."""
        self.form.choose_where(self.run.attach(path))
        self._forget_pinned()
        self.controls.watch("reading what happened...")

    @reports_errors
    def resume(self) -> None:
        """Go on with the shown run from its newest model, on the device that is chosen."""
        if self.run.folder is not None:
            self.run.resume(**self.form.where)
            self.controls.watch("resuming...", anew=False)

    def _forget_pinned(self) -> None:
        self._pinned_axis = None
        self.pinned.hide()

    @reports_errors
    def _on_epoch_shown(self, epoch: int) -> None:
        run = self.run.folder
        if run is None or not run.preview(epoch).exists():
            return
        with np.load(run.preview(epoch), allow_pickle=False) as arrays:
            axis, measured = arrays["axis"], arrays["measured"]
            parts = Parts(arrays["predicted_signal"], arrays["predicted_background"])
        if self._pinned_axis is None or not np.array_equal(axis, self._pinned_axis):
            self._pinned_axis = axis
            breaks = [block.start for block in find_blocks(axis)[1:]]
            self.pinned.set_axis(axis, breaks=breaks, x_label="pinned spectrum", y_label="")
        self.pinned.show_spectrum(measured, {f"epoch {epoch + 1}": parts})
        self.pinned.show()
