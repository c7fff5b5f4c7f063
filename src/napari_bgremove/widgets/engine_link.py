"""The warm engine of a viewer, as a Qt object: ask, and a signal brings the answer."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_bgremove.engine.client import EngineClient
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.preferences import read_preferences

__all__ = ["EngineLink", "engine_of"]

POLL_MS = 40
_links: weakref.WeakKeyDictionary[Any, EngineLink] = weakref.WeakKeyDictionary()


def engine_of(viewer: Any) -> EngineLink:
    """Return the engine of a viewer, one for all its panels; nothing is started yet."""
    model = getattr(viewer, "__wrapped__", viewer)
    if model not in _links:
        _links[model] = EngineLink()
    return _links[model]


class EngineLink(QObject):
    """Hands questions to the engine and answers to who asked, on the window's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._client: EngineClient | None = None
        self._waiting: dict[int, tuple[str, Callable[[Letter], None]]] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_timeout)

    def ask(
        self, kind: str, answered: Callable[[Letter], None], *, arrays: dict[str, NDArray[Any]] | None = None,
        **values: Any,
    ) -> int:  # fmt: skip
        """Ask; `answered`, a method of a panel, is called once with the reply.

        Never, when a newer question took its place or the panel is gone.
        """
        if self._client is None:
            self._client = EngineClient(threads=read_preferences().engine_threads)
            atexit.register(self._client.close)
        number = self._client.ask(kind, arrays=arrays, **values)
        self._waiting[number] = kind, answered
        asker = getattr(answered, "__self__", None)
        if isinstance(asker, QObject):
            asker.destroyed.connect(partial(_drop, self._waiting, number))
        self._timer.start()
        return number

    def close(self) -> None:
        """End the engine; the next question starts another."""
        self._timer.stop()
        self._waiting.clear()
        if self._client is not None:
            atexit.unregister(self._client.close)
            self._client.close()
            self._client = None

    def _on_timeout(self) -> None:
        if self._client is None:
            return
        replies = self._client.poll()
        if not self._client.is_waiting:
            self._timer.stop()
        for reply in replies:
            kind, answered = self._waiting.pop(reply.number, ("", None))
            # What was superseded by this one is not answered any more.
            for older in [n for n, entry in self._waiting.items() if n < reply.number and entry[0] == kind]:
                del self._waiting[older]
            if answered is not None:
                answered(reply)


def _drop(waiting: dict[int, Any], number: int, _gone: Any = None) -> None:
    waiting.pop(number, None)
