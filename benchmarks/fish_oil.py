"""Judge cleanings by the iodine value of 42 fish oils: predict each oil from the Raman spectra of the others.

    python benchmarks/fish_oil.py [--seeds 0 1 2] [--generated] [--data FOLDER] [--add FILE.npz ...] [--json FILE]
                                  [--figures FOLDER]

Three raw spectra with strong fluorescence of each oil (Liland, Kohler & Afseth 2016). Every row of
the table is ridge regression with one oil left out at a time, alpha 1e-6 to 1 by decades, the three
predictions of an oil averaged; nested: alpha (and for "none or l2" the scaling) chosen without the
oil left out. The ratio is to raw spectra without scaling, with the 95 % interval of a paired
bootstrap over oils.

--seeds trains a network of the preset "smooth" for each seed, on all spectra and no reference value, as
the paper does. Its settings, and how long it is trained, were chosen by --generated, which judges the
same table on generated spectra (synthetic/raman.py); on the oils they were never varied. "mean of the
networks" is the mean of their RMSE, each nested by itself.

--add takes further representations: arrays of 126 rows in the order of the file. A network's settings
must have been fixed on other data before it comes here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from napari_bgremove._files import atomic_write
from napari_bgremove.errors import ComputeError
from napari_bgremove.evaluation.calibration import Calibration, measure_calibration
from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars
from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown, tabulate_calibrations
from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.learning.model_file import LoadedSpectraModel
from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra
from napari_bgremove.learning.training import Training
from napari_bgremove.learning.triplets import SpectraTriplets, measure_block_scales
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.cleaning import clean_spectra
from napari_bgremove.spectra.spectra_set import Composition, SpectraSet, make_spectra_set
from napari_bgremove.synthetic.raman import make_raman_set

FILE = Path("libs/raman/fishoil_42x3.npz")
CLEANINGS = {
    "SNIP 80": {"method": "snip", "max_half_window": 80},
    "ModPoly 6": {"method": "modpoly", "poly_order": 6},
    "airPLS 1e6": {"method": "airpls", "lam": 1e6},
    "arPLS 1e6": {"method": "arpls", "lam": 1e6},
}
# Chosen on generated spectra, with the preset.
TRAINING = {"crop": 1024, "batch_size": 18, "at_once": None, "epochs": 43}
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


def train(oils: SpectraSet, seed: int) -> dict[str, np.ndarray]:
    """Train a network; return what its background leaves, and its own signal."""
    recipe = SpectroscopyNetRecipe.of_preset("smooth", seed=seed, **TRAINING)
    triplets = SpectraTriplets(oils, measure_block_scales(oils), seed=seed, crop=recipe.crop)
    network = recipe.build_network(oils)
    started = time.process_time()
    for _ in Training(network, recipe.build_objective(), triplets, options=recipe.build_train_options()).run():
        pass
    print(f"network, seed {seed}: {time.process_time() - started:.0f} s of processor", flush=True)
    model = LoadedSpectraModel(network.eval(), recipe.build_description(network, triplets), "", Path(), 0.0)
    outputs = {"y - z_n": "subtract", "z_x": "synthesis"}
    parts = {
        label: separate_spectra(model, np.asarray(oils.spectra), options=SpectraOptions(output=output))
        for label, output in outputs.items()
    }
    return {f"seed {seed}, {label}": np.asarray(part.signal) for label, part in parts.items()}


def make_representations(oils: SpectraSet, seeds: list[int], added: list[Path]) -> dict[str, np.ndarray]:
    """Return raw and cleaned spectra by name, then those of networks and files."""
    found = {"raw": np.asarray(oils.spectra)}
    for name, arguments in CLEANINGS.items():
        started = time.process_time()
        found[name] = clean_spectra(oils.axis, oils.spectra, blocks=oils.blocks, **arguments).signal
        print(f"{name}: {1000 * (time.process_time() - started) / oils.n_spectra:.1f} ms of processor per spectrum")
    for seed in seeds:
        found |= train(oils, seed)
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
            try:
                found[name + label] = measure_calibration(given, scalings=scalings, score="standards")
            except ComputeError as error:  # a network's own signal may be nothing at all
                print(f"{name}{label}: {error}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BGREMOVE_DATA", "../shared/data")))
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="train a network for each")
    parser.add_argument("--generated", action="store_true", help="generated spectra in place of the oils")
    parser.add_argument("--threads", type=int, default=1, help="of the networks")
    parser.add_argument("--add", type=Path, nargs="*", default=[], help="NPZ files of further representations")
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--figures", type=Path, help="draw 1:1 plots and bars into this folder")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    oils = make_raman_set(0).spectra if a.generated else read_oils(a.data)
    calibrations = judge(oils, make_representations(oils, a.seeds, a.add))
    print(calibrations_as_markdown(calibrations, reference="raw"))
    for scaling in SCALINGS if a.seeds else ():
        nested = [float(calibrations[f"seed {seed}, y - z_n{scaling}"].rmse[0]) for seed in a.seeds]
        ratio = np.mean(nested) / float(calibrations["raw"].rmse[0])
        print(f"mean of the networks, y - z_n{scaling}: nested {np.mean(nested):.3f}, {ratio:.3f} times raw")
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
