"""From lines on an image to spectra; no widget, no layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.axis_calibration import LinearAxis, make_axis_from_points, make_axis_from_scale
from napari_bgremove.images.line_profiles import LineProfile, extract_profile, extract_rectangle_profile
from napari_bgremove.images.profiles import azimuthal_profile, radial_profile
from napari_bgremove.images.sampling import ImageSampler

__all__ = [
    "AxisChoice",
    "BandChoice",
    "ImagePlace",
    "Source",
    "read_line",
    "read_rings",
    "read_sectors",
    "values_along",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BandChoice:
    """How an image is read along a line."""

    width: float = 1.0
    reduce: str = "mean"
    order: int = 1
    side: int = 0  # of a rectangle


@dataclass(frozen=True)
class ImagePlace:
    """Where the pixels of an image lie in the world along its axes, and what that is called."""

    scale: tuple[float, ...] = (1.0, 1.0)
    translate: tuple[float, ...] = (0.0, 0.0)
    unit: str = "px"


@dataclass(frozen=True)
class AxisChoice:
    """What the length along a line stands for.

    Attributes
    ----------
    source : {"length", "columns", "rows", "points"}
        The length itself; the scale of the image along its columns or rows;
        or two known points.
    name, unit : str
    points : two (position, value) pairs
    """

    source: str = "length"
    name: str = "pixel"
    unit: str = ""
    points: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (1.0, 1.0))

    def apply(self, profile: LineProfile, place: ImagePlace) -> LinearAxis:
        """Return the axis of a profile."""
        if self.source == "points":
            return make_axis_from_points(self.points, name=self.name, unit=self.unit or None)
        if self.source in ("rows", "columns"):
            along = ("rows", "columns").index(self.source)
            return make_axis_from_scale(
                profile.position, profile.points, image_axis=along, scale=place.scale[along],
                translate=place.translate[along], name=self.name, unit=self.unit or self._usual_unit(place),
            )  # fmt: skip
        return LinearAxis(name=self.name, unit=self.unit or place.unit)

    def _usual_unit(self, place: ImagePlace) -> str | None:
        """That of the image, unless nobody said what its pixels are: then that of the name."""
        return None if place.unit == "px" else place.unit


@dataclass(frozen=True)
class Source:
    """A spectrum before its backgrounds.

    Attributes
    ----------
    name, colour : str
        As table, legend and image show it.
    profile : LineProfile
        Without points where it was not read on an image.
    axis : LinearAxis
        What the positions of the profile stand for.
    file : (path, label) or None
        Where it comes from, if not from a layer.
    """

    name: str
    colour: str
    profile: LineProfile
    axis: LinearAxis = field(default_factory=LinearAxis)
    file: tuple[str, str] | None = None

    @property
    def values(self) -> Array:
        """The axis at each sample."""
        return self.axis.to_values(self.profile.position)

    def on(self, axis: LinearAxis) -> Source:
        """Return the spectrum on another axis."""
        return replace(self, axis=axis)


def values_along(choice: AxisChoice, image_axis: int, count: int, place: ImagePlace) -> Array:
    """Return the axis of spectra that run along an axis of the image itself, one sample a pixel."""
    length: Array = np.arange(count, dtype=np.float64) * place.scale[image_axis]
    if choice.source == "points":
        return make_axis_from_points(choice.points, name=choice.name).to_values(length)
    return length if choice.source == "length" else np.asarray(length + place.translate[image_axis])


def read_line(
    image: ImageSampler, vertices: Array, how: BandChoice, place: ImagePlace, *, is_rectangle: bool = False
) -> LineProfile:
    """Read an image along a drawn line or rectangle."""
    pixel = place.scale[-2], place.scale[-1]
    if is_rectangle:
        return extract_rectangle_profile(image, vertices, side=how.side, reduce=how.reduce, scale=pixel)
    return extract_profile(image, vertices, width=how.width, reduce=how.reduce, scale=pixel)


def read_rings(values: NDArray[Any], centre: tuple[float, float], width: float, place: ImagePlace) -> LineProfile:
    """Average an image over rings about a point; the profile runs from it along the columns."""

    def average(image: Array) -> tuple[Array, Array, NDArray[np.int64]]:
        return radial_profile(image, centre=centre, width=width)

    radius, mean, sigma, count = _with_sigma(values, average)
    points = np.asarray(centre) + radius[:, None] * np.array([0.0, 1.0])
    return LineProfile(radius * place.scale[-1], mean, sigma, count, points)


def read_sectors(
    values: NDArray[Any], centre: tuple[float, float], radii: tuple[float, float], width: float = 1.0
) -> LineProfile:
    """Average an image over the sectors of a ring; the profile runs along its middle, its position in degrees."""

    def average(image: Array) -> tuple[Array, Array, NDArray[np.int64]]:
        return azimuthal_profile(image, centre=centre, radii=radii, width=width)

    angle, mean, sigma, count = _with_sigma(values, average)
    turn = np.radians(angle)
    points = np.asarray(centre) + np.mean(radii) * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return LineProfile(angle, mean, sigma, count, points)


def _with_sigma(
    values: NDArray[Any], average: Callable[[Array], tuple[Array, Array, NDArray[np.int64]]]
) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Return position, mean, standard error from the scatter, and count of each bin."""
    known = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    position, mean, count = average(known)
    square = average(known**2)[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a bin of one pixel has no scatter: NaN
        sigma = np.sqrt(np.maximum(square - mean**2, 0) / (count - 1))
    return position, mean, np.where(count > 1, sigma, np.nan), count
