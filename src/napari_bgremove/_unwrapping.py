"""What lies behind the wrapper in which napari hands its viewer and layers to plugins."""

from __future__ import annotations

from typing import Any

__all__ = ["unwrapped"]


def unwrapped(given: Any) -> Any:
    """Return a viewer or layer itself: plugins get it in a wrapper, a new one each time."""
    return getattr(given, "__wrapped__", given)
