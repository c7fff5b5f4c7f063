"""The wanted signal: expected scattering of one of several experiments, and the photons counted from it.

The families are the kinds of picture users bring: small-angle scattering with
rings and streaks, gratings, grazing incidence, oriented lobes, protein
crystals, powders. Each is drawn wide (domain randomisation) instead of being
fitted to any measured image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_bgremove._validation import check_choice, check_positive
from napari_bgremove.synthetic import patterns
from napari_bgremove.synthetic.charge import collect_charge
from napari_bgremove.synthetic.patterns import Floats, Grid
from napari_bgremove.synthetic.transport import Deposits, Electrons, Sensor

__all__ = ["FAMILIES", "Scattering", "count_photons", "make_expected"]

MOST_SHARED = 2_000_000


@dataclass(frozen=True)
class Scattering:
    """One scattering experiment.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    level_kev : float
        99th percentile of the expected image, keV per pixel.
    photon_kev : float
        Energy of one counted quantum, keV; 0 leaves counting noise out (averages of many frames).
    pedestal_kev : float
        Constant added everywhere.
    noise_kev : float
        White noise that is part of the recorded signal (as of an analogue readout in other units), one sigma.
    exponent : float
        Power-law exponent of the central scattering.
    charge_shared : bool
        Let photons share their charge between neighbouring pixels where they are few (integrating detectors).
    optics_px, spread_px : float
        Gaussian blur before the photons are counted (source, optics) and after (scintillator), pixels.
    centre : (float, float)
        Beam centre as a share of rows and columns.
    turn : float
        Angle (rad) by which streaks, gratings and lobes are turned.
    speckle : float
        Contrast of coherent speckle, 0 for none.
    stopped, framed : bool
        With a beam stop; with the edge of a mirror or window.
    """

    family: str = "saxs"
    level_kev: float = 100.0
    photon_kev: float = 8.0
    pedestal_kev: float = 0.0
    noise_kev: float = 0.0
    exponent: float = 3.0
    optics_px: float = 0.6
    spread_px: float = 0.0
    centre: tuple[float, float] = (0.5, 0.3)
    turn: float = 0.0
    charge_shared: bool = False
    speckle: float = 0.0
    stopped: bool = True
    framed: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown families and levels that are not positive."""
        check_choice("family", self.family, FAMILIES)
        check_positive("level_kev", self.level_kev, unit="keV")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one experiment at random."""
        level = float(np.exp(rng.uniform(np.log(2), np.log(1000))))
        # Half of the draws count X-ray photons of 5-20 keV, half any quantum: results in other units, other detectors.
        if rng.random() < 0.5:
            quantum = float(rng.uniform(5, 20))
        else:
            quantum = level / float(np.exp(rng.uniform(np.log(0.7), np.log(1e5))))
        smooth = rng.random() < 0.12
        family = str(rng.choice(FAMILIES, p=FAMILY_SHARES))
        # Beam mostly on the module; at grazing incidence near its lower edge, so that the pattern is seen.
        row = rng.uniform(0.4, 1.1) if family == "gisaxs" else rng.uniform(-0.2, 1.2)
        return cls(
            family=family,
            level_kev=level,
            photon_kev=0.0 if smooth else quantum,
            pedestal_kev=level * float(rng.choice([0.0, 10 ** rng.uniform(-2, 1.0)], p=[0.7, 0.3])),
            # Analogue readout: from nothing to the size of the signal itself.
            noise_kev=level * float(rng.choice([0.0, 10 ** rng.uniform(-3, -0.2)], p=[0.65, 0.35])),
            exponent=float(rng.uniform(1.5, 4.2)),
            optics_px=float(rng.choice([0.0, rng.uniform(0.2, 1.5)])),
            spread_px=float(rng.choice([0.0, rng.uniform(0.3, 1.5)], p=[0.75, 0.25])),
            centre=(float(row), float(rng.uniform(-0.1, 1.1))),
            charge_shared=bool(rng.random() < 0.3),
            speckle=float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.8, 0.2])),
            stopped=bool(rng.random() < 0.7),
            framed=bool(rng.random() < 0.3),
        )


def _saxs(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    scale = float(max(grid.shape))
    image = patterns.power_law(grid.radius, s.exponent, scale * 10 ** rng.uniform(-2.3, -0.8))
    for _ in range(int(rng.integers(0, 3))):
        size = scale * rng.uniform(0.03, 0.4)
        rings = patterns.form_factor(grid.radius, size, rng.uniform(0.02, 0.2), rng.choice([0.0, rng.uniform(-0.9, 1)]))
        image = image + np.float32(10 ** rng.uniform(-1.5, 1)) * rings
    for _ in range(int(rng.integers(0, 5))):
        image = image + _any_streak(grid, s.turn, rng)
    return image


def _any_streak(grid: Grid, turn: float, rng: np.random.Generator) -> Floats:
    scale = float(max(grid.shape))
    line = patterns.streak(
        grid,
        rng.uniform(0, np.pi) + turn,
        width=rng.uniform(0.7, 6),
        exponent=rng.uniform(1, 3),
        core=scale * rng.uniform(0.005, 0.1),
        lorentzian=bool(rng.random() < 0.5),
    )
    return np.asarray(np.float32(10 ** rng.uniform(-2, 0.5)) * line)


def _grating(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    scale = float(max(grid.shape))
    image = np.float32(10 ** rng.uniform(-4, -1)) * patterns.power_law(grid.radius, s.exponent, scale * 0.01)
    angle = rng.uniform(0, np.pi) + s.turn
    for _ in range(int(rng.integers(1, 3))):
        image = image + patterns.comb(
            grid,
            angle,
            spacing=rng.uniform(6, 60),
            width=rng.uniform(0.7, 3),
            across_width=rng.uniform(0.8, 6),
            damping=scale * rng.uniform(0.1, 1),
        )
        angle += rng.choice([np.pi / 2, rng.uniform(0, np.pi)])
    return image + np.float32(0.1) * _any_streak(grid, s.turn, rng)


def _gisaxs(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    image = patterns.gisaxs(grid, rng, size=float(max(grid.shape)) * rng.uniform(0.1, 0.5))
    beam = patterns.power_law(grid.radius, s.exponent, rng.uniform(1, 10))
    return np.asarray(image + np.float32(10 ** rng.uniform(-1, 1)) * beam + np.float32(10 ** rng.uniform(-5, -2)))


def _lobes(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    scale = float(min(grid.shape))
    image = np.float32(10 ** rng.uniform(-1, 1.5)) * patterns.power_law(grid.radius, s.exponent, scale * 0.02)
    for _ in range(int(rng.integers(1, 4))):
        image = image + np.float32(10 ** rng.uniform(-1, 0)) * patterns.lobes(
            grid,
            rng.uniform(0, np.pi) + s.turn,
            radius=scale * rng.uniform(0.02, 0.6),
            width=scale * rng.uniform(0.01, 0.12),
            folds=int(rng.choice([2, 2, 2, 4, 6])),
            sharpness=rng.uniform(0.5, 40),
        )
    return np.asarray(image + np.float32(10 ** rng.uniform(-4, -1)))


def _protein(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    scale = float(max(grid.shape))
    image = patterns.halo(grid.radius, scale * rng.uniform(0.1, 0.4), scale * rng.uniform(0.04, 0.2))
    inner = patterns.power_law(grid.radius, 1.5, scale * rng.uniform(0.05, 0.4))
    image = image + np.float32(rng.uniform(0.1, 1)) * inner
    count = int(np.exp(rng.uniform(np.log(2e-4), np.log(6e-3))) * grid.radius.size)
    spots = patterns.bragg_spots(grid, rng, count=count, width=rng.uniform(0.6, 2.5), decades=rng.uniform(1, 3.5))
    return np.asarray(image + np.float32(10 ** rng.uniform(0, 3.3)) * spots)


def _powder(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    scale = float(max(grid.shape))
    texture = rng.uniform(0, 0.9) * (rng.random() < 0.5)
    rings = patterns.powder_rings(grid, rng, count=int(rng.integers(1, 15)), width=rng.uniform(0.5, 4), texture=texture)
    diffuse = patterns.power_law(grid.radius, s.exponent, scale * rng.uniform(0.02, 0.3))
    return np.asarray(rings + np.float32(10 ** rng.uniform(-2.5, 0)) * diffuse + np.float32(10 ** rng.uniform(-4, -1)))


def _flat(grid: Grid, s: Scattering, rng: np.random.Generator) -> Floats:
    """Almost nothing but counts: a slow gradient with a few spots or none."""
    slope = patterns.power_law(grid.radius, 1.0, float(max(grid.shape)) * rng.uniform(0.3, 2))
    count = int(rng.choice([0, rng.uniform(0, 5e-4)]) * grid.radius.size)
    spots = patterns.bragg_spots(grid, rng, count=count, width=rng.uniform(0.5, 1.5), decades=rng.uniform(0.5, 2))
    return np.asarray(slope + np.float32(10 ** rng.uniform(-0.5, 1.5)) * spots)


_BUILDERS: dict[str, Callable[[Grid, Scattering, np.random.Generator], Floats]] = {
    "saxs": _saxs,
    "grating": _grating,
    "gisaxs": _gisaxs,
    "lobes": _lobes,
    "protein": _protein,
    "powder": _powder,
    "flat": _flat,
}
FAMILIES = tuple(_BUILDERS)
FAMILY_SHARES = (0.28, 0.1, 0.2, 0.13, 0.13, 0.08, 0.08)


def make_expected(shape: tuple[int, int], scattering: Scattering, rng: np.random.Generator) -> Floats:
    """Expected scattering (keV per pixel, without pedestal) before photons are counted.

    `rng` fixes all details of the picture: the same generator state and the
    same parameters give the same geometry.
    """
    centre = (scattering.centre[0] * shape[0], scattering.centre[1] * shape[1])
    grid = Grid.around(shape, centre)
    image = _BUILDERS[scattering.family](grid, scattering, rng)
    if scattering.speckle > 0:
        image = image * patterns.speckle(shape, rng, size=rng.uniform(0.6, 4), contrast=scattering.speckle)
    if scattering.stopped:
        radius = max(shape) * 10 ** rng.uniform(-2, -1)
        image = image * patterns.beamstop(grid, rng, radius=radius, transmission=10 ** rng.uniform(-5, -2))
    if scattering.framed:
        middle = Grid.around(shape, (shape[0] / 2, shape[1] / 2))
        image = image * patterns.mirror_edge(middle, rng)
    if scattering.optics_px > 0:
        image = gaussian_filter(image, scattering.optics_px, truncate=4.0)
    level = float(np.quantile(image[::2, ::2], 0.99))
    return np.asarray(image * np.float32(scattering.level_kev / max(level, 1e-12)), dtype=np.float32)


def count_photons(
    expected: Floats, scattering: Scattering, rng: np.random.Generator, *, sensor: Sensor | None = None
) -> NDArray[np.float64]:
    """Recorded signal (keV per pixel): counted quanta, spread, plus pedestal and the noise that belongs to it.

    With a `sensor` and `scattering.charge_shared`, every photon shares its
    charge with the neighbours of its pixel; above `MOST_SHARED` photons this
    would only be a blur of a tenth of a pixel, and is left out.
    """
    total = np.asarray(expected + scattering.pedestal_kev, dtype=np.float64)
    if scattering.photon_kev > 0:
        quanta = rng.poisson(total / scattering.photon_kev)
        total = scattering.photon_kev * quanta.astype(np.float64)
        if sensor is not None and scattering.charge_shared and quanta.sum() <= MOST_SHARED:
            total = _share_photons(quanta, scattering.photon_kev, sensor, rng)
    if scattering.spread_px > 0:
        total = gaussian_filter(total, scattering.spread_px, truncate=4.0)
    if scattering.noise_kev > 0:
        total = total + scattering.noise_kev * rng.standard_normal(total.shape)
    return np.asarray(total)


def _share_photons(
    quanta: NDArray[np.int64], energy: float, sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Place every photon inside its pixel and collect its charge cloud."""
    pixel = np.repeat(np.arange(quanta.size), quanta.ravel())
    row, column = np.divmod(pixel, quanta.shape[1])
    place = (np.stack([row, column], axis=1) + rng.random((pixel.size, 2))) * sensor.pitch
    position = np.column_stack([place, rng.random(pixel.size) * sensor.thickness])
    deposits = Deposits(position, np.full(pixel.size, energy), pixel, Electrons.none())
    return np.asarray(collect_charge(deposits, (quanta.shape[0], quanta.shape[1]), sensor=sensor)[0])
