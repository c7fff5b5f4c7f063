"""Generated Raman spectra of alike samples under strong fluorescence, where a background follows its target.

Mixtures of eight substances whose lines overlap, above a broad fluorescence
whose strength and shape differ from sample to sample by far more than the
lines do. This is what a cleaner that rests on a stationary background was not
made for, and what an analyst has; settings of a network are chosen here, and
not on the real sets that judge it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

__all__ = ["RamanSpectra", "make_raman_set"]

Array = NDArray[np.float64]

SUBSTANCES, LINES = 8, 12
LINE_SIGMA = (4.0, 14.0)  # 1/cm
SHIFTS = (100.0, 3400.0)  # 1/cm
# Of the fluorescence: humps, their widths as shares of the axis, and how its
# strength (log-normal) and shape scatter from sample to sample, and between
# repeats of one sample, which bleaches.
HUMPS, HUMP_SIGMA = 16, (0.05, 0.3)
STRENGTH, STRENGTH_SPREAD, SHAPE_SPREAD, REPEAT_SPREAD = 40_000.0, 0.8, 0.15, 0.03
LINE_HEIGHT, LASER_SPREAD = 3_000.0, 0.05  # counts; of the laser, from repeat to repeat


@dataclass(frozen=True)
class RamanSpectra:
    """Spectra with their truth.

    Attributes
    ----------
    spectra : SpectraSet
        Its composition is the share of the first substance, in percent.
    signal, background : ndarray, shape (n, N)
        Counts; measured = signal + background + noise.
    """

    spectra: SpectraSet
    signal: Array
    background: Array


def make_raman_set(
    seed: int = 0, *, targets: int = 42, repeats: int = 3, channels: int = 3300, exposure: float = 1.0
) -> RamanSpectra:
    """Make repeats of several samples; a repeat is a location.

    Parameters
    ----------
    seed : int
        The same seed gives the same arrays.
    targets, repeats, channels : int
    exposure : float
        Factor on all counts; the noise is that of counting them.

    Raises
    ------
    ValueError
        When a number is not above zero.
    """
    for name, value in {"targets": targets, "repeats": repeats, "channels": channels, "exposure": exposure}.items():
        check_positive(name, value)
    rng = np.random.default_rng(seed)
    axis = np.linspace(*SHIFTS, channels)
    shares = rng.dirichlet(np.full(SUBSTANCES, 5.0), targets)
    lines = shares @ np.stack([_draw_lines(rng, axis) for _ in range(SUBSTANCES)])
    humps = _draw_humps(rng, axis)
    mix = rng.dirichlet(np.full(HUMPS, 1 / SHAPE_SPREAD**2 / HUMPS), targets) * HUMPS
    strength = rng.lognormal(0, STRENGTH_SPREAD, (targets, 1))
    fluorescence = STRENGTH / HUMPS * strength * (mix @ humps)
    laser = rng.lognormal(0, LASER_SPREAD, (targets * repeats, 1))
    bleached = rng.lognormal(0, REPEAT_SPREAD, (targets * repeats, 1))
    signal = exposure * laser * np.repeat(lines, repeats, axis=0)
    background = exposure * laser * bleached * np.repeat(fluorescence, repeats, axis=0)
    measured = rng.poisson(signal + background).astype(np.float32)
    names = tuple(f"sample {number:02d}" for number in range(targets))
    spectra = make_spectra_set(
        axis, measured, targets=np.repeat(names, repeats), locations=np.tile(np.arange(repeats), targets),
        axis_unit="1/cm", composition=Composition(names, ("share",), 100 * shares[:, :1], "%"),
        provenance={"generated": "raman", "seed": seed},
    )  # fmt: skip
    return RamanSpectra(spectra, signal, background)


def _draw_lines(rng: np.random.Generator, axis: Array) -> Array:
    places = rng.uniform(axis[0] + 50, axis[-1] - 50, LINES)
    widths, heights = rng.uniform(*LINE_SIGMA, LINES), rng.exponential(LINE_HEIGHT, LINES)
    shapes = np.exp(-0.5 * ((axis - places[:, None]) / widths[:, None]) ** 2)
    return np.asarray(heights @ shapes)


def _draw_humps(rng: np.random.Generator, axis: Array) -> Array:
    span = axis[-1] - axis[0]
    places = axis[0] + span * rng.uniform(0, 1, HUMPS)
    widths = span * rng.uniform(*HUMP_SIGMA, HUMPS)
    return np.asarray(np.exp(-0.5 * ((axis - places[:, None]) / widths[:, None]) ** 2))
