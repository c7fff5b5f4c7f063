"""What reaches a sensor at high energy: photons that interact in it, electrons and muons that enter it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.synthetic.silicon import ELECTRON_MASS, compton_attenuation, photoelectric_attenuation
from napari_bgremove.synthetic.transport import Electrons, Sensor

__all__ = ["electrons_from_outside", "interacting_photons", "photon_electrons"]

Floats = NDArray[np.float64]
LEAD_LINES = np.array([10.55, 12.61, 72.8, 74.97, 84.94])  # keV: L alpha, L beta, K alpha 2, K alpha 1, K beta
LEAD_WEIGHTS = np.array([0.25, 0.2, 0.17, 0.28, 0.1])
PHOTON_ENERGIES = np.geomspace(5.0, 1.5e4, 800)  # keV
ALUMINIUM_PER_MM = 1.16e3  # um of silicon with the mass of 1 mm aluminium


def _directions(cosine: Floats, rng: np.random.Generator) -> Floats:
    """Unit vectors with the given depth component and any azimuth."""
    azimuth = rng.uniform(0, 2 * np.pi, cosine.size)
    sine = np.sqrt(np.maximum(1 - cosine**2, 0.0))
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)


def electrons_from_outside(
    point: Floats,
    energy: Floats,
    *,
    sensor: Sensor,
    entry_power: float,
    rng: np.random.Generator,
    both_faces: bool = True,
) -> Electrons:
    """Place electrons on a face of the sensor with cos^n distributed entry angles.

    Parameters
    ----------
    point : (N, 2) array
        Entry points in pixels.
    energy : (N,) array
        Kinetic energies, keV.
    sensor : Sensor
    entry_power : float
        The n of cos^n per unit area of the face; 1 is an isotropic flux.
    rng : numpy.random.Generator
    both_faces : bool
        Enter through either face with equal chance, or through the entrance face only.

    Returns
    -------
    Electrons
    """
    cosine = np.maximum(rng.random(energy.size) ** (1 / (entry_power + 1)), 0.02)
    below = (rng.random(energy.size) < 0.5) & both_faces
    depth = np.where(below, sensor.thickness * (1 - 1e-9), sensor.thickness * 1e-9)
    position = np.column_stack([point * sensor.pitch, depth])
    return Electrons(position, _directions(np.where(below, -cosine, cosine), rng), energy, np.arange(energy.size))


def _compton_electrons(photon: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Energy and angle cosine of Compton electrons: Klein-Nishina by rejection, all photons together."""
    k = photon / ELECTRON_MASS
    ratio = np.ones_like(photon)
    open_ = np.arange(photon.size)
    while open_.size:
        low = 1 / (1 + 2 * k[open_])
        trial = low + (1 - low) * rng.random(open_.size)
        sine2 = 1 - (1 - (1 / trial - 1) / k[open_]) ** 2
        weight = trial + 1 / trial - sine2
        accepted = rng.random(open_.size) * (low + 1 / low) < weight
        ratio[open_[accepted]] = trial[accepted]
        open_ = open_[~accepted]
    energy = photon * (1 - ratio)
    scattered = 1 - (1 / ratio - 1) / k
    tangent = np.sqrt(np.maximum(1 - scattered, 1e-12) / np.maximum(1 + scattered, 1e-12)) * (1 + k)
    return energy, 1 / np.sqrt(1 + tangent**2)


def _turn(axis: Floats, cosine: Floats, rng: np.random.Generator) -> Floats:
    """Vectors at the given angle to unit vectors `axis`, at any azimuth."""
    sideways = rng.standard_normal(axis.shape)
    sideways -= np.einsum("ij,ij->i", sideways, axis)[:, None] * axis
    sideways /= np.linalg.norm(sideways, axis=1)[:, None]
    return cosine[:, None] * axis + np.sqrt(np.maximum(1 - cosine**2, 0))[:, None] * sideways


def photon_electrons(
    point: Floats, photon: Floats, *, sensor: Sensor, isotropy: float, rng: np.random.Generator
) -> Electrons:
    """Turn photons that interact in the sensor into the electrons they set free.

    Photo-electrons take the whole photon energy and start across the photon's
    direction (sin^2 law); Compton electrons follow Klein and Nishina. The
    scattered photon leaves the sensor.

    Parameters
    ----------
    point : (N, 2) array
        Entry points in pixels.
    photon : (N,) array
        Photon energies, keV.
    sensor : Sensor
    isotropy : float
        Share of the photons that come from everywhere, not along the normal.
    rng : numpy.random.Generator

    Returns
    -------
    Electrons
    """
    count = photon.size
    spread = rng.random(count) < isotropy
    cosine = np.where(spread, np.sqrt(rng.random(count)).clip(0.05, 1), 1.0)
    flight = _directions(cosine, rng)
    photo, compton = photoelectric_attenuation(photon), compton_attenuation(photon)
    slant = sensor.thickness / cosine
    depth = -np.log1p(-rng.random(count) * -np.expm1(-(photo + compton) * slant)) / (photo + compton)
    position = np.column_stack([point * sensor.pitch, np.zeros(count)]) + depth[:, None] * flight
    position[:, 2] = position[:, 2].clip(1e-6, sensor.thickness * (1 - 1e-9))
    is_compton = rng.random(count) < compton / (photo + compton)
    energy, angle = photon.copy(), rng.beta(2.0, 2.0, count) * 2 - 1
    energy[is_compton], angle[is_compton] = _compton_electrons(photon[is_compton], rng)
    return Electrons(position, _turn(flight, angle, rng), energy, np.arange(count))


def interacting_photons(
    count: int,
    *,
    cold_kev: float,
    hot_kev: float,
    hot_share: float,
    filter_mm: float,
    line_share: float,
    thickness: float,
    rng: np.random.Generator,
) -> Floats:
    """Draw energies (keV) of photons that interact in `thickness` um of silicon.

    A bi-Maxwellian behind `filter_mm` of aluminium, times the probability to
    interact, and a share of lead fluorescence lines. Parameters as of `Hits`.
    """
    e = PHOTON_ENERGIES
    total = photoelectric_attenuation(e) + compton_attenuation(e)
    cold, hot = np.exp(-e / cold_kev) / cold_kev, np.exp(-e / hot_kev) / hot_kev
    arriving = ((1 - hot_share) * cold + hot_share * hot) * np.exp(-total * ALUMINIUM_PER_MM * filter_mm)
    weight = arriving * -np.expm1(-total * thickness) * e  # times e: the grid is logarithmic
    continuum = np.interp(rng.random(count), np.cumsum(weight) / weight.sum(), e)
    lines = rng.choice(LEAD_LINES, count, p=LEAD_WEIGHTS)
    return np.where(rng.random(count) < line_share, lines, continuum)
