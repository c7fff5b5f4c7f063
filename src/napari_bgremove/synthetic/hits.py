"""High-energy hits of a shot: what arrives, where, from which direction, and what it leaves in the sensor.

Three kinds arrive: bremsstrahlung photons that interact in the silicon (as a
photo-electron or by Compton scattering), electrons from outside, and a few
muons. The spectrum is the bi-Maxwellian of laser-plasma work (Armstrong et
al. 2019), behind a filter, plus the fluorescence lines of lead shielding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from napari_bgremove._validation import check_range
from napari_bgremove.synthetic.charge import collect_charge
from napari_bgremove.synthetic.sources import electrons_from_outside, interacting_photons, photon_electrons
from napari_bgremove.synthetic.transport import Deposits, Electrons, Sensor, join_electrons, track_electrons

__all__ = ["Hits", "make_hits", "make_rate_map"]

Floats = NDArray[np.float64]
MUON_ENERGY = 3e5  # keV; an electron this fast flies straight and ionises like a minimum-ionising muon
LEAST_ELECTRON = 20.0  # keV; slower ones do not get through a contact or a window
MUON_ENTRY_POWER = 2.0  # cosmic muons fall as cos^2
MARGIN = 24  # pixels around the image in which hits may enter and still reach it


@dataclass(frozen=True)
class Hits:
    """What the high-energy background of a shot is made of.

    Parameters
    ----------
    rate : float
        Expected hits per pixel, averaged over the image.
    cold_kev, hot_kev, hot_share : float
        Temperatures of the bi-Maxwellian photon spectrum and the share of photons in the hot part.
    filter_mm : float
        Light absorber (aluminium) in front of the sensor, mm.
    line_share : float
        Share of the photon hits that are lead fluorescence.
    electron_share, muon_share : float
        Shares of the hits that are electrons from outside, and muons.
    electron_kev : float
        Temperature of the electrons from outside (gamma-2 distribution: mean is twice that).
    entry_power : float
        Entry angles are drawn from cos^n of the angle to the normal: 1 is an isotropic flux, large n a beam.
    isotropy : float
        0: photons come along the normal; 1: from everywhere.
    smoothness, contrast : float
        Scale (share of the image) and log-amplitude of the smooth rate field.
    shadows : int
        Number of shield shadows (polygons with a penumbra).
    pixel_threshold : float
        Counting detectors drop pixels below this energy (keV) in each frame; 0 for integrating ones.
    frames : int
        Frames summed after the threshold.
    """

    rate: float = 0.05
    cold_kev: float = 50.0
    hot_kev: float = 1500.0
    hot_share: float = 0.5
    filter_mm: float = 2.0
    line_share: float = 0.05
    electron_share: float = 0.4
    muon_share: float = 0.01
    electron_kev: float = 350.0
    entry_power: float = 1.5
    isotropy: float = 0.5
    smoothness: float = 0.3
    contrast: float = 0.3
    shadows: int = 1
    pixel_threshold: float = 0.0
    frames: int = 1

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1 and rates below zero."""
        check_range("rate", self.rate, 0.0, 10.0, unit="hits per pixel")
        for name in ("hot_share", "line_share", "electron_share", "muon_share", "isotropy"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        check_range("electron_share + muon_share", self.electron_share + self.muon_share, 0.0, 1.0)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one background at random, wide enough to hold most real ones."""
        counting = rng.random() < 0.3
        muons = float(rng.choice([0.0, rng.uniform(0.0, 0.03), rng.uniform(0.1, 0.4)], p=[0.4, 0.5, 0.1]))
        return cls(
            rate=float(np.exp(rng.uniform(np.log(0.002), np.log(0.3)))),
            cold_kev=float(np.exp(rng.uniform(np.log(15), np.log(120)))),
            hot_kev=float(np.exp(rng.uniform(np.log(300), np.log(5000)))),
            hot_share=float(rng.uniform(0.05, 0.95)),
            filter_mm=float(np.exp(rng.uniform(np.log(0.05), np.log(20)))),
            line_share=float(rng.choice([0.0, rng.uniform(0.0, 0.3)])),
            electron_share=float(rng.choice([rng.uniform(0, 1), 0.97])) * (1 - muons),
            muon_share=muons,
            electron_kev=float(np.exp(rng.uniform(np.log(100), np.log(1000)))),
            entry_power=float(np.exp(rng.uniform(np.log(0.5), np.log(30)))),
            isotropy=float(rng.uniform(0, 1)),
            smoothness=float(rng.uniform(0.1, 0.6)),
            contrast=float(rng.choice([0.0, rng.uniform(0.1, 0.8)], p=[0.3, 0.7])),
            shadows=int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])),
            pixel_threshold=float(rng.uniform(2.0, 5.0)) if counting else 0.0,
            frames=int(rng.integers(1, 13)) if counting else 1,
        )


def _polygon(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Inside of a random convex polygon: the half-planes of three to six shield edges."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    centre = rng.uniform(0, 1, 2) * shape
    start = rng.uniform(0, 2 * np.pi)
    edges = int(rng.integers(3, 7))
    inside = np.ones(shape, dtype=bool)
    for k in range(edges):
        angle = start + 2 * np.pi * (k + rng.uniform(-0.2, 0.2)) / edges
        reach = rng.uniform(0.1, 0.6) * max(shape)
        inside &= (rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle) < reach
    return inside


def make_rate_map(shape: tuple[int, int], hits: Hits, rng: np.random.Generator) -> Floats:
    """Expected hits per pixel: a smooth field times shield shadows, with mean `hits.rate`."""
    field = np.zeros(shape)
    if hits.contrast > 0:
        knots = [max(4, round(2 / hits.smoothness * n / max(shape)) + 3) for n in shape]
        coarse = rng.standard_normal(knots)
        field = zoom(coarse, [n / k for n, k in zip(shape, knots, strict=True)], order=3, mode="nearest")
        field = hits.contrast * field[: shape[0], : shape[1]]
    rate = np.exp(field)
    for _ in range(hits.shadows):
        transmission, penumbra = rng.uniform(0.1, 0.9), rng.uniform(3, 20)
        shadow = gaussian_filter(_polygon(shape, rng).astype(np.float32), penumbra / 2, truncate=3.0)
        rate *= 1 - (1 - transmission) * shadow
    return np.asarray(rate * (hits.rate / rate.mean()))


def _enter(rate: Floats, share: float, rng: np.random.Generator) -> tuple[Floats, int]:
    """Draw entry points (row, column in pixels) with density `share * rate`, also in a margin; and how many in view."""
    padded = np.pad(rate * share, MARGIN, mode="edge")
    sums = np.cumsum(padded.ravel())
    count = int(rng.poisson(sums[-1]))
    flat = np.searchsorted(sums, rng.random(count) * sums[-1], side="right").clip(0, padded.size - 1)
    row, column = np.divmod(flat, padded.shape[1])
    point = np.stack([row, column], axis=1) - MARGIN + rng.random((count, 2))
    seen = ((point >= 0) & (point < rate.shape)).all(axis=1)
    return point, int(seen.sum())


def make_hits(shape: tuple[int, int], hits: Hits, *, sensor: Sensor, rng: np.random.Generator) -> tuple[Floats, int]:
    """Make the high-energy background of one shot.

    Parameters
    ----------
    shape : (rows, columns)
    hits : Hits
    sensor : Sensor
    rng : numpy.random.Generator

    Returns
    -------
    background : (rows, columns) array
        Energy left per pixel, keV, exactly zero where nothing arrived.
    count : int
        Number of hits that entered within the image.
    """
    if hits.rate == 0:
        return np.zeros(shape), 0
    electrons, count = _arriving_electrons(make_rate_map(shape, hits, rng), hits, sensor, rng)
    deposits = track_electrons(electrons, sensor=sensor, rng=rng)
    return _read_frames(deposits, shape, hits, sensor=sensor), count


def _arriving_electrons(rate: Floats, hits: Hits, sensor: Sensor, rng: np.random.Generator) -> tuple[Electrons, int]:
    """All electrons of a shot: set free by photons, from outside, and muons; and how many hits are in view."""
    shares = (1 - hits.electron_share - hits.muon_share, hits.electron_share, hits.muon_share)
    points, seen = zip(*(_enter(rate, share, rng) for share in shares), strict=True)
    photon = interacting_photons(
        len(points[0]),
        cold_kev=hits.cold_kev,
        hot_kev=hits.hot_kev,
        hot_share=hits.hot_share,
        filter_mm=hits.filter_mm,
        line_share=hits.line_share,
        thickness=sensor.thickness,
        rng=rng,
    )
    electron = np.maximum(rng.gamma(2.0, hits.electron_kev, len(points[1])), LEAST_ELECTRON)
    muon = np.full(len(points[2]), MUON_ENERGY)
    groups = (
        photon_electrons(points[0], photon, sensor=sensor, isotropy=hits.isotropy, rng=rng),
        electrons_from_outside(points[1], electron, sensor=sensor, entry_power=hits.entry_power, rng=rng),
        electrons_from_outside(points[2], muon, sensor=sensor, entry_power=MUON_ENTRY_POWER, rng=rng),
    )
    together = join_electrons(groups)
    return together._replace(hit=rng.permutation(together.energy.size)), sum(seen)


def _read_frames(deposits: Deposits, shape: tuple[int, int], hits: Hits, *, sensor: Sensor) -> Floats:
    """Collect the charge frame by frame, drop pixels below the threshold, and sum the frames."""
    frames = collect_charge(deposits, shape, sensor=sensor, frames=hits.frames)
    if hits.pixel_threshold > 0:
        frames[frames < hits.pixel_threshold] = 0.0
    return np.asarray(frames.sum(axis=0))
