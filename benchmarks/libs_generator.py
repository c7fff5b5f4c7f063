"""How near generated ChemCam spectra are to real ones, and what they cost.

    python benchmarks/libs_generator.py [--data ../shared/data/libs] [--targets 120] [--json FILE]

Three comparisons per spectrometer, each the correlation of the square roots:
the generated basalt BHVO-2 with the real one, on which plasma, line shapes and
the scale of the spectrometers were set; with a rock on Mars (sol 13, mean of
shots 6 to 30), of which nothing was used; and, for what can be hoped for
there, the two real ones. Then how shots scatter, beside the real 25 of sol 13,
and the time and memory of a set.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.synthetic.libs import make_chemcam_set, make_line_radiance
from napari_bgremove.synthetic.libs_instrument import chemcam_blocks, chemcam_response
from napari_bgremove.synthetic.rocks import BHVO2

BLOCKS = chemcam_blocks()
FIRST_CLEAN_SHOT = 5  # those before it fly through dust


def read_basalt(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "chemcam_bhvo2_loc1_spectrum.csv", delimiter=",", skiprows=1, usecols=1)


def read_mars(folder: Path) -> np.ndarray:
    """Shots 6 to 30 of sol 13; the columns behind them are median and mean."""
    (path,) = folder.glob("CL5_*.csv")
    return np.loadtxt(path, delimiter=",", comments="#").T[1 + FIRST_CLEAN_SHOT : -2]


def correlate(first: np.ndarray, other: np.ndarray) -> list[float]:
    """Correlation of the square roots in each spectrometer; what cleaning left below zero counts as nothing."""
    roots = [np.sqrt(np.clip(values, 0, None)) for values in (first, other)]
    return [float(np.corrcoef(*(root[block.channels] for root in roots))[0, 1]) for block in BLOCKS]


def describe_shots(radiance: np.ndarray) -> dict[str, list[float]]:
    totals = np.stack([radiance[:, block.channels].sum(1) for block in BLOCKS])
    pairs = np.triu_indices(len(radiance), 1)
    return {
        "relative_scatter": (totals.std(1, ddof=1) / totals.mean(1)).tolist(),
        "share": (totals.mean(1) / totals.mean(1).sum()).tolist(),
        "correlation_of_shots": [float(np.corrcoef(radiance)[pairs].mean())],
    }


def time_set(targets: int) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    made = make_chemcam_set(n_targets=targets)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    size = made.set.spectra.nbytes + made.signal.nbytes + made.background.nbytes + made.dark.spectra.nbytes
    return {
        "spectra": made.set.n_spectra, "seconds": wall, "processor_seconds": processor,
        "processor_ms_per_spectrum": 1000 * processor / made.set.n_spectra, "megabytes": size / 1e6,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/libs"))
    parser.add_argument("--targets", type=int, default=120)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    basalt, mars, ours = read_basalt(a.data / "chemcam"), read_mars(a.data / "chemcam"), make_line_radiance(BHVO2)
    shots = make_chemcam_set(rocks=[BHVO2], locations=1, shots=25 + FIRST_CLEAN_SHOT, darks=1).signal
    figures = {
        "generated and real BHVO-2": correlate(ours, basalt),
        "generated BHVO-2 and sol 13": correlate(ours, mars.mean(0)),
        "real BHVO-2 and sol 13": correlate(basalt, mars.mean(0)),
        "real shots": describe_shots(mars),
        "generated shots": describe_shots(shots[FIRST_CLEAN_SHOT:] / chemcam_response()),
        "set": time_set(a.targets),
    }
    print("correlation of the square roots in UV, VIO and VNIR")
    for name in ("generated and real BHVO-2", "generated BHVO-2 and sol 13", "real BHVO-2 and sol 13"):
        print(f"  {name:<30}" + "".join(f"{value:8.3f}" for value in figures[name]))
    for name in ("real shots", "generated shots"):
        print(name)
        for quantity, values in figures[name].items():
            print(f"  {quantity:<30}" + "".join(f"{value:8.4f}" for value in values))
    print("set: " + ", ".join(f"{quantity} {value:.4g}" for quantity, value in figures["set"].items()))
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
