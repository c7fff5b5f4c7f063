"""Light of a laser-induced plasma in local thermal equilibrium: its lines and its continuum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.synthetic.libs_lines import AtomicData

__all__ = ["Plasma", "emit_continuum", "emit_lines", "populate"]

Array = NDArray[np.float64]

SAHA = 6.037e21  # 2 (2 pi m_e kT / h^2)^(3/2) at 1 eV, 1/cm3
PHOTON_NM_EV = 1239.84
# Photon energies (eV) at which an electron can be caught in an excited level of a common neutral (Mg 3p, Ca 4p, Na 3p,
# K 4p), and how much the continuum rises there. Stark broadening blurs an edge.
EDGES_EV = ((4.94, 0.15), (4.22, 0.15), (3.04, 0.10), (2.72, 0.05))
EDGE_WIDTH_EV = 0.03


@dataclass(frozen=True)
class Plasma:
    """A plasma of one temperature and density.

    The defaults were found on a coarse grid against one real spectrum, the
    basalt BHVO-2.

    Parameters
    ----------
    temperature_ev, electron_density : float
        eV and 1/cm3.
    depth : float
        Optical depth, in units of `emit_lines`; 0 for a plasma that does not absorb.
    """

    temperature_ev: float = 1.0
    electron_density: float = 5e16
    depth: float = 4e4

    def __post_init__(self) -> None:
        """Refuse what no plasma has."""
        check_positive("temperature_ev", self.temperature_ev, unit="eV")
        check_positive("electron_density", self.electron_density, unit="per cm3")
        check_range("depth", self.depth, 0.0, np.inf)


def populate(atoms: AtomicData, amounts: Mapping[str, float], temperature_ev: Array, electron_density: Array) -> Array:
    """Share out the atoms of each element over its stages of ionisation (Saha).

    n_II / n_I = 6.037e21 T^1.5 / n_e x U_II / U_I x exp(-IP / T), with T in eV
    and n_e in 1/cm3; higher stages are left out.

    Parameters
    ----------
    atoms : AtomicData
    amounts : mapping
        Mole fraction of each element; an element that is not named is absent.
    temperature_ev, electron_density : ndarray, shape (plasmas,)

    Returns
    -------
    ndarray, shape (plasmas, species)
        Amount of each species over its partition sum: times g exp(-E / T) it is the population of a level.
    """
    sums = np.stack([species.sum_states(temperature_ev) for species in atoms.species], axis=-1)
    places = {(species.element, species.stage): place for place, species in enumerate(atoms.species)}
    populations = np.zeros_like(sums)
    for (element, stage), neutral in places.items():
        if stage != 1 or not amounts.get(element, 0.0):
            continue
        ion = places[element, 2]
        boltzmann = np.exp(-atoms.species[neutral].ionisation_ev / temperature_ev)
        free = SAHA * temperature_ev**1.5 / electron_density
        ratio = free * sums[:, ion] / sums[:, neutral] * boltzmann
        populations[:, neutral] = amounts[element] / (1 + ratio) / sums[:, neutral]
        populations[:, ion] = amounts[element] * ratio / (1 + ratio) / sums[:, ion]
    return populations


def emit_lines(
    atoms: AtomicData,
    amounts: Mapping[str, float],
    *,
    plasma: Plasma,
    temperature: ArrayLike = 1.0,
    density: ArrayLike = 1.0,
) -> Array:
    """Photons of each line that leave the plasma.

    A line of n A g_k exp(-E_k / T) / U photons is weakened on its way out to
    I / sqrt(1 + tau): the curve of growth of a line that is broadened by
    collisions, which grows with the number of atoms where it is thin and with
    its root where it is thick. The depth at its centre is
    tau = depth x n A g_k (lambda / 500 nm)^3 1e-8 s exp(-E_i / T) / U.

    Parameters
    ----------
    atoms : AtomicData
    amounts : mapping
        Mole fraction of each element.
    plasma : Plasma
    temperature, density : float or array_like, shape (plasmas,)
        As multiples of the temperature and electron density in `plasma`.

    Returns
    -------
    ndarray, shape (plasmas, lines)
        In arbitrary units, the same for all plasmas and lines.
    """
    factors = np.broadcast_arrays(np.atleast_1d(temperature), np.atleast_1d(density))
    hot = plasma.temperature_ev * np.asarray(factors[0], float)
    dense = plasma.electron_density * np.asarray(factors[1], float)
    population = populate(atoms, amounts, hot, dense)[:, atoms.line_species]
    strength = population * atoms.rate * atoms.upper_g
    reach = 1e-8 * (atoms.wavelength / 500) ** 3 * np.exp(-atoms.lower_ev / hot[:, None])
    emitted = strength * np.exp(-atoms.upper_ev / hot[:, None])
    return np.asarray(emitted / np.sqrt(1 + plasma.depth * strength * reach))


def emit_continuum(wavelength: ArrayLike, temperature_ev: float) -> Array:
    """Continuum of free electrons, lambda^-2 exp(-h c / (lambda T)), with a rise at each recombination edge.

    Parameters
    ----------
    wavelength : array_like
        nm.
    temperature_ev : float

    Returns
    -------
    ndarray
        Of the shape of `wavelength`; its mean is 1.
    """
    positions = np.asarray(wavelength, float)
    energy = PHOTON_NM_EV / positions
    steps = sum(rise / (1 + np.exp((edge - energy) / EDGE_WIDTH_EV)) for edge, rise in EDGES_EV)
    shape = positions**-2 * np.exp(-energy / temperature_ev) * (1 + steps)
    return np.asarray(shape / shape.mean())
