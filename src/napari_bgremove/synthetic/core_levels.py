"""Photoelectron spectra of a doublet on its inelastic background: one, or one in every row of a detector.

The lines are Au 4f (84.0 and 87.67 eV, areas 4 : 3), pseudo-Voigt, on the
kinetic energies of Al K-alpha; the background is Shirley's, of which the
truth is known in closed form: at each energy the end level plus kappa times the
area of the lines beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from napari_bgremove._validation import check_positive

__all__ = ["CoreLevelImage", "make_core_level_image"]

Array = NDArray[np.float64]

PHOTON_EV = 1486.6
LINES_EV = ((84.0, 4.0), (87.67, 3.0))  # binding energy, relative area
WIDTH_EV, GAUSSIAN_SHARE = 0.9, 0.6  # full width at half maximum
BINDING_EV = (79.0, 94.0)


@dataclass(frozen=True)
class CoreLevelImage:
    """Spectra in the rows of a detector image, with their truth.

    Attributes
    ----------
    energy : ndarray, shape (columns,)
        Kinetic energy, eV, ascending.
    measured, signal, background : ndarray, shape (rows, columns)
        Counts; measured is drawn from signal + background, and is NaN in the dead rows.
    metadata : dict
        What it was made of.
    """

    energy: Array
    measured: NDArray[np.float32]
    signal: NDArray[np.float32]
    background: NDArray[np.float32]
    metadata: dict[str, Any]


def make_core_level_image(
    seed: int,
    *,
    shape: tuple[int, int] = (256, 601),
    peak: float = 300.0,
    floor: float = 60.0,
    step: float = 0.25,
    dead_rows: int = 2,
) -> CoreLevelImage:
    """Make a detector image of a core level: energy along the columns, angle along the rows.

    Parameters
    ----------
    seed : int
        The same seed gives the same arrays.
    shape : (rows, columns)
    peak : float
        Height of the higher line in the brightest row, counts.
    floor : float
        Background at the highest kinetic energy, counts.
    step : float
        Rise of the background across the doublet, as a share of `peak`.
    dead_rows : int
        Rows without a measurement.

    Returns
    -------
    CoreLevelImage

    Raises
    ------
    ValueError
        When a count is not above zero.
    """
    for name, value in {"peak": peak, "floor": floor, "rows": shape[0], "columns": shape[1]}.items():
        check_positive(name, value)
    rng = np.random.default_rng(seed)
    low, high = (PHOTON_EV - edge for edge in reversed(BINDING_EV))
    energy = np.linspace(low, high, shape[1])
    lines = peak * sum(share / LINES_EV[0][1] * _pseudo_voigt(energy - (PHOTON_EV - at)) for at, share in LINES_EV)
    area = cumulative_trapezoid(lines, energy, initial=0)
    beyond = area[-1] - area
    shirley = floor + step * peak * beyond / beyond[0]
    angle = np.linspace(-1, 1, shape[0])
    brightness = (0.25 + 0.75 * np.exp(-((angle / 0.6) ** 2)))[:, None]
    signal, background = brightness * lines, brightness * shirley
    measured = rng.poisson(signal + background).astype(np.float32)
    measured[rng.choice(shape[0], size=min(dead_rows, shape[0] - 1), replace=False)] = np.nan
    about = {
        "kind": "core level", "seed": seed, "lines_ev": LINES_EV, "width_ev": WIDTH_EV, "peak": peak, "floor": floor,
        "step": step,
    }  # fmt: skip
    return CoreLevelImage(energy, measured, signal.astype(np.float32), background.astype(np.float32), about)


def _pseudo_voigt(offset: Array) -> Array:
    half = WIDTH_EV / 2
    gaussian = np.exp(-np.log(2) * (offset / half) ** 2)
    lorentzian = 1 / (1 + (offset / half) ** 2)
    return np.asarray(GAUSSIAN_SHARE * gaussian + (1 - GAUSSIAN_SHARE) * lorentzian)
