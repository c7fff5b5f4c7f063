"""How much signal the mask lets into the background patches, measured while a person paints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.images.leaks import Leak, measure_leaks
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.patches_work import SourceImage

__all__ = ["LeakMeter", "MaskInUse", "describe_leaks"]

INTERVAL_MS = 100  # at most ten readings a second, however fast the strokes come
GOOD, BAD = 0.01, 0.05  # of the signal


@dataclass(frozen=True)
class MaskInUse:
    """A mask, the x-ray-only images it is made for, and the top left pixels of the patches cut beside it."""

    signal_mask: NDArray[np.bool_]
    references: Sequence[SourceImage]
    corners: NDArray[np.intp]
    patch: int

    def measure(self) -> dict[str, Leak]:
        """Return what the mask lets through of each image."""
        return {
            one.name: measure_leaks(one.read(), self.signal_mask, self.corners, self.patch) for one in self.references
        }


class LeakMeter(QObject):
    """Measure again soon after something changed, while somebody looks.

    Parameters
    ----------
    look : callable
        Returns the `MaskInUse` as it is now, or None.
    parent : QObject
    """

    measured = Signal(object)  # Leak by the name of the image
    failed = Signal(object)

    def __init__(self, look: Callable[[], MaskInUse | None], parent: QObject) -> None:
        super().__init__(parent)
        self._look = look
        self._is_paused = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._measure)
        self._call = LatestCall(MaskInUse.measure, delay_ms=0, parent=self)
        self._call.returned.connect(self.measured)
        self._call.failed.connect(self.failed)

    def refresh(self, *_: Any) -> None:
        """Measure soon."""
        if not self._timer.isActive() and not self._is_paused:
            self._timer.start()

    def pause(self) -> None:
        """Measure nothing until `resume`."""
        self._is_paused = True
        self._timer.stop()
        self._call.cancel()

    def resume(self) -> None:
        """Measure what is there now."""
        self._is_paused = False
        self.refresh()

    def _measure(self) -> None:
        mask = self._look()
        if mask is None:
            self._call.cancel()
            self.measured.emit({})
        else:
            self._call(mask)


def describe_leaks(leaks: Mapping[str, Leak], *, most: int = 3) -> list[str]:
    """Say in words how much signal gets through, the worst first."""
    worst = sorted(leaks.items(), key=lambda one: -np.nan_to_num(one[1].outside))[:most]
    rest = [f"less of {len(leaks) - most} more images"] if len(leaks) > most else []
    return [_describe(name, leak) for name, leak in worst] + rest


def _describe(name: str, leak: Leak) -> str:
    if np.isnan(leak.outside):
        return f"{name}: no leak to measure, for it shows no signal or is masked all over"
    judgement = "good" if leak.outside < GOOD else "look again" if leak.outside < BAD else "the mask is too small"
    cut = "" if np.isnan(leak.in_patches) else f", {leak.in_patches:.1%} in the background patches"
    return f"{name}: {leak.outside:.1%} of the signal lies outside the mask ({judgement}){cut}"
