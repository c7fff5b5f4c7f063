"""What of a layer counts as background, and how strongly training shrinks it: plain numbers, known without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from napari_bgremove._validation import check_choice, check_positive, check_range

__all__ = ["GATES", "SHRUNK", "Gate", "LayerBackground", "Shrunk"]

Gate = Literal["lorentzian", "gaussian", "shirley"]
Shrunk = Literal["neurons", "weights"]
GATES: tuple[Gate, ...] = get_args(Gate)
SHRUNK: tuple[Shrunk, ...] = get_args(Shrunk)


@dataclass(frozen=True)
class LayerBackground:
    """The term that removes the background of layers while a network trains.

    Every energy of a layer is shrunk by the share of background at that
    energy, its *gate*; see `learning.objectives.layer_background`.

    Attributes
    ----------
    strength : float
        Of the term, against the loss of the task. Open in the paper; 0.02
        was measured best on a cross entropy of order one.
    gate : {"lorentzian", "gaussian", "shirley"}
        "lorentzian": the paper's closed form B_L with I1 = 1 and I2 = 0.
        "gaussian": the step of a Gaussian with the same quartiles. "shirley":
        background over spectrum, of the layer's spectrum as it is now; then
        `e0` and `gamma` are not used.
    units : {"neurons", "weights"}
        What is shrunk: neurons, channels or whole C4 fields, or each weight alone.
    e0, gamma : float
        Energy at which the gate is 1/2, and its distance to those of 3/4 and
        1/4; in units of the root mean square energy of the layer.
    ramp_start, ramp_end : float
        Shares of the run between which the strength rises linearly from zero;
        a network needs to learn something before its background shows.

    Raises
    ------
    ValueError
        When a number lies outside its range.

    References
    ----------
    A. Qajar, "Gaussian-Lorentzian Layer Background Removal".
    """

    strength: float = 0.02
    gate: Gate = "lorentzian"
    units: Shrunk = "neurons"
    e0: float = 1.0
    gamma: float = 0.3
    ramp_start: float = 0.1
    ramp_end: float = 0.4

    def __post_init__(self) -> None:
        check_choice("gate", self.gate, GATES)
        check_choice("units", self.units, SHRUNK)
        for name in ("e0", "gamma"):
            check_positive(name, getattr(self, name))
        check_range("strength", self.strength, 0, math.nextafter(math.inf, 0))
        check_range("ramp_end", self.ramp_end, 0, 1)
        check_range("ramp_start", self.ramp_start, 0, self.ramp_end)

    def find_strength(self, progress: float) -> float:
        """Return the strength where this share of the run is done."""
        if progress >= self.ramp_end:
            return self.strength
        if progress <= self.ramp_start:
            return 0.0
        return self.strength * (progress - self.ramp_start) / (self.ramp_end - self.ramp_start)
