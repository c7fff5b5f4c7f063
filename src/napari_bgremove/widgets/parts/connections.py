"""Connections to things that outlive a widget, cut when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Connections"]


class Connections:
    """What has to be disconnected; works for napari's and psygnal's emitters."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []
        self._last_acts: list[Callable[[], Any]] = []

    def connect(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback, and remember it."""
        emitter.connect(callback)
        self._made.append((emitter, callback))

    def at_the_end(self, act: Callable[[], Any]) -> None:
        """Do this, too, when everything is cut; it must not need the widget."""
        self._last_acts.append(act)

    def forget(self, act: Callable[[], Any]) -> None:
        """Do this not any more when everything is cut."""
        self._last_acts = [other for other in self._last_acts if other != act]

    def disconnect_from(self, *emitters: Any) -> None:
        """Cut what was connected to these emitters."""
        for emitter, callback in [made for made in self._made if any(made[0] is e for e in emitters)]:
            self._made.remove((emitter, callback))
            emitter.disconnect(callback)

    def disconnect_by(self, callback: Callable[..., Any]) -> None:
        """Cut this callback off from whatever it is connected to."""
        for emitter, made in [pair for pair in self._made if pair[1] == callback]:
            self._made.remove((emitter, made))
            emitter.disconnect(made)

    def disconnect_all(self) -> None:
        """Cut everything."""
        while self._made:
            emitter, callback = self._made.pop()
            emitter.disconnect(callback)
        while self._last_acts:
            self._last_acts.pop()()
