"""Where the energy of the shown frame went, known for every frame that was separated."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import QLabel

from napari_bgremove._unwrapping import unwrapped

__all__ = ["ShownLedger", "describe_ledger"]

SUMS = ("measured", "signal", "background", "residual")


class ShownLedger(QLabel):
    """Ledgers in, the one of the shown frame out; it knows no viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self._known: weakref.WeakKeyDictionary[Any, dict[tuple[int, ...], str]] = weakref.WeakKeyDictionary()

    def remember(self, layer: Any, index: tuple[int, ...], ledger: Mapping[str, Any]) -> None:
        """Keep the ledger of a frame of a layer."""
        self._known.setdefault(unwrapped(layer), {})[index] = describe_ledger(ledger)

    def forget(self, layer: Any) -> None:
        """Forget the frames of a layer that shows something else now."""
        self._known.pop(unwrapped(layer), None)

    def show_frame(self, layer: Any | None, index: tuple[int, ...] = ()) -> None:
        """Show the ledger of a frame of a stack, or of a single image, or that there is none."""
        known = {} if layer is None else self._known.get(unwrapped(layer), {})
        self.setText(known.get(index, "This frame was not separated yet." if known else ""))


def describe_ledger(ledger: Mapping[str, Any]) -> str:
    """Write the sums of a frame one below the other.

    Parameters
    ----------
    ledger : mapping
        measured, signal, background and residual, in `unit`; `seconds` it
        took where that is known. Of a frame that could not be separated,
        the reason: `skipped`.
    """
    if "skipped" in ledger:
        return f"No ledger: {ledger['skipped']}."
    lines = [f"{name}: {ledger[name]:,.6g}" for name in SUMS]
    took = f"; {ledger['seconds']:.1f} s" if "seconds" in ledger else ""
    return "\n".join([*lines, f"({ledger['unit']}; measured = signal + background + residual{took})"])
