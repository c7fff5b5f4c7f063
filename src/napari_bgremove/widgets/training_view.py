"""How a training goes: what it is at, its losses, and a slider through its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget
from superqt.utils import QSignalThrottler

from napari_bgremove._validation import describe_duration
from napari_bgremove.engine.train_pace import TrainPace
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot
from napari_bgremove.widgets.training_terms import TERMS, TermHistory, describe_layer_terms

__all__ = ["TrainingView"]

# The canvas is drawn anew at most five times a second, whoever asks for it.
CANVAS_MS = 200
PLOT_HEIGHT = 240  # on a laptop the status above and the slider below stay in sight


class TrainingView(QWidget):
    """Events of a run in, wishes for an epoch out.

    Parameters
    ----------
    samples : str
        What the network learns from: "patches", "triplets".
    """

    epoch_shown = Signal(int)
    epoch_used = Signal(int)

    def __init__(self, *, samples: str = "patches") -> None:
        super().__init__()
        self._samples = samples
        self.status, self.remarks, self.layers = _label(), _label(), _label()
        self.term = QComboBox()
        self.term.setToolTip("What is drawn over the epochs; in validation the loss is that of the task alone.")
        self.plot = ProfilePlot(x_label="epoch", y_label="loss")
        self.plot.setMaximumHeight(PLOT_HEIGHT)
        self.epoch_slider = QSlider(Qt.Orientation.Horizontal)
        self.epoch_text = QLabel("-")
        self._throttler = QSignalThrottler(parent=self)
        self._throttler.setTimeout(CANVAS_MS)
        self._throttler.triggered.connect(lambda: self.epoch_shown.emit(self.epoch_slider.value()))
        self.epoch_slider.valueChanged.connect(self.show_epoch)
        self.term.currentIndexChanged.connect(lambda _: self._draw_term())
        self.start_anew()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.status, self.remarks, self.layers, self.term, self.plot):
            layout.addWidget(widget)
        row = QHBoxLayout()
        row.addWidget(self.epoch_slider, 1)
        row.addWidget(self.epoch_text)
        row.addWidget(make_button("Use this epoch", lambda: self.epoch_used.emit(self.epoch_slider.value())))
        layout.addLayout(row)

    def start_anew(self) -> None:
        """Forget the run that was shown."""
        self._terms = TermHistory()
        self._offer_terms()
        self._pace = TrainPace()
        self._plan = 0, 0  # epochs, steps of each
        self._remarks: list[str] = []
        self.epoch_slider.setMaximum(0)
        self.remarks.hide()
        self.say("No training yet.")

    def say(self, text: str, *, stays: bool = False) -> None:
        """Show a sentence in place of the progress; one that stays is not written over by the next step."""
        self.status.setText(text)
        self._stays = stays

    def show_epoch(self) -> None:
        """Ask for the epoch of the slider, not more often than a canvas can be drawn."""
        self.epoch_text.setText(f"epoch {self.epoch_slider.value() + 1}" if self._terms.count else "-")
        self._throttler.throttle()

    def show_events(self, events: Sequence[dict[str, Any]]) -> None:
        """Show what happened since, oldest first."""
        for event in events:
            self._pace.hear(event)
            self._hear(event)
        last = next((e for e in reversed(events) if e["event"] in ("started", "step", "paused", "continued")), None)
        if last is not None and not self._stays:
            self._show_progress(last)
        if any(event["event"] == "epoch" for event in events):
            self._show_terms()
            self.show_epoch()

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            self._terms.forget_from(event["epoch"])
            self._plan = event["epochs"], event["steps"]
            self._remark(f"On {event['device']}.", anew=True)
        elif event["event"] == "memory":
            samples = "1 sample" if event["at_once"] == 1 else f"{event['at_once']} samples"
            self._remark(
                f"The memory does not suffice for a batch: {samples} at a time from epoch {event['epoch'] + 1} on; "
                "slower, with the same result."
            )
        elif event["event"] == "epoch":
            self._terms.add(event)

    def _remark(self, text: str, *, anew: bool = False) -> None:
        self._remarks = [text] if anew else [*self._remarks, text]
        self.remarks.setText(" ".join(self._remarks))
        self.remarks.show()

    def _show_progress(self, event: dict[str, Any]) -> None:
        if event["event"] == "paused":
            self.status.setText("Paused; its memory is kept, its processors are free.")
        elif event["event"] == "step":
            epochs, steps = self._plan
            left = self._pace.seconds_left
            self.status.setText(
                f"epoch {event['epoch'] + 1}/{epochs}, step {event['step']}/{steps}, loss {event['loss']:.4f}, "
                f"{event['samples_per_second']:.1f} {self._samples}/s"
                + (f", {describe_duration(left)} left" if left is not None else "")
            )

    def _show_terms(self) -> None:
        self._offer_terms()
        self._draw_term()
        count = self._terms.count
        follow = self.epoch_slider.value() == self.epoch_slider.maximum()
        self.epoch_slider.setMaximum(max(count - 1, 0))
        if follow:
            self.epoch_slider.setValue(count - 1)

    def _offer_terms(self) -> None:
        """Let a person choose what is drawn where a run has more than its loss; first the task's, which compares."""
        said = describe_layer_terms(self._terms.newest)
        self.layers.setText(said)
        self.layers.setVisible(bool(said))
        names = self._terms.names
        self.term.setVisible(len(names) > 1)
        if names != [self.term.itemData(number) for number in range(self.term.count())]:
            self.term.blockSignals(True)
            self.term.clear()
            for name in names:
                self.term.addItem(TERMS[name], name)
            self.term.setCurrentIndex(max(self.term.findData("task_loss"), 0))
            self.term.blockSignals(False)

    def _draw_term(self) -> None:
        name = self.term.currentData() or "loss"
        self.plot.set_y_label(TERMS[name])
        self.plot.set_curves(self._terms.draw(name))


def _label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label
