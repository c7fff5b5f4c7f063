"""The warm engine of a viewer, as a Qt object: ask, and a signal brings the answer."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.engine.client import EngineClient
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.preferences import read_preferences

__all__ = ["EngineLink", "engine_of"]

POLL_MS = 40
SUPERSEDED = "Another panel asked for the same meanwhile; ask again."
_links: weakref.WeakKeyDictionary[Any, EngineLink] = weakref.WeakKeyDictionary()


def engine_of(viewer: Any) -> EngineLink:
    """Return the engine of a viewer, one for all its panels; nothing is started yet."""
    model = unwrapped(viewer)
    if model not in _links:
        _links[model] = EngineLink()
    return _links[model]


class EngineLink(QObject):
    """Hands questions to the engine and answers to who asked, on the window's thread.

    The engine ends with the last panel that asked it something.
    """

    def __init__(self) -> None:
        super().__init__()
        self._client: EngineClient | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._waiting: dict[int, tuple[str, Callable[[Letter], None]]] = {}
        self._replies: deque[Letter] = deque()
        self._askers: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_timeout)

    def ask(
        self, kind: str, answered: Callable[[Letter], None], *, arrays: dict[str, NDArray[Any]] | None = None,
        **values: Any,
    ) -> int:  # fmt: skip
        """Ask; `answered`, a method of a panel, is called once with the reply.

        Never, when the panel has asked anew or is gone. When it was another
        panel whose newer question took its place, the reply is a failure.
        """
        if self._client is None:
            self._client = EngineClient(threads=read_preferences().engine_threads)
            # With this object or at the end of the process, whichever comes first.
            self._finalizer = weakref.finalize(self, self._client.close)
        number = self._client.ask(kind, arrays=arrays, **values)
        self._waiting[number] = kind, answered
        asker = _asker(answered)
        if isinstance(asker, QObject) and id(asker) not in self._askers:
            self._askers.add(id(asker))
            # Python's garbage collector empties a partial or a lambda that goes with its panel, and calling an empty
            # one crashes; what weakref keeps a list of stays whole until it is called.
            farewell = weakref.finalize(asker, _forget, weakref.ref(self), id(asker))
            farewell.atexit = False
            asker.destroyed.connect(farewell)
        self._timer.start()
        return number

    def close(self) -> None:
        """End the engine; the next question starts another."""
        self._timer.stop()
        self._end_client()

    def _end_client(self) -> None:
        # Knows nothing of Qt: when Python ends, the timer may be gone before the panels are.
        self._waiting.clear()
        self._replies.clear()
        if self._finalizer is not None:
            self._finalizer()
        self._client = self._finalizer = None

    def _on_timeout(self) -> None:
        if self._client is None:
            self._timer.stop()
            return
        self._replies.extend(self._client.poll())
        is_done = not self._client.is_waiting
        while self._replies:  # one that raises leaves the others for the next time
            self._hand_over(self._replies.popleft())
        if is_done and not self._waiting:
            self._timer.stop()

    def _hand_over(self, reply: Letter) -> None:
        kind, answered = self._waiting.pop(reply.number, ("", None))
        if answered is None:
            return
        for older in [n for n, entry in self._waiting.items() if n < reply.number and entry[0] == kind]:
            superseded = self._waiting.pop(older)[1]
            if _asker(superseded) is not _asker(answered):
                superseded(Letter(older, "failed", {"error": "Superseded", "message": SUPERSEDED}))
        answered(reply)

    def forget(self, asker: int) -> None:
        """Forget who asked, by its id; with the last one the engine ends."""
        if not vars(self):  # Python's garbage collector has emptied us, and takes the panel along
            return
        self._askers.discard(asker)
        for number in [n for n, (_, answered) in self._waiting.items() if id(_asker(answered)) == asker]:
            del self._waiting[number]
        if not self._askers:
            self._end_client()


def _forget(link: weakref.ref[EngineLink], asker: int) -> None:
    there = link()
    if there is not None:
        there.forget(asker)


def _asker(answered: Callable[[Letter], None]) -> Any:
    return getattr(answered, "__self__", answered)
