"""Start, pause, stop and resume a training: the buttons of every panel that trains."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_bgremove.widgets.panel import MessageLine, reports_errors
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.training_run import TrainingRun
from napari_bgremove.widgets.training_view import TrainingView

__all__ = ["TrainingControls"]

STOP, END_NOW = "Stop", "End now"
STOP_TIP = "After the step at hand; a model is kept."
END_NOW_TIP = "Ends its process at once; the newest checkpoint is kept and can be resumed."
GOING_ON = "A training is going on; stop it first."
ENDINGS = {"finished": "finished", "stopped": "stopped; resume goes on", "failed": "failed", "lost": "was lost"}


class TrainingControls(QWidget):
    """What a person does with a run while the view shows how it goes.

    Parameters
    ----------
    training : TrainingRun
    view : TrainingView
    message : MessageLine
        Says what went wrong.

    Attributes
    ----------
    start_requested, resume_requested : Signal
        The panel knows with what.
    model_made : Signal of str
        The best model of a run that has ended, or that of the epoch a person has chosen.
    """

    start_requested = Signal()
    resume_requested = Signal()
    model_made = Signal(str)

    def __init__(self, training: TrainingRun, view: TrainingView, message: MessageLine) -> None:
        super().__init__()
        self.message = message
        self._training, self._view, self._reason = training, view, ""
        self.start_button = make_button("Start", self.start_requested.emit)
        self.pause_button = make_button("Pause", self.pause, tip="Wait after the step at hand, processors free.")
        self.stop_button = make_button(STOP, self.stop)
        self.resume_button = make_button("Resume", self.resume_requested.emit, tip="Go on from the newest model.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.start_button, self.pause_button, self.stop_button, self.resume_button):
            row.addWidget(button)
        training.follower.happened.connect(view.show_events)
        training.follower.ended.connect(self._on_ended)
        training.grace_over.connect(self._on_grace_over)
        view.epoch_used.connect(self.use_epoch)
        self.enable()

    def watch(self, status: str, *, anew: bool = True) -> None:
        """Show what happens in the run that was just taken; `anew`: from its first event on."""
        run = self._training.folder
        assert run is not None
        if anew:
            self._view.start_anew()
        self._view.say(f"{run.path.name}: {status}")
        self._training.follow(from_start=anew)
        self.enable()

    @reports_errors
    def stop(self) -> None:
        """Ask the run to stop after its step; a loadable model is kept. Who has waited long enough may end it."""
        if self.stop_button.text() == END_NOW:
            self._training.end_now()
            self._view.say("Ending...", stays=True)
        elif self._training.folder is not None:
            self._training.stop()
            self._view.say("Stopping... the newest model is kept.", stays=True)
        self.stop_button.setEnabled(False)

    @reports_errors
    def pause(self) -> None:
        """Let the run wait after its step, or go on."""
        if self._training.folder is not None:
            waits = self._training.pause()
            self.pause_button.setText("Go on" if waits else "Pause")
            self._view.say("Pausing..." if waits else "Going on...")

    @reports_errors
    def use_epoch(self, epoch: int) -> None:
        """Take the model of an epoch, counted from 0."""
        run = self._training.folder
        if run is None:
            return
        if run.epoch_model(epoch).exists():
            self.model_made.emit(str(run.epoch_model(epoch)))
            return
        kept = ", ".join(str(number + 1) for number in run.kept_epochs())
        self.message.show_text(f"The weights of this epoch were not kept; kept are {kept}.")

    def enable(self, *, unless: str | None = None) -> None:
        """Offer what can be done now; `unless` says why no run can start, until it is said anew."""
        self._reason = self._reason if unless is None else unless
        busy = self._training.is_going_on
        self.start_button.setEnabled(not busy and not self._reason)
        self.start_button.setToolTip(GOING_ON if busy else self._reason or "In a process of its own.")
        self.stop_button.setText(STOP)
        self.stop_button.setToolTip(STOP_TIP)
        self.stop_button.setEnabled(busy)
        self.pause_button.setEnabled(busy)
        self.pause_button.setText("Go on" if self._training.is_paused else "Pause")
        self.resume_button.setEnabled(not busy and self._training.folder is not None)

    def _on_ended(self, how: str, sentence: str, details: str) -> None:
        self._view.say(f"Training {ENDINGS.get(how, how)}.")
        self._view.show_epoch()
        if sentence:
            self.message.show_text(sentence, details=details)
        run = self._training.folder
        if run is not None and run.best.exists() and how in ("finished", "stopped"):
            self.model_made.emit(str(run.best))
        self.enable()

    def _on_grace_over(self) -> None:
        self._view.say("Stopping... it is still busy. End now would keep its newest checkpoint.", stays=True)
        self.stop_button.setText(END_NOW)
        self.stop_button.setToolTip(END_NOW_TIP)
        self.stop_button.setEnabled(True)
