"""Backgrounds in closed form: the step that belongs to a line of known shape.

Where the shape of the line is known, Shirley's equation needs neither
iteration nor data: the background rises by the share of the line's area that
lies beyond each energy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.spectra.line_shapes import Line

__all__ = ["WINDOWS", "estimate_step"]

Array = NDArray[np.float64]

#: How much of the line counts: what lies between both positions, or all of it.
WINDOWS = ("finite", "infinite")


def estimate_step(
    axis: ArrayLike,
    line: Line,
    *,
    positions: tuple[float, float],
    levels: tuple[ArrayLike, ArrayLike],
    window: str = "finite",
) -> Array:
    """Estimate the background below a line from its shape and two end levels.

    B(E) = I2 + (I1 - I2) x (area of the line from E to E2) / (whole area).

    With ``window="finite"`` the whole area is that from E1 to E2; B then meets
    I1 and I2 exactly, and is the fixed point of Shirley's equation for
    measured = line + B. With ``window="infinite"`` it is the area from minus
    to plus infinity: for a Lorentzian this is the formula of the paper,
    B_L(E) = I2 + (I1 - I2)/pi (pi/2 - arctan u) with u = (E - centre) /
    half_width, and it misses both levels by what the tails hold beyond the
    window (10 % of the step where the window ends three half widths out).

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energies; any order, any spacing.
    line : Line
        Centre, half width and share of the Lorentzian. Of a pseudo-Voigt line
        each part is taken with its share of the area, not of the height.
    positions : (float, float)
        E1 and E2, in either order on the axis.
    levels : (float, float) or two arrays of shape (...,)
        I1 at E1 and I2 at E2: levels of the *background*. A level that was
        read off the data contains the tail of the line too.
    window : {"finite", "infinite"}
        Which area counts as the whole.

    Returns
    -------
    ndarray, shape (..., n)
        In the unit of the levels. Beyond the positions the finite form is held
        at the level of that end; the infinite form runs on.

    Raises
    ------
    ValueError
        When the positions are equal or not finite, or the window is unknown.
    ComputeError
        When the line has no area between the positions.

    References
    ----------
    A. Qajar, "Gaussian-Lorentzian Layer Background Removal", equation of B_L.
    D. A. Shirley, Phys. Rev. B 5, 4709 (1972), doi:10.1103/PhysRevB.5.4709.
    """
    check_choice("window", window, WINDOWS)
    first, last = _check_positions(positions)
    energies = np.asarray(axis, float)
    if window == "finite":
        held = np.clip(energies, min(first, last), max(first, last))
        share = line.area_share(held, last, interval=(first, last))
    else:
        far = np.copysign(np.inf, last - first)
        share = line.area_share(energies, far, interval=(-far, far))
    start, stop = (np.asarray(level, float)[..., np.newaxis] for level in levels)
    return np.asarray(stop + (start - stop) * share)


def _check_positions(positions: tuple[Any, Any]) -> tuple[float, float]:
    first, last = (float(position) for position in positions)
    if not (np.isfinite(first) and np.isfinite(last) and first != last):
        msg = f"'positions' must be two different energies; found {first} and {last}. Move one of them."
        raise ValueError(msg)
    return first, last
