"""Make the table of spectral lines that is shipped with the generator of LIBS spectra.

    python benchmarks/libs_line_table.py --source ../shared/data/libs/atomic [--share 1e-5] [--write] [--json FILE]

Of all lines known between 235 and 910 nm it keeps those that matter: in some
rock, at some temperature and density a plasma has, a line has to bring at least
`--share` of the light of its spectrometer. It prints what is left out, and
with `--write` it replaces the tables in src/napari_bgremove/synthetic/data.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.synthetic.libs_instrument import CHEMCAM
from napari_bgremove.synthetic.libs_lines import LEVELS, LINES, SPECIES, AtomicData, read_atomic_data
from napari_bgremove.synthetic.plasma import Plasma, emit_lines
from napari_bgremove.synthetic.rocks import BHVO2_TRACES, END_MEMBERS, count_moles

DATA = Path(__file__).resolve().parents[1] / "src" / "napari_bgremove" / "synthetic" / "data"
SOURCES = {LINES: "lines_235_910nm.csv", LEVELS: "energy_levels.csv", SPECIES: "ionization.csv"}
TEMPERATURES, DENSITIES = (0.85, 1.0, 1.15), (0.5, 1.0, 2.0)
# Ground states that the source leaves out; without them an atom would seem to be always excited.
GROUND_STATES = (("C", "1", 1), ("K", "2", 1))
HYDROGEN_SHELLS, HYDROGEN_EV = 10, 13.598
# Rocks contain more of a trace than the basalt does.
TRACES = {name: 10 * ppm for name, ppm in BHVO2_TRACES.items()}
COLUMNS = {
    LINES: {"element": "", "ion_stage": "", "wavelength_nm": ".7g", "Aki_s-1": ".4g", "Ei_eV": ".5g", "Ek_eV": ".5g",
            "gk": ".4g"},
    LEVELS: {"element": "", "ion_stage": "", "g": ".4g", "E_eV": ".5g"},
    SPECIES: {"element": "", "ion_stage": "", "IP_eV": ".6g"},
}  # fmt: skip


def read_source(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of the three tables, repaired: the proton, missing ground states, and hydrogen by its shells."""
    tables = {}
    for name, source in SOURCES.items():
        with (folder / source).open(encoding="utf-8", newline="") as text:
            tables[name] = list(csv.DictReader(text))
    tables[SPECIES].append({"element": "H", "ion_stage": "2", "IP_eV": "inf"})
    limits = {(row["element"], row["ion_stage"]): float(row["IP_eV"]) for row in tables[SPECIES]}
    states = [
        (row["element"], row["ion_stage"], float(row["g"]), float(row["E_eV"]))
        for row in tables[LEVELS]
        if row["element"] != "H" and float(row["E_eV"]) < limits[row["element"], row["ion_stage"]]
    ]
    states += [(element, stage, weight, 0.0) for element, stage, weight in GROUND_STATES]
    states += [("H", "1", 2 * n**2, HYDROGEN_EV * (1 - n**-2)) for n in range(1, HYDROGEN_SHELLS + 1)]
    names = ("element", "ion_stage", "g", "E_eV")
    tables[LEVELS] = [dict(zip(names, map(str, state), strict=True)) for state in sorted(states)]
    # Hydrogen is listed twice, by its fine structure and by shells (lower weights 8 and 18).
    tables[LINES] = [row for row in tables[LINES] if row["element"] != "H" or float(row["gi"]) in (8, 18)]
    return tables


def rate_lines(atoms: AtomicData) -> np.ndarray:
    """Largest share of each line in the light of its spectrometer, over rocks, temperatures and densities."""
    largest = np.zeros(len(atoms.wavelength))
    hot, dense = np.array(list(product(TEMPERATURES, DENSITIES))).T
    for rock in END_MEMBERS:
        emitted = emit_lines(atoms, count_moles(rock, TRACES), plasma=Plasma(), temperature=hot, density=dense)
        for spectrometer in CHEMCAM:
            axis = spectrometer.axis()
            # A line outside still reaches in with its wings.
            inside = (atoms.wavelength > axis[0] - 1) & (atoms.wavelength < axis[-1] + 1)
            share = emitted[:, inside] / emitted[:, inside].sum(1, keepdims=True)
            largest[inside] = np.maximum(largest[inside], share.max(0))
    return largest


def measure_loss(atoms: AtomicData, kept: np.ndarray) -> float:
    """Largest share of the light of a rock that the lines left out would bring."""
    losses = []
    for rock in END_MEMBERS:
        emitted = emit_lines(atoms, count_moles(rock, BHVO2_TRACES), plasma=Plasma())[0]
        for spectrometer in CHEMCAM:
            inside = (atoms.wavelength > spectrometer.axis()[0]) & (atoms.wavelength < spectrometer.axis()[-1])
            losses.append(emitted[inside & ~kept].sum() / emitted[inside].sum())
    return float(max(losses))


def format_table(rows: Iterable[dict[str, str]], columns: dict[str, str]) -> str:
    text = io.StringIO()
    text.write("# Values: NIST Atomic Spectra Database, doi:10.18434/T4W30F; see README.md in this folder.\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([format(float(row[name]), spec) if spec else row[name] for name, spec in columns.items()])
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1e-5)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    tables = read_source(a.source)
    atoms = read_atomic_data(*(tables[name] for name in (LINES, LEVELS, SPECIES)))
    kept = rate_lines(atoms) >= a.share
    tables[LINES] = [row for row, keep in zip(tables[LINES], kept, strict=True) if keep]
    texts = {name: format_table(tables[name], columns) for name, columns in COLUMNS.items()}
    figures = {
        "lines": len(kept), "kept": int(kept.sum()), "largest_loss": measure_loss(atoms, kept),
        "bytes": {name: len(text) for name, text in texts.items()},
    }  # fmt: skip
    print(
        f"{figures['kept']} of {figures['lines']} lines kept; the others bring at most "
        f"{100 * figures['largest_loss']:.2f} % of the light of a spectrometer in any rock\n{figures['bytes']}"
    )
    if a.write:
        for name, text in texts.items():
            atomic_write(DATA / name, text)
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
