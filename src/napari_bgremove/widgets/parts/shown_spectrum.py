"""What a plot of spectra is told of one spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_same_shape
from napari_bgremove.widgets.parts.number_text import number_text

__all__ = ["Array", "ShownSpectrum"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShownSpectrum:
    """A spectrum with its backgrounds, all on the samples of one axis; NaN is a gap.

    Attributes
    ----------
    name : str
        As the legend writes it; no other spectrum on the plot has it.
    colour : str
        Of all its curves, as Qt reads it: "#1f77b4".
    axis : ndarray, shape (n,)
        Energy, wavelength or position, ascending or descending.
    measured : ndarray, shape (n,)
    sigma : ndarray, shape (n,), optional
        Standard error of `measured`.
    backgrounds : mapping of str to ndarray of shape (n,)
        By the name of the method.
    net : ndarray, shape (n,), optional
        What is left above the first background.
    denoised : mapping of str to ndarray of shape (n,)
        Without its noise, by the name of the method.

    Raises
    ------
    ValueError
        When a curve has not the shape of the axis.
    """

    name: str
    colour: str
    axis: Array
    measured: Array
    sigma: Array | None = None
    backgrounds: Mapping[str, Array] = field(default_factory=dict)
    net: Array | None = None
    denoised: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        curves = {"measured": self.measured, "sigma": self.sigma, "net": self.net}
        curves |= {**self.denoised, **self.backgrounds}
        for name, values in curves.items():
            if values is not None:
                check_same_shape(name, values, "axis", self.axis)

    def covers(self, position: float) -> bool:
        """Tell whether a position lies within the axis."""
        return self.axis.size > 0 and bool(self.axis.min() <= position <= self.axis.max())

    def nearest(self, position: float) -> int:
        """Find the sample nearest to a position."""
        return int(np.argmin(np.abs(self.axis - position)))

    def describe(self, sample: int) -> str:
        """Say what every curve is at one sample."""
        curves = {"measured": self.measured, **self.denoised, **self.backgrounds}
        if self.net is not None:
            curves["net"] = self.net
        values = (f"{name} {number_text(float(curve[sample]), nothing='-')}" for name, curve in curves.items())
        return f"{self.name}: {', '.join(values)}"
