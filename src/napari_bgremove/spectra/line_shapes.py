"""Lines of known shape, and how their area is spread over an interval.

A Lorentzian, a Gaussian and every sum of the two, written so that areas far
out in a tail keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from napari_bgremove._validation import check_range
from napari_bgremove.errors import ComputeError

__all__ = ["SHAPES", "Line"]

Array = NDArray[np.float64]

#: Shapes a person can name; the share of the Lorentzian is free for the last one.
SHAPES = ("lorentzian", "gaussian", "pseudo_voigt")

# Half width at half maximum of a Gaussian whose sigma is 1.
_GAUSSIAN_HALF_WIDTH = sqrt(2 * log(2))


@dataclass(frozen=True)
class Line:
    """A line: the area-weighted sum of a Lorentzian and a Gaussian of one centre and one half width.

    Attributes
    ----------
    centre : float or ndarray of shape (...,)
        Position of the maximum, in the unit of the axis.
    half_width : float or ndarray of shape (...,)
        Half width at half maximum, same unit.
    lorentzian_share : float
        Share of the area *inside the interval that is looked at* that
        belongs to the Lorentzian: 1 is a Lorentzian, 0 a Gaussian. It is
        not the mixing of heights; `from_heights` converts that.
    """

    centre: float | Array
    half_width: float | Array
    lorentzian_share: float = 1.0

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.centre)):
            msg = f"'centre' must be a finite position on the axis; found {self.centre}."
            raise ValueError(msg)
        if not np.all(np.isfinite(self.half_width) & (np.asarray(self.half_width) > 0)):
            msg = f"'half_width' must be above zero; found {self.half_width}."
            raise ValueError(msg)
        check_range("lorentzian_share", self.lorentzian_share, 0, 1)

    @classmethod
    def from_heights(
        cls, centre: float, half_width: float, *, mixing: float, interval: tuple[float, float] = (-np.inf, np.inf)
    ) -> Line:
        """Build a line from the mixing of heights, as peak fits state it: SGL(p) of CasaXPS has mixing p/100.

        Parameters
        ----------
        centre, half_width : float
            As for `Line`.
        mixing : float
            Height of the Lorentzian as a share of the height of the sum.
        interval : (float, float)
            Positions between which the areas are compared.
        """
        check_range("mixing", mixing, 0, 1)
        ends = [np.asarray((end - centre) / half_width) for end in interval]
        # Areas of the two shapes of height 1, apart from the half width they share.
        lorentzian = mixing * pi * float(_lorentzian_area(*ends))
        gaussian = (1 - mixing) * sqrt(pi / log(2)) * float(_gaussian_area(*ends))
        return cls(centre, half_width, lorentzian / (lorentzian + gaussian))

    def area_share(self, start: ArrayLike, stop: ArrayLike, *, interval: tuple[float, float]) -> Array:
        """Return the area from `start` to `stop` as a share of the area inside `interval`.

        The Lorentzian and the Gaussian are each compared with their own area
        inside the interval, and added with their shares.

        Raises
        ------
        ComputeError
            When the line has no area inside the interval, up to rounding.
        """
        parts = ((self.lorentzian_share, _lorentzian_area), (1 - self.lorentzian_share, _gaussian_area))
        return np.asarray(
            sum(
                share * area(self._scaled(start), self._scaled(stop)) / self._whole(area, interval)
                for share, area in parts
                if share > 0
            )
        )

    def density(self, axis: Array, *, interval: tuple[float, float]) -> Array:
        """Return the line on `axis`, with area 1 inside `interval` (as a positive number), per unit of the axis."""
        scaled, width = self._scaled(axis), np.asarray(self.half_width, float)[..., np.newaxis]
        parts = (
            (self.lorentzian_share, _lorentzian_area, 1 / (pi * (1 + scaled**2))),
            (
                1 - self.lorentzian_share,
                _gaussian_area,
                np.exp(-log(2) * scaled**2) * sqrt(log(2) / pi),
            ),
        )
        return np.asarray(
            sum(share * shape / np.abs(self._whole(area, interval)) for share, area, shape in parts if share > 0)
            / width
        )

    def _scaled(self, position: ArrayLike) -> Array:
        """Distance from the centre in half widths; one more axis than `centre` has."""
        centre, width = (np.asarray(value, float)[..., np.newaxis] for value in (self.centre, self.half_width))
        return np.asarray((np.asarray(position, float) - centre) / width)

    def _whole(self, area: Callable[[Any, Any], Array], interval: tuple[float, float]) -> Array:
        whole = area(self._scaled(interval[0]), self._scaled(interval[1]))
        if np.any(whole == 0):
            msg = (
                f"'centre' must lie near the interval from {interval[0]:g} to {interval[1]:g}, so that the line has "
                f"area inside; found {self.centre} with a half width of {self.half_width}. Move one of them."
            )
            raise ComputeError(msg)
        return whole


def _lorentzian_area(start: Array, stop: Array) -> Array:
    """Area of a Lorentzian of area 1 between two distances in half widths."""
    if not (np.isfinite(start).all() and np.isfinite(stop).all()):
        return np.asarray((np.arctan(stop) - np.arctan(start)) / pi)
    # One arc tangent of both: no difference of two numbers that are almost equal.
    return np.asarray(np.arctan2(stop - start, 1 + start * stop) / pi)


def _gaussian_area(start: Array, stop: Array) -> Array:
    """Area of a Gaussian of area 1 between two distances in half widths."""
    start, stop = start * _GAUSSIAN_HALF_WIDTH, stop * _GAUSSIAN_HALF_WIDTH
    above = start > -stop
    # The smaller of both tails is subtracted, where the digits are.
    return np.asarray(np.where(above, ndtr(-start) - ndtr(-stop), ndtr(stop) - ndtr(start)))
