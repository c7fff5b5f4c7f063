"""Judge a network trained on generated ChemCam shots: what it recovers of the truth, and what that is worth.

    python benchmarks/generated_chemcam.py OUT [--coupling 0.3] [--epochs N] [--seeds 0 1 2] [--json FILE]

120 standards at two locations of 25 shots each, and 50 dark spectra (synthetic/libs.py), without the
five bands ChemCam's team leaves out. The network is trained on the raw shots, the dark spectra
among them as one more target; of composition it knows nothing. Beside it stand raw spectra, dark
subtracted, ChemCam's own pipeline, arPLS, airPLS, SNIP, and the true signal, which nobody has.

Printed are: errors of signal and background against the truth; the share that is lost of lines
present in every target (O 777, C 247.9); and leave-one-standard-out errors of eight oxides, ridge
with alpha and row scaling (none or l2) chosen within the training standards. With `--coupling` the
light differs from rock to rock, as it does where the laser couples to them differently.

Sets and runs are kept in OUT: what is there is not computed again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TrainSpectraJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_set
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.engine.train_plan import create_run
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.evaluation.calibration import measure_calibration
from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars
from napari_bgremove.evaluation.calibration_result import Calibration
from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown, tabulate_calibrations
from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.recipes.spectroscopy_net import SPECTROSCOPY_PRESETS, SpectroscopyNetRecipe
from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.spectra.joined_sets import join_spectra_sets
from napari_bgremove.synthetic.libs import make_chemcam_set
from napari_bgremove.synthetic.libs_conditions import Conditions, Scatter
from napari_bgremove.synthetic.libs_instrument import chemcam_response

# Lines of the atmosphere, which every target has: within, and what their foot is measured on (nm, vacuum).
ALWAYS = {"O 777": ((776.8, 778.4), (774.5, 780.5)), "C 247.9": ((247.75, 248.1), (247.4, 248.4))}
EVERY = 5  # every fifth shot is compared with the truth
Rows = dict[str, np.ndarray]


class Generated:
    """The set as the analysis sees it, with its truth."""

    def __init__(self, *, targets: int, coupling: float, seed: int) -> None:
        conditions = Conditions(scatter=Scatter(coupling=coupling))
        made = make_chemcam_set(n_targets=targets, seed=seed, conditions=conditions)
        self.kept = channels_outside(made.set.axis, CHEMCAM_IGNORED_BANDS)
        self.shots = made.set.keep(self.kept)
        self.signal, self.background = made.signal[:, self.kept], made.background[:, self.kept]
        self.dark = made.dark.keep(self.kept)
        self.response = chemcam_response()[self.kept]

    def write(self, folder: Path) -> Path:
        """Write shots and dark spectra as one set, for the training."""
        path = folder / "shots.npz"
        if not path.exists():
            whole = join_spectra_sets([replace(self.shots, composition=None), replace(self.dark, composition=None)])
            write_spectra_set(path, whole)
        return path


def train(folder: Path, file: Path, recipe: SpectroscopyNetRecipe, *, threads: int | None) -> Path:
    """Train, or go on, and return the last model."""
    run = RunFolder(folder)
    job = TrainSpectraJob(recipe=recipe, source=SpectraSource(paths=(str(file),)), threads=threads, device="cpu")
    if not run.job.exists():
        create_run(run, job)
    done = any(event["event"] == "finished" for event in run.read_events()[0])
    if not done:
        run_training(run, job, listener=lambda event: _say(folder.name, event))
    return run.model


def clean(made: Generated, how: SpectraMethod, kept: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and background; of a method that was run before from its file."""
    if kept.exists():
        signal = np.load(kept)
    else:
        parts = separate_set(made.shots, how)
        per_spectrum = 1000 * float(parts.provenance["seconds"]) / made.shots.n_spectra
        print(f"{kept.stem}: {per_spectrum:.1f} ms per spectrum", flush=True)
        signal = np.asarray(parts.signal, np.float32)
        atomic_write(kept, lambda file: np.save(file, signal))
    return signal, np.asarray(made.shots.spectra) - signal


def clean_all(
    made: Generated, models: dict[str, Path], out: Path, *, threads: int | None
) -> dict[str, tuple[Any, Any]]:
    """Return signal and background by the name of the representation; raw has no background."""
    shots = np.asarray(made.shots.spectra)
    dark = np.asarray(made.dark.spectra).mean(axis=0)
    found = {
        "raw": (shots, np.zeros_like(shots)),
        "raw - dark": (shots - dark, np.broadcast_to(dark, shots.shape)),
        "true signal": (made.signal, made.background),
    }
    pipeline = SpectraMethod(method="chemcam", parameters={"dark": dark})
    found["ChemCam"] = clean(made, pipeline, out / "chemcam.npy")
    for name in ("arpls", "airpls", "snip"):
        found[name] = clean(made, SpectraMethod(method=name), out / f"{name}.npy")
    for name, model in models.items():
        for output, label in (("subtract", "y - z_n"), ("synthesis", "z_x")):
            how = SpectraMethod(model=str(model), output=output, threads=threads, device="cpu")  # type: ignore[arg-type]
            found[f"{name}, {label}"] = clean(made, how, model.parent / f"{output}.npy")
    return found


def compare_with_truth(made: Generated, signal: np.ndarray, background: np.ndarray) -> dict[str, float]:
    """Return errors (DN) and what is lost of lines that every target has."""
    rows = slice(None, None, EVERY)
    figures = {
        "signal_rmse": _rms(signal[rows] - made.signal[rows]),
        "background_rmse": _rms(background[rows] - made.background[rows]),
    }
    for name, (line, around) in ALWAYS.items():
        heights = [_net_height(made.shots.axis, values, line, around) for values in (signal, made.signal)]
        figures[f"lost of {name}"] = 1 - heights[0] / heights[1]
    bright = made.signal[rows] > np.percentile(made.signal[rows], 99, axis=1, keepdims=True)
    figures["slope"] = float(np.polyfit(made.signal[rows][bright], signal[rows][bright], 1)[0])
    return figures


def print_errors(calibrations: dict[str, Calibration]) -> None:
    """Print the nested errors, a line per representation."""
    names = next(iter(calibrations.values())).names
    print(f"{'nested RMSE (wt%)':24}" + "".join(f"{name:>8}" for name in names))
    for name, calibration in calibrations.items():
        print(f"{name:24}" + "".join(f"{value:8.3f}" for value in calibration.rmse))


def _net_height(axis: np.ndarray, values: np.ndarray, line: tuple[float, float], around: tuple[float, float]) -> float:
    """Mean height of a line above its foot, over all spectra: a wrong level is no lost line."""
    inside = (axis >= line[0]) & (axis <= line[1])
    foot = (axis >= around[0]) & (axis <= around[1]) & ~inside
    return float(values[:, inside].mean() - np.median(values[:, foot].mean(axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--targets", type=int, default=120)
    parser.add_argument("--coupling", type=float, default=0.0, help="light from rock to rock, as a share")
    parser.add_argument("--preset", choices=list(SPECTROSCOPY_PRESETS), default="small")
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--orthogonality", type=float, default=SpectroscopyNetRecipe.orthogonality)
    parser.add_argument("--sparsity", type=float, default=SpectroscopyNetRecipe.sparsity)
    parser.add_argument("--same-target", type=float, default=SpectroscopyNetRecipe.same_target)
    parser.add_argument("--no-pedestals", action="store_true", help="no constant of its own for each spectrometer")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--radiance", action="store_true", help="calibrate in photons, after the response")
    parser.add_argument("--no-calibration", action="store_true", help="only the comparison with the truth")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    made = Generated(targets=a.targets, coupling=a.coupling, seed=0)
    file, models = made.write(a.out), {}
    for seed in a.seeds:
        recipe = SpectroscopyNetRecipe.of_preset(
            a.preset, crop=a.crop, epochs=a.epochs, batch_size=a.batch_size, at_once=None, seed=seed,
            pedestals=not a.no_pedestals, orthogonality=a.orthogonality, sparsity=a.sparsity, same_target=a.same_target,
        )  # fmt: skip
        weights = f"o{a.orthogonality:g}-s{a.sparsity:g}-t{a.same_target:g}"
        name = f"{a.preset}-{a.epochs}x{a.batch_size}-{weights}{'-np' if a.no_pedestals else ''}-{seed}"
        models[f"seed {seed}"] = train(a.out / name, file, recipe, threads=a.threads)
    found = clean_all(made, models, a.out, threads=a.threads)
    figures: dict[str, Any] = {"truth": {}}
    for name, parts in found.items():
        figures["truth"][name] = compare_with_truth(made, *parts)
        print(f"{name:24}" + "  ".join(f"{k} {v:.3g}" for k, v in figures["truth"][name].items()), flush=True)
    if not a.no_calibration:
        # The pipeline ends with the response. It is the same factor for every representation, and so is tried on each.
        scale = made.response if a.radiance else 1
        calibrations = {
            name: measure_calibration(
                made.shots.with_spectra(np.asarray(signal * scale, np.float32)), scalings=("none", "l2")
            )
            for name, (signal, _) in found.items()
        }
        figures["calibration"] = tabulate_calibrations(calibrations, reference="raw")
        print_errors(calibrations)
        atomic_write(a.out / "calibration.md", calibrations_as_markdown(calibrations, reference="raw") + "\n")
        write_figure(a.out / "predictions.png", draw_predictions(calibrations))
        write_figure(a.out / "errors.png", draw_rmse_bars(calibrations))
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


def _say(name: str, event: dict[str, Any]) -> None:
    if event["event"] == "epoch":
        terms = " ".join(f"{key} {value:.3f}" for key, value in event["training"].items())
        print(f"{name}: epoch {event['epoch'] + 1}/{event['epochs']} ({event['seconds']:.0f} s) {terms}", flush=True)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


if __name__ == "__main__":
    main()
