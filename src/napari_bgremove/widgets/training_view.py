"""How a training goes: what it is at, its losses, and a slider through its epochs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_bgremove._validation import describe_duration
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot

__all__ = ["TrainingView"]


class TrainingView(QWidget):
    """Events of a run in, wishes for an epoch out."""

    epoch_shown = Signal(int)
    epoch_used = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.status = QLabel("No training yet.")
        self.status.setWordWrap(True)
        self.plot = ProfilePlot(x_label="epoch", y_label="loss")
        self.epoch_slider = QSlider(Qt.Orientation.Horizontal)
        self.epoch_text = QLabel("-")
        self.start_anew("No training yet.")
        self.epoch_slider.valueChanged.connect(self.epoch_shown)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.status)
        layout.addWidget(self.plot)
        row = QHBoxLayout()
        row.addWidget(self.epoch_slider, 1)
        row.addWidget(self.epoch_text)
        row.addWidget(make_button("Use this epoch", lambda: self.epoch_used.emit(self.epoch_slider.value())))
        layout.addLayout(row)

    def start_anew(self, text: str) -> None:
        """Forget the run that was shown."""
        self._losses: dict[str, list[float]] = {"training": [], "validation": []}
        self._pace: tuple[float, int] | None = None
        self._plan = 0, 0  # epochs, steps of each
        self.status.setText(text)

    def show_events(self, events: Sequence[dict[str, Any]]) -> None:
        """Show what happened since, oldest first."""
        for event in events:
            if event["event"] == "started":
                self._pace = time.monotonic(), 0
                self._losses = {n: v[: event["epoch"]] for n, v in self._losses.items()}
                self._plan = event["epochs"], event["steps"]
            elif event["event"] == "epoch":
                for name, losses in self._losses.items():
                    losses.append(event[name].get("loss", np.nan) if event[name] else np.nan)
            elif event["event"] == "paused":
                self.status.setText("Paused; its memory is kept, its processors are free.")
        steps = [event for event in events if event["event"] == "step"]
        if steps and events[-1]["event"] != "paused":
            self._show_progress(steps[-1], len(steps))
        if any(event["event"] == "epoch" for event in events):
            self._show_losses()

    def _show_progress(self, event: dict[str, Any], count: int) -> None:
        started, done = self._pace or (time.monotonic(), 0)
        self._pace = started, done + count
        epochs, steps = self._plan
        left = (epochs - event["epoch"]) * steps - event["step"]
        text = f"epoch {event['epoch'] + 1}/{epochs}, step {event['step']}/{steps}, loss {event['loss']:.4f}"
        speed = event["samples_per_second"]
        elapsed = time.monotonic() - started
        eta = f", {describe_duration(left * elapsed / (done + count))} left" if done and elapsed > 2 else ""
        self.status.setText(f"{text}, {speed:.1f} patches/s{eta}")

    def _show_losses(self) -> None:
        count = len(self._losses["training"])
        epochs = np.arange(1, count + 1, dtype=float)
        self.plot.set_curves({name: (epochs, np.array(losses)) for name, losses in self._losses.items()})
        follow = self.epoch_slider.value() == self.epoch_slider.maximum()
        self.epoch_slider.setMaximum(max(count - 1, 0))
        if follow:
            self.epoch_slider.setValue(count - 1)
        self.epoch_shown.emit(self.epoch_slider.value())
