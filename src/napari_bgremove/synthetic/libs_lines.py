"""Spectral lines and energy levels of the elements in rocks, from the tables beside this module."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AtomicData", "Species", "air_to_vacuum", "load_atomic_data", "read_atomic_data"]

Array = NDArray[np.float64]
Rows = list[dict[str, str]]

LINES, LEVELS, SPECIES = "libs_lines.csv", "libs_levels.csv", "libs_species.csv"


@dataclass(frozen=True, eq=False)
class Species:
    """Atoms of one element in one stage of ionisation.

    Attributes
    ----------
    element : str
        'Fe' ...
    stage : int
        1 for the neutral atom, 2 for the singly charged ion.
    ionisation_ev : float
        Energy that takes the next electron away.
    level_g, level_ev : ndarray, shape (levels,)
        Statistical weight and energy of the levels below the ionisation energy.
    """

    element: str
    stage: int
    ionisation_ev: float
    level_g: Array
    level_ev: Array

    def sum_states(self, temperature_ev: ArrayLike) -> Array:
        """Return the partition sum U = sum g exp(-E / T), of the shape of `temperature_ev` (eV)."""
        temperature = np.asarray(temperature_ev, float)[..., None]
        return np.asarray((self.level_g * np.exp(-self.level_ev / temperature)).sum(-1))


@dataclass(frozen=True, eq=False)
class AtomicData:
    """Species and their lines.

    Attributes
    ----------
    species : tuple of Species
    line_species : ndarray of int, shape (lines,)
        Place of each line's emitter in `species`.
    wavelength : ndarray, shape (lines,)
        In vacuum, nm.
    rate : ndarray, shape (lines,)
        Transition probability A_ki, 1/s.
    lower_ev, upper_ev, upper_g : ndarray, shape (lines,)
        Energies E_i and E_k (eV), and the weight g_k.
    """

    species: tuple[Species, ...]
    line_species: NDArray[np.intp]
    wavelength: Array
    rate: Array
    lower_ev: Array
    upper_ev: Array
    upper_g: Array

    @property
    def line_elements(self) -> NDArray[np.str_]:
        """Element that emits each line."""
        return np.array([species.element for species in self.species])[self.line_species]

    def select(self, lines: Any) -> AtomicData:
        """Return the same species with some of the lines: numbers or a mask."""
        names = ("line_species", "wavelength", "rate", "lower_ev", "upper_ev", "upper_g")
        return AtomicData(self.species, *(getattr(self, name)[lines] for name in names))


def air_to_vacuum(wavelength: ArrayLike) -> Array:
    """Convert wavelengths (nm) in standard air to those in vacuum.

    lambda_vac = n lambda_air, with n = 1 + 8.34254e-5 + 0.02406147 / (130 - s^2)
    + 1.5998e-4 / (38.9 - s^2) and s = 1000 nm / lambda_air. Tables give lines
    above 200 nm in air; ChemCam's axis is in vacuum, where they lie 0.6 to 3 channels higher.

    References
    ----------
    K. P. Birch and M. J. Downs, Metrologia 31 (1994) 315, doi:10.1088/0026-1394/31/4/006.
    """
    air = np.asarray(wavelength, float)
    squared = (1000 / air) ** 2
    return np.asarray(air * (1 + 8.34254e-5 + 0.02406147 / (130 - squared) + 1.5998e-4 / (38.9 - squared)))


@lru_cache(maxsize=1)
def load_atomic_data() -> AtomicData:
    """Return the lines and levels that are shipped with the package."""
    folder = files("napari_bgremove.synthetic").joinpath("data")
    return read_atomic_data(*(_read_rows(folder.joinpath(name)) for name in (LINES, LEVELS, SPECIES)))


def read_atomic_data(lines: Rows, levels: Rows, species: Rows) -> AtomicData:
    """Build the data from the rows of three tables; their columns are described in data/README.md."""
    states = defaultdict(list)
    for row in levels:
        states[row["element"], row["ion_stage"]].append((float(row["g"]), float(row["E_eV"])))
    known = tuple(_build_species(row, states[row["element"], row["ion_stage"]]) for row in species)
    places = {(one.element, str(one.stage)): place for place, one in enumerate(known)}
    return AtomicData(
        species=known,
        line_species=np.array([places[row["element"], row["ion_stage"]] for row in lines]),
        wavelength=air_to_vacuum(_column(lines, "wavelength_nm")),
        rate=_column(lines, "Aki_s-1"),
        lower_ev=_column(lines, "Ei_eV"),
        upper_ev=_column(lines, "Ek_eV"),
        upper_g=_column(lines, "gk"),
    )


def _build_species(row: dict[str, str], states: list[tuple[float, float]]) -> Species:
    """Species of one row; a bare nucleus, of which no level is listed, is one state."""
    limit = float(row["IP_eV"])
    weight, energy = np.array([state for state in states if state[1] < limit] or [(1.0, 0.0)]).T
    return Species(row["element"], int(row["ion_stage"]), limit, weight, energy)


def _read_rows(path: Traversable) -> Rows:
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _column(rows: Rows, name: str) -> Array:
    return np.array([float(row[name]) for row in rows])
