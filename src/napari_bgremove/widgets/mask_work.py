"""What the mask panel computes off the window's thread: plain arrays in, masks and figures out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.mask_rules import MaskRules, find_hot_pixels
from napari_bgremove.images.masks import count_free_positions, estimate_signal_mask
from napari_bgremove.io.masks import read_mask, write_mask

__all__ = ["Coverage", "MaskRequest", "measure_coverage", "save_mask"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskRequest:
    """What the panel wants to see: a proposal, rules, or both."""

    propose: bool
    threshold: float
    window: int
    grow: int
    minimum_size: int
    leave_out_hot_pixels: bool
    rules: MaskRules

    @property
    def is_empty(self) -> bool:
        """True when nothing is ticked."""
        return not self.propose and self.rules.is_empty

    @property
    def numbers(self) -> dict[str, float]:
        """What `estimate_signal_mask` is told."""
        return {
            "threshold": self.threshold, "window": self.window, "grow": self.grow, "minimum_size": self.minimum_size,
        }  # fmt: skip

    def compute(self, image: Any) -> Mask:
        """Return the mask that is asked for; a lazy image is read here."""
        image = np.asarray(image)
        mask = self.rules.find(image)
        if self.propose:
            hot = find_hot_pixels(image) if self.leave_out_hot_pixels else None
            gated = gate_image(image, valid_mask=None if hot is None else ~hot)
            mask |= estimate_signal_mask(gated.values, **self.numbers)  # type: ignore[arg-type]  # whole where it must be
        return mask


@dataclass(frozen=True)
class Coverage:
    """The masked share of an image, and how many positions are free for patches of that side."""

    share: float
    free_positions: int
    patch: int

    def __str__(self) -> str:
        side = self.patch
        return f"{self.share:.1%} masked; {self.free_positions:,} free positions for patches of {side} x {side}."


def measure_coverage(mask: Mask, patch: int) -> Coverage:
    """Measure what a mask covers, and the room it leaves."""
    return Coverage(float(mask.mean()), count_free_positions(~mask, patch), patch)


def save_mask(path: str | Path, mask: Mask) -> Path:
    """Write a signal mask and read it back.

    Raises
    ------
    OSError
        When it cannot be written, or does not read back as it was written.
    """
    written = write_mask(path, mask, role="signal")
    if not np.array_equal(read_mask(written), mask):
        msg = f"'{written.name}' does not read back as it was written. Save it under another name or format."
        raise OSError(msg)
    return written
