"""From the length along a profile to the energy or wavelength it stands for: a straight line, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["USUAL_UNITS", "LinearAxis", "make_axis_from_points", "make_axis_from_scale"]

#: The unit an axis of this name has when nobody says otherwise.
USUAL_UNITS = {
    "energy": "eV",
    "binding energy": "eV",
    "kinetic energy": "eV",
    "wavelength": "nm",
    "pixel": "px",
}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearAxis:
    """value = offset + slope * position.

    Attributes
    ----------
    offset : float
        Value at position 0, in `unit`.
    slope : float
        Change of the value per unit of position; not zero.
    name : str
        What the value is: "energy", "wavelength", "pixel" or a word of your own.
    unit : str
        Of the value; may be empty.

    Raises
    ------
    ValueError
        When the offset is not finite, the slope not finite or zero, or the
        name empty.
    """

    offset: float = 0.0
    slope: float = 1.0
    name: str = "pixel"
    unit: str = "px"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.offset) and np.isfinite(self.slope)) or self.slope == 0:
            msg = (
                f"'{self.name or 'axis'}' must change along the profile, by finite numbers; found {self.offset} at "
                f"position 0 and {self.slope} {self.unit} per unit of position."
            )
            raise ValueError(msg)
        if not self.name.strip():
            msg = f"'name' must say what the axis is, as 'energy'; found {self.name!r}."
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """Name and unit, as they stand beside a plot: 'energy (eV)'."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def to_values(self, positions: ArrayLike) -> Array:
        """Return what the positions stand for."""
        return np.asarray(self.offset + self.slope * np.asarray(positions, np.float64))

    def to_positions(self, values: ArrayLike) -> Array:
        """Return where on the profile the values lie."""
        return np.asarray((np.asarray(values, np.float64) - self.offset) / self.slope)


def make_axis_from_points(
    points: Sequence[tuple[float, float]], *, name: str = "energy", unit: str | None = None
) -> LinearAxis:
    """Calibrate a profile by two points whose values are known.

    Parameters
    ----------
    points : two (position, value) pairs
        Position on the profile and the value there, as the energies of two
        known lines. In any order; the values may fall along the profile.
    name : str
        What the value is.
    unit : str, optional
        Its unit; by default the usual one of that name, if any.

    Returns
    -------
    LinearAxis
        Passes through both points.

    Raises
    ------
    ValueError
        When there are not two points, or their positions or their values are
        the same or not finite.
    """
    if len(points) != 2:
        msg = f"'points' must be two (position, value) pairs; found {len(points)}."
        raise ValueError(msg)
    (first, first_value), (second, second_value) = ((float(x), float(y)) for x, y in points)
    for what, one, other in (("positions", first, second), ("values", first_value, second_value)):
        if not (np.isfinite(one) and np.isfinite(other)) or one == other:
            msg = f"'points' must have two different, finite {what}; found {one} and {other}."
            raise ValueError(msg)
    slope = (second_value - first_value) / (second - first)
    return LinearAxis(first_value - slope * first, slope, name, _unit_of(name, unit))


def make_axis_from_scale(
    position: ArrayLike,
    points: ArrayLike,
    *,
    image_axis: int,
    scale: float,
    translate: float = 0.0,
    name: str = "energy",
    unit: str | None = None,
) -> LinearAxis:
    """Calibrate a straight profile by the scale of the image: value = translate + scale * pixel along one image axis.

    For a detector of which one axis is the energy, as recorded by its scale
    (-43 eV + 0.05 eV per column); the line may be oblique.

    Parameters
    ----------
    position : array_like, shape (n,)
    points : array_like, shape (n, 2)
        Of a `LineProfile` along a straight line.
    image_axis : {0, 1}
        The axis of the image that is calibrated: 0 rows, 1 columns.
    scale, translate : float
        Value per pixel, and value at the centre of pixel 0.
    name, unit
        As for `make_axis_from_points`.

    Returns
    -------
    LinearAxis

    Raises
    ------
    ValueError
        When the profile bends, or runs at right angles to the calibrated
        axis, or `image_axis` is neither 0 nor 1.
    """
    if image_axis not in (0, 1):
        msg = f"'image_axis' must be 0 (rows) or 1 (columns); found {image_axis}."
        raise ValueError(msg)
    along = np.asarray(position, np.float64)
    values = translate + scale * np.asarray(points, np.float64)[:, image_axis]
    axis = make_axis_from_points([(along[0], values[0]), (along[-1], values[-1])], name=name, unit=unit)
    bend = float(np.abs(axis.to_values(along) - values).max())
    if bend > 1e-6 * abs(values[-1] - values[0]):
        msg = (
            f"'points' must lie on a straight line for a scale to become its axis; found a bend of {bend:g} "
            f"{axis.unit}. Calibrate by two points instead."
        )
        raise ValueError(msg)
    return axis


def _unit_of(name: str, unit: str | None) -> str:
    return USUAL_UNITS.get(name, "") if unit is None else unit
