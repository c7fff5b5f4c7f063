"""Keys of a viewer that several panels want: the one that came last has it, and gives it back when it goes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari_bgremove._unwrapping import unwrapped

__all__ = ["bind_key"]

_bound: weakref.WeakKeyDictionary[Any, dict[str, list[weakref.WeakMethod[Callable[[], Any]]]]] = (
    weakref.WeakKeyDictionary()
)


def bind_key(viewer: Any, key: str, method: Callable[[], Any]) -> Callable[[], None]:
    """Let a key of the viewer call a method of a panel.

    Returns
    -------
    callable
        Gives the key back to whoever had it before, or frees it. It holds no
        panel, so it may be done when the panel is gone.
    """
    model = unwrapped(viewer)
    takers = _bound.setdefault(model, {}).setdefault(key, [])
    reference = weakref.WeakMethod(method)
    if not takers:
        viewer.bind_key(key, lambda _viewer: _call_last(takers), overwrite=True)
    takers.append(reference)
    kept = weakref.ref(model)

    def unbind(*_gone: Any) -> None:
        if reference in takers:
            takers.remove(reference)
        alive = kept()
        if not takers and alive is not None and _bound.get(alive, {}).pop(key, None) is not None:
            alive.bind_key(key, None, overwrite=True)

    return unbind


def _call_last(takers: list[weakref.WeakMethod[Callable[[], Any]]]) -> None:
    methods = [method for reference in takers if (method := reference()) is not None]
    if methods:
        methods[-1]()
