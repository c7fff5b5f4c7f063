"""Find the line in a spectrum, together with the step that it brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.optimize import least_squares

from napari_bgremove._validation import check_choice
from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.line_shapes import SHAPES, Line
from napari_bgremove.spectra.steps import estimate_step

__all__ = ["FittedLine", "fit_line"]

Array = NDArray[np.float64]

# Share of the Lorentzian that belongs to a shape; None is fitted.
_SHARES = {"lorentzian": 1.0, "gaussian": 0.0, "pseudo_voigt": None}
_FIRST_SHARE = 0.5
# A centre this near to the end of its range, as a share of the range, was stopped there.
_AT_LIMIT = 1e-6


@dataclass(frozen=True)
class FittedLine:
    """A line found in a spectrum.

    Attributes
    ----------
    line : Line
    area : float
        Of the line inside the interval, intensity times unit of the axis.
    """

    line: Line
    area: float


def fit_line(
    axis: Array,
    measured: Array,
    *,
    levels: tuple[float, float],
    shape: str = "lorentzian",
    centre: float | None = None,
    half_width: float | None = None,
    lorentzian_share: float | None = None,
    window: str = "finite",
) -> FittedLine:
    """Fit one line and its own step to a spectrum, so that both agree with each other.

    measured = area x line + step(line, levels) in the sense of least squares.
    The line is thus the peak of the *net* spectrum, without a background
    having to be known before. Whatever is given is kept; the rest is fitted.
    One line is fitted: a doublet gets its common envelope, and is better
    served by Shirley's background.

    Parameters
    ----------
    axis : ndarray, shape (n,)
        Strictly monotonic; its first and last position are the ends.
    measured : ndarray, shape (n,)
        NaN is left out.
    levels : (float, float)
        Background at the first and the last position.
    shape : {"lorentzian", "gaussian", "pseudo_voigt"}
        Shape of the line.
    centre, half_width : float, optional
        In the unit of the axis.
    lorentzian_share : float, optional
        For the pseudo-Voigt shape alone; see `Line`.
    window : {"finite", "infinite"}
        As for `estimate_step`.

    Returns
    -------
    FittedLine

    Raises
    ------
    ValueError
        When the shape is unknown, or a share is given for a shape that has
        none.
    ComputeError
        When no peak rises above the straight line between the levels, or no
        line fits inside the interval.
    """
    check_choice("shape", shape, SHAPES)
    if lorentzian_share is not None and shape != "pseudo_voigt":
        msg = f"'lorentzian_share' belongs to the shape pseudo_voigt alone; found it with {shape}. Leave it out."
        raise ValueError(msg)
    usable = np.isfinite(measured)
    problem = _Problem(axis[usable], measured[usable], (float(axis[0]), float(axis[-1])), levels, window)
    share = _SHARES[shape] if lorentzian_share is None else lorentzian_share
    return problem.solve((centre, half_width, share))


@dataclass(frozen=True)
class _Problem:
    axis: Array
    measured: Array
    interval: tuple[float, float]
    levels: tuple[float, float]
    window: str

    def solve(self, given: Sequence[float | None]) -> FittedLine:
        start, low, high = self._first_guess()
        free = [index for index, value in enumerate(given) if value is None]
        values = np.array([guess if value is None else value for value, guess in zip(given, start, strict=True)])
        if free:
            bounds = (low[free], high[free])
            inside = np.clip(values[free], bounds[0], bounds[1])

            def residual(parameters: Array) -> Array:
                return self._residual(_insert(values, free, parameters))[0]

            found = least_squares(residual, inside, bounds=bounds, x_scale=(high - low)[free], xtol=1e-13, ftol=1e-13)
            values = _insert(values, free, found.x)
            self._check_inside(values, free, low, high)
        area = self._residual(values)[1]
        if area <= 0:
            raise ComputeError(_no_peak("the fitted area is", area))
        return FittedLine(Line(*map(float, values)), area)

    def _residual(self, values: Array) -> tuple[Array, float]:
        """Misfit and area; the area enters linearly and is solved for on the way."""
        line = Line(*map(float, values))
        step = estimate_step(self.axis, line, positions=self.interval, levels=self.levels, window=self.window)
        density = line.density(self.axis, interval=self.interval)
        net = self.measured - step
        area = float(net @ density / (density @ density))
        return net - area * density, area

    def _first_guess(self) -> tuple[Array, Array, Array]:
        """Centre, half width and share to start from, with their limits."""
        low, high = min(self.interval), max(self.interval)
        net = self.measured - np.interp(self.axis, *_ascending(self.interval, self.levels))
        top = int(np.argmax(net))
        if net[top] <= 0:
            raise ComputeError(_no_peak("its highest sample is", float(net[top])))
        finest = float(np.abs(np.diff(self.axis)).min())
        upper_half = abs(float(trapezoid(np.clip(net, 0, None), self.axis))) / (np.pi * net[top])
        width = float(np.clip(upper_half, finest, high - low))
        return (
            np.array([self.axis[top], width, _FIRST_SHARE]),
            np.array([low, finest / 4, 0.0]),
            np.array([high, high - low, 1.0]),
        )

    def _check_inside(self, values: Array, free: list[int], low: Array, high: Array) -> None:
        for index, name in ((0, "centre"), (1, "half_width")):
            margin = _AT_LIMIT * (high - low)[index]
            if index in free and not low[index] + margin < values[index] < high[index] - margin:
                msg = (
                    f"'{name}' must be found inside {low[index]:.6g} to {high[index]:.6g}; the fit ran to "
                    f"{values[index]:.6g}. Move the ends so that one line stands between them, or give '{name}'."
                )
                raise ComputeError(msg)


def _insert(values: Array, places: list[int], new: Array) -> Array:
    filled = values.copy()
    filled[places] = new
    return filled


def _ascending(positions: tuple[float, float], levels: tuple[float, float]) -> tuple[Array, Array]:
    order = np.argsort(positions)
    return np.asarray(positions)[order], np.asarray(levels)[order]


def _no_peak(what: str, value: float) -> str:
    return (
        f"'measured' must rise above the straight line between its end levels, or there is no line to fit; {what} "
        f"{value:.6g}. Move the ends, or give 'centre' and 'half_width'."
    )
