"""Compute off the window's thread; of many requests only the newest counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

__all__ = ["LatestCall"]


class LatestCall(QObject):
    """Run a function in a thread, one call at a time, the newest request next.

    Parameters
    ----------
    function : callable
        Pure: no widget, no layer. Its result comes with `returned`.
    delay_ms : int
        Requests that follow each other faster than this become one.
    """

    returned = Signal(object)
    failed = Signal(object)

    def __init__(self, function: Callable[..., Any], *, delay_ms: int = 100, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._function = function
        self._request: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._worker: Any = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(delay_ms)
        self._timer.timeout.connect(self._start)
        self._number = self._running = 0

    @property
    def is_busy(self) -> bool:
        """True while a result is still to come."""
        return self._worker is not None or self._request is not None

    def __call__(self, *arguments: Any, **options: Any) -> None:
        """Ask for function(*arguments, **options)."""
        self._request = arguments, options
        self._number += 1
        if self._worker is None:
            self._timer.start()

    def cancel(self) -> None:
        """Forget the request; a result still on its way is dropped."""
        self._request = None
        self._number += 1
        self._timer.stop()

    def _start(self) -> None:
        from napari.qt.threading import create_worker

        if self._request is None:
            return
        (arguments, options), self._request, self._running = self._request, None, self._number
        # Bound methods: Qt cuts these connections itself when this object goes.
        self._worker = create_worker(_outcome, partial(self._function, *arguments, **options), _start_thread=False)
        self._worker.returned.connect(self._on_returned)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def _on_returned(self, outcome: tuple[Any, Exception | None]) -> None:
        if self._number != self._running:
            return
        result, error = outcome
        if error is None:
            self.returned.emit(result)
        else:
            self.failed.emit(error)

    def _on_finished(self) -> None:
        self._worker = None
        if self._request is not None:
            self._timer.start()


def _outcome(function: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return result and error: a worker that raises would also raise in the window's thread."""
    try:
        return function(), None
    except Exception as error:
        return None, error
