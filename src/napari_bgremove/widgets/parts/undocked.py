"""A panel that is taken out of its window is gone: napari itself only lets go of it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

__all__ = ["delete_when_undocked"]

# Held until Qt deletes them: a widget that Python's garbage collector takes
# first is gone without having emitted `destroyed`, and stays connected.
_leaving: set[QWidget] = set()


def delete_when_undocked(widget: QWidget) -> None:
    """Delete a widget when it loses the place it was shown in.

    The cross of a dock widget hides the panel and lets go of it, which leaves
    it listening, and answering into the viewer, until Python collects it.
    """
    widget.installEventFilter(_Watcher(widget))


class _Watcher(QObject):
    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        # Not at once: who moves a widget takes it out of one place to put it into another.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._delete_unless_placed_again)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look for the loss of the parent, and let every event through."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self._widget.parent() is None:
            _leaving.add(self._widget)
            self._timer.start()
        return False

    def _delete_unless_placed_again(self) -> None:
        _leaving.discard(self._widget)
        if self._widget.parent() is None:
            self._widget.deleteLater()
