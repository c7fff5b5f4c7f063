"""Judge cleanings by the iodine value of 42 fish oils: predict each oil from the Raman spectra of the others.

    python benchmarks/fish_oil.py [--data FOLDER] [--add FILE.npz ...] [--json FILE] [--figures FOLDER]

Three raw spectra with strong fluorescence of each oil (Liland, Kohler & Afseth 2016). Every row of
the table is ridge regression with one oil left out at a time, alpha 1e-6 to 1 by decades, the three
predictions of an oil averaged; nested: alpha (and for "none or l2" the scaling) chosen without the
oil left out. The ratio is to raw spectra without scaling, with the 95 % interval of a paired
bootstrap over oils.

--add takes further representations, such as those of trained networks: arrays of 126 rows in the
order of the file. A network's settings must have been fixed on other data before it comes here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.evaluation.calibration import Calibration, measure_calibration
from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars
from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown, tabulate_calibrations
from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.spectra.cleaning import clean_spectra
from napari_bgremove.spectra.spectra_set import Composition, SpectraSet, make_spectra_set

FILE = Path("libs/raman/fishoil_42x3.npz")
CLEANINGS = {
    "SNIP 80": {"method": "snip", "max_half_window": 80},
    "ModPoly 6": {"method": "modpoly", "poly_order": 6},
    "airPLS 1e6": {"method": "airpls", "lam": 1e6},
    "arPLS 1e6": {"method": "arpls", "lam": 1e6},
}
SCALINGS = {"": ("none",), " + l2": ("l2",), " + SNV": ("snv",), " + none or l2": ("none", "l2")}


def read_oils(data: Path) -> SpectraSet:
    """Read the oils; a replicate is a location, so that each is a row of its own."""
    with np.load(data / FILE, allow_pickle=False) as file:
        axis, spectra, iodine = (file[name] for name in ("raman_shift", "spectra", "iodine_value"))
    names = [f"oil {number + 1:02d}" for number in range(len(spectra) // 3)]
    composition = Composition(tuple(names), ("iodine value",), iodine[::3, None].astype(float), "g / 100 g")
    return make_spectra_set(
        axis,
        spectra,
        targets=np.repeat(names, 3),
        locations=np.tile([1, 2, 3], len(names)),
        axis_unit="1/cm",
        composition=composition,
    )


def make_representations(oils: SpectraSet, added: list[Path]) -> dict[str, np.ndarray]:
    """Return raw and cleaned spectra by name, then those of files."""
    found = {"raw": np.asarray(oils.spectra)}
    for name, arguments in CLEANINGS.items():
        started = time.process_time()
        found[name] = clean_spectra(oils.axis, oils.spectra, blocks=oils.blocks, **arguments).signal
        print(f"{name}: {1000 * (time.process_time() - started) / oils.n_spectra:.1f} ms of processor per spectrum")
    for path in added:
        with np.load(path, allow_pickle=False) as file:
            found.update({name: file[name] for name in file})
    return found


def judge(oils: SpectraSet, representations: dict[str, np.ndarray]) -> dict[str, Calibration]:
    """Calibrate every representation under every scaling."""
    found = {}
    for name, spectra in representations.items():
        axis = np.arange(spectra.shape[1], dtype=float)
        given = make_spectra_set(
            axis, spectra, targets=oils.targets, locations=oils.locations, composition=oils.composition
        )
        for label, scalings in SCALINGS.items():
            found[name + label] = measure_calibration(given, scalings=scalings, score="standards")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BGREMOVE_DATA", "../shared/data")))
    parser.add_argument("--add", type=Path, nargs="*", default=[], help="NPZ files of further representations")
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--figures", type=Path, help="draw 1:1 plots and bars into this folder")
    a = parser.parse_args()
    oils = read_oils(a.data)
    calibrations = judge(oils, make_representations(oils, a.add))
    print(calibrations_as_markdown(calibrations, reference="raw"))
    if a.json:
        atomic_write(a.json, json.dumps(tabulate_calibrations(calibrations, reference="raw"), indent=1))
    if a.figures:
        chosen = {
            name.removesuffix(" + none or l2"): one for name, one in calibrations.items() if name.endswith("or l2")
        }
        write_figure(a.figures / "fish_oil_predictions.png", draw_predictions(chosen))
        write_figure(a.figures / "fish_oil_rmse.png", draw_rmse_bars(chosen))


if __name__ == "__main__":
    main()
