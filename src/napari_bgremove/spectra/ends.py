"""Where a background is tied to a spectrum, and at which level.

A single noisy sample is a poor place to tie a background to: with 1 % noise
the Shirley equation then often has no solution at all. An `Anchor` averages a
window; an `Endpoint` is for levels that are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Anchor", "End", "Endpoint", "PlacedEnd", "Window", "locate_ends", "measure_level", "place_ends"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A closed interval on the spectral axis.

    Attributes
    ----------
    low, high : float
        First and last position, in the unit of the axis; low <= high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= self.high):
            msg = f"'window' must be two finite positions, the lower one first; found {self.low} and {self.high}."
            raise ValueError(msg)

    @classmethod
    def between(cls, one: float, other: float) -> Window:
        """Build a window from its two ends in any order."""
        return cls(min(one, other), max(one, other))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Anchor:
    """An end level taken from the data: the mean over a window, plus an offset.

    Attributes
    ----------
    window : Window
    offset : float
        Added to the mean, in the unit of the spectrum.
    min_points : int
        Fewer usable samples in the window are refused: a mean of a few noisy
        samples makes the net area worthless, or leaves the equation without
        a solution. Lower it for data without noise.
    """

    window: Window
    offset: float = 0.0
    min_points: int = 5

    def __post_init__(self) -> None:
        if self.min_points < 1:
            msg = f"'min_points' must be at least 1; found {self.min_points}."
            raise ValueError(msg)
        if not np.isfinite(self.offset):
            msg = f"'offset' must be a finite number; found {self.offset}."
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"window {self.window}" + (f", offset {self.offset:+g}" if self.offset else "")


@dataclass(frozen=True)
class Endpoint:
    """An end at one sample, at a level that is known or read off that sample.

    Attributes
    ----------
    position : float
        On the axis; the nearest usable sample is taken.
    level : float, optional
        Without it the level is the measured value at that sample, for each
        spectrum of a map its own.
    sigma : float
        Standard error of a given level, in the unit of the spectrum.
    """

    position: float
    level: float | None = None
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.position):
            msg = f"'position' must be a finite number; found {self.position}."
            raise ValueError(msg)
        if self.level is not None and not np.isfinite(self.level):
            msg = f"'level' must be a finite number; found {self.level}."
            raise ValueError(msg)
        if not (np.isfinite(self.sigma) and self.sigma >= 0):
            msg = f"'sigma' must be zero or above; found {self.sigma}."
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"endpoint {self.position:g}"


End = Anchor | Endpoint


@dataclass(frozen=True)
class PlacedEnd:
    """An end on the samples of one axis.

    Attributes
    ----------
    end : Anchor or Endpoint
    start, stop : int
        The samples that belong to it: start <= i < stop.
    inner : int
        The sample at its inner edge, where the range of the background ends.
    """

    end: End
    start: int
    stop: int
    inner: int

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.stop - self.start

    @property
    def is_measured(self) -> bool:
        """Whether the level is read off the data."""
        return isinstance(self.end, Anchor) or self.end.level is None


def place_ends(axis: Array, ends: tuple[End, End]) -> tuple[PlacedEnd, PlacedEnd]:
    """Find the samples of two ends; the one at lower axis values comes first.

    Parameters
    ----------
    axis : ndarray, shape (n,)
        Ascending.
    ends : pair of Anchor or Endpoint
        In any order.

    Returns
    -------
    tuple of two PlacedEnd

    Raises
    ------
    ValueError
        When an end lies outside the axis, a window holds too few samples, or
        the two ends overlap or touch.
    """
    if len(ends) != 2:
        msg = f"'ends' must be two anchors or endpoints; found {len(ends)}."
        raise ValueError(msg)
    for end in ends:
        _check_on_axis(end, axis)
    return locate_ends(axis, ends)


def locate_ends(axis: Array, ends: tuple[End, End]) -> tuple[PlacedEnd, PlacedEnd]:
    """Place ends on the samples that are left of an axis they are known to lie on."""
    first, last = sorted((_find_samples(axis, end) for end in ends), key=lambda samples: samples[:2])
    if first[1] > last[0]:
        msg = f"'ends' must not overlap; found {first[2]} and {last[2]}. Move them apart."
        raise ValueError(msg)
    if last[0] - (first[1] - 1) < 2:
        msg = f"'ends' must have a sample between them; found none between {first[2]} and {last[2]}. Move them apart."
        raise ValueError(msg)
    return (
        PlacedEnd(first[2], first[0], first[1], inner=first[1] - 1),
        PlacedEnd(last[2], last[0], last[1], inner=last[0]),
    )


def measure_level(placed: PlacedEnd, values: Array) -> Array:
    """Measure the end level of each spectrum, shape (rows,), from `values`, shape (rows, n)."""
    if isinstance(placed.end, Anchor):
        return np.asarray(values[:, placed.start : placed.stop].mean(axis=1) + placed.end.offset)
    if placed.end.level is None:
        return values[:, placed.inner].copy()
    return np.full(len(values), float(placed.end.level))


def _find_samples(axis: Array, end: End) -> tuple[int, int, End]:
    if isinstance(end, Endpoint):
        at = int(np.argmin(np.abs(axis - end.position)))
        return at, at + 1, end
    start = int(np.searchsorted(axis, end.window.low, "left"))
    stop = int(np.searchsorted(axis, end.window.high, "right"))
    if stop - start < end.min_points:
        msg = (
            f"'window' {end.window} must hold at least {end.min_points} usable samples; found {stop - start}. "
            "Widen it, or lower 'min_points' for data without noise."
        )
        raise ValueError(msg)
    return start, stop, end


def _check_on_axis(end: End, axis: Array) -> None:
    # Half a step beyond the outermost samples still means these samples.
    low, high = axis[0] - (axis[1] - axis[0]) / 2, axis[-1] + (axis[-1] - axis[-2]) / 2
    interval = (end.window.low, end.window.high) if isinstance(end, Anchor) else (end.position, end.position)
    if interval[1] < low or interval[0] > high:
        name, found = ("window", end.window) if isinstance(end, Anchor) else ("position", f"{end.position:g}")
        msg = f"'{name}' must lie on the axis, {axis[0]:g} to {axis[-1]:g}; found {found}."
        raise ValueError(msg)
