"""The one idea of this package: measured = signal + background.

Every method here, from a Shirley curve to an equivariant UNet, takes one
measured array apart and returns the same frozen pair, with what a person
needs in order to trust it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_same_shape

__all__ = ["Separation", "Separator"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Separation:
    """A measured array, taken apart.

    Attributes
    ----------
    signal : ndarray
        The wanted physical component, in the unit of `measured`; NaN where
        `measured` is not usable.
    background : ndarray
        The additive structured component that was taken away; same shape.
    measured : ndarray
        What was taken apart, as the method saw it: unusable pixels are NaN.
    uncertainty : ndarray or None
        How far the method disagrees with itself, in the same unit.
    provenance : mapping
        Method, parameters, model hash, versions: enough to do it again.
    """

    signal: Array
    background: Array
    measured: Array
    uncertainty: Array | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_same_shape("background", self.background, "signal", self.signal)
        check_same_shape("measured", self.measured, "signal", self.signal)
        if self.uncertainty is not None:
            check_same_shape("uncertainty", self.uncertainty, "signal", self.signal)

    @property
    def residual(self) -> Array:
        """What neither part explains: measured - signal - background."""
        return self.measured - self.signal - self.background

    def ledger(self, *, scale: float = 1.0) -> dict[str, float]:
        """Add up every part over the usable pixels that were separated.

        Parameters
        ----------
        scale : float
            Multiplies every sum: the keV (or photons) of one unit of the array.

        Returns
        -------
        dict of str to float
            measured, signal, background, residual and the number of usable
            pixels; measured = signal + background + residual up to rounding.
            A usable pixel without a prediction (the literal grids leave some
            out) is in none of the sums and not counted.
        """
        usable = np.isfinite(self.measured) & np.isfinite(self.signal) & np.isfinite(self.background)
        parts = {"measured": self.measured, "signal": self.signal, "background": self.background}
        sums = {name: float(np.sum(part[usable], dtype=np.float64)) * scale for name, part in parts.items()}
        sums["residual"] = sums["measured"] - sums["signal"] - sums["background"]
        sums["usable_pixels"] = float(np.count_nonzero(usable))
        return sums


class Separator(Protocol):
    """Anything that takes a measured array apart."""

    def __call__(self, measured: Array, /) -> Separation:
        """Return the parts of `measured`."""
        ...
