"""How far work on a set of spectra is, how long it still takes, and a button to cancel it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_bgremove._validation import describe_duration
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.rows import make_row

__all__ = ["CANCEL", "CANCELLED", "SpectraProgress"]

CANCEL = "Cancel"
CANCELLED = "Cancelled; nothing was changed."


class SpectraProgress(QWidget):
    """A bar while something goes on, and what became of it.

    Attributes
    ----------
    cancel_requested : Signal
    """

    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.cancel_button = make_button(CANCEL, self.cancel_requested.emit, tip="What was there before stays.")
        self.status = QLabel()
        self.status.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(make_row(self.bar, self.cancel_button))
        layout.addWidget(self.status)
        self.set_running(False)
        self.say("")

    def set_running(self, on: bool) -> None:
        """Show bar and button while work goes on."""
        self.bar.setVisible(on)
        self.cancel_button.setVisible(on)

    def begin(self, text: str) -> None:
        """Say what begins; how long it takes is not known yet."""
        self.bar.setRange(0, 0)
        self.say(text)

    def show_progress(self, done: int, count: int, seconds_left: float, *, what: str = "") -> None:
        """Say that so many spectra of so many are done."""
        self.bar.setRange(0, count)
        self.bar.setValue(done)
        left = f", {describe_duration(seconds_left)} left" if done < count else ""
        self.say(f"{what}{done} of {count} spectra{left}")

    def say(self, text: str) -> None:
        """Say something; nothing takes no room."""
        self.status.setText(text)
        self.status.setVisible(bool(text))
