"""What happens to a training when napari is closed over it: it goes on, unless a person says otherwise."""

from __future__ import annotations

import weakref

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_bgremove.widgets.training_run import TrainingRun

__all__ = ["LeavingQuestion"]

LEAVE, STOP = "Leave it running", "Stop it"


class LeavingQuestion(QObject):
    """Asks when the window that holds a panel is closed while its training goes on.

    napari 0.9 tells no plugin that it is being closed, but Qt tells whoever
    watches the window. There is no third answer that would keep the window:
    by then napari may have taken itself apart.
    """

    def __init__(self, panel: QWidget, training: TrainingRun) -> None:
        super().__init__(panel)
        self._panel, self._training = panel, training
        self._reference: weakref.ref[QMainWindow] | None = None  # napari's window is not ours to keep
        panel.installEventFilter(self)

    @property
    def _window(self) -> QMainWindow | None:
        return self._reference() if self._reference is not None else None

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Find the window when the panel is shown, see it close, and let every event through."""
        kind = event.type() if event is not None else None
        if kind == QEvent.Type.Show and watched is self._panel:
            self._watch(self._panel.window())
        elif kind == QEvent.Type.Close and watched is self._window and self._training.is_going_on:
            self._ask()
        return False

    def _watch(self, window: QWidget | None) -> None:
        # A panel that floats still belongs to the window it was docked in.
        if isinstance(window, QMainWindow) and window is not self._window:
            self._reference = weakref.ref(window)
            window.installEventFilter(self)

    def _ask(self) -> None:
        run, window = self._training.folder, self._window
        # A script that closes a window nobody sees is not kept waiting.
        if run is None or window is None or not window.isVisible():
            return
        box = QMessageBox(window)
        box.setWindowTitle("A training is going on")
        box.setText(f"The training '{run.path.name}' goes on without napari.")
        box.setInformativeText("Attach to it later in the panel it is of, or stop it now: its newest model is kept.")
        box.addButton(LEAVE, QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton(STOP, QMessageBox.ButtonRole.DestructiveRole)
        box.exec()
        if box.clickedButton() is stop:
            run.ask_to_stop()
