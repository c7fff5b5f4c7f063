"""What generated targets are made of: mixtures of rock end members, their traces, and the atmosphere above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from napari_bgremove._validation import check_range

__all__ = ["BHVO2", "BHVO2_TRACES", "OXIDES", "count_moles", "draw_rock", "draw_traces"]

#: The oxides that are judged; FeOT is all iron counted as FeO.
OXIDES = ("SiO2", "TiO2", "Al2O3", "FeOT", "MgO", "CaO", "Na2O", "K2O")
# Metal, its atoms and the oxygen atoms of one formula unit.
FORMULAS = {
    "SiO2": ("Si", 1, 2), "TiO2": ("Ti", 1, 2), "Al2O3": ("Al", 2, 3), "FeOT": ("Fe", 1, 1), "MgO": ("Mg", 1, 1),
    "CaO": ("Ca", 1, 1), "Na2O": ("Na", 2, 1), "K2O": ("K", 2, 1), "MnO": ("Mn", 1, 1), "CO2": ("C", 1, 2),
}  # fmt: skip
MASSES = {
    "Si": 28.085, "Ti": 47.867, "Al": 26.982, "Fe": 55.845, "Mg": 24.305, "Ca": 40.078, "Na": 22.990, "K": 39.098,
    "Mn": 54.938, "C": 12.011, "O": 15.999, "Li": 6.94, "Sr": 87.62, "Ba": 137.33, "Cr": 51.996,
}  # fmt: skip

#: The basalt BHVO-2 in wt% and, its traces, in ppm: certificate of the US Geological Survey (1998).
BHVO2 = {
    "SiO2": 49.9, "TiO2": 2.73, "Al2O3": 13.5, "FeOT": 11.07, "MgO": 7.23, "CaO": 11.4, "Na2O": 2.22, "K2O": 0.52,
    "MnO": 0.167,
}  # fmt: skip
BHVO2_TRACES = {"Li": 5.0, "Sr": 389.0, "Ba": 130.0, "Cr": 280.0}

# Nominal wt%. The extremes span what calibration standards span: SiO2 to 98, TiO2 to 75, Al2O3 to 39, FeOT to 60,
# MgO to 48, CaO to 50, Na2O to 11 and K2O to 12; what is missing to 100 is volatile.
END_MEMBERS = (
    BHVO2,
    {"SiO2": 72.0, "TiO2": 0.3, "Al2O3": 14.0, "FeOT": 2.0, "MgO": 0.5, "CaO": 1.5, "Na2O": 3.7, "K2O": 4.7,
     "MnO": 0.05},
    {"SiO2": 98.0, "Al2O3": 0.5, "FeOT": 0.3},
    {"TiO2": 75.0, "SiO2": 18.0, "Al2O3": 4.0, "CaO": 1.0},
    {"SiO2": 46.0, "Al2O3": 39.0, "FeOT": 0.5, "TiO2": 0.5},
    {"FeOT": 60.0, "SiO2": 20.0, "Al2O3": 5.0, "MnO": 0.4},
    {"MgO": 48.0, "SiO2": 41.0, "FeOT": 9.0, "MnO": 0.1},
    {"CaO": 50.0, "SiO2": 4.0, "MgO": 1.5},
    {"SiO2": 67.5, "Al2O3": 19.5, "Na2O": 11.0, "CaO": 0.5, "K2O": 0.3},
    {"SiO2": 65.0, "Al2O3": 18.5, "K2O": 12.0, "Na2O": 2.5},
    {"SiO2": 54.0, "CaO": 25.0, "MgO": 17.0, "FeOT": 2.5, "Na2O": 0.3},
)  # fmt: skip
# Basalt and granite are the usual rocks; a small number makes most mixtures lean to few members.
LEANINGS = (0.4, 0.3) + (0.12,) * 9

# Atoms of atmospheric CO2, and of hydrogen, in the plasma per atom of the rock.
ATMOSPHERE_ATOMS, HYDROGEN_ATOMS = 0.3, 0.02
TRACES_PPM = {"Li": 15.0, "Sr": 250.0, "Ba": 200.0, "Cr": 150.0}
TRACES_SCATTER = 0.5


def draw_rock(rng: np.random.Generator) -> dict[str, float]:
    """Draw a rock: a Dirichlet mixture of the end members.

    Returns
    -------
    dict
        wt% of the eight `OXIDES` and of MnO.
    """
    shares = rng.dirichlet(LEANINGS)
    names = (*OXIDES, "MnO")
    return {name: float(sum(s * m.get(name, 0.0) for s, m in zip(shares, END_MEMBERS, strict=True))) for name in names}


def draw_traces(rng: np.random.Generator) -> dict[str, float]:
    """Draw the trace elements, ppm: log-normal about values usual in rocks."""
    return {name: float(usual * rng.lognormal(0, TRACES_SCATTER)) for name, usual in TRACES_PPM.items()}


def count_moles(rock: Mapping[str, float], traces: Mapping[str, float]) -> dict[str, float]:
    """Mole fractions of the elements in the plasma above a rock.

    What the oxides leave to 100 wt% counts as CO2 of the rock; CO2 of the
    atmosphere and hydrogen come on top.

    Parameters
    ----------
    rock : mapping
        wt% of oxides.
    traces : mapping
        ppm of elements.

    Returns
    -------
    dict
        Element to mole fraction; they add up to 1.

    Raises
    ------
    ValueError
        When the oxides add up to more than 100 wt%, or one is negative or unknown.
    """
    total = sum(rock.values())
    check_range("rock", total, 0.0, 100.0, unit="wt%")
    moles: defaultdict[str, float] = defaultdict(float)
    for name, share in {**rock, "CO2": 100.0 - total}.items():
        metal, atoms, oxygens = _look_up(name)
        check_range(name, share, 0.0, 100.0, unit="wt%")
        units = share / (atoms * MASSES[metal] + oxygens * MASSES["O"])
        moles[metal] += atoms * units
        moles["O"] += oxygens * units
    for element, ppm in traces.items():
        moles[element] += 1e-4 * ppm / MASSES[element]
    solid = sum(moles.values())
    for element, share in {"C": ATMOSPHERE_ATOMS / 3, "O": 2 * ATMOSPHERE_ATOMS / 3, "H": HYDROGEN_ATOMS}.items():
        moles[element] += share * solid
    whole = sum(moles.values())
    return {element: amount / whole for element, amount in moles.items()}


def _look_up(name: str) -> tuple[str, int, int]:
    if name not in FORMULAS:
        msg = f"'rock' must name oxides among {', '.join(FORMULAS)}; found '{name}'. Leave it out or convert it."
        raise ValueError(msg)
    return FORMULAS[name]
