"""The one result the paper states: the equivariant network does better.

    python benchmarks/equivariance.py PATCHES OUT [--seeds 3] [--epochs 8] [--preset tiny] [--json FILE]

Equal training budget (samples, steps, schedule) for the C4 network, the plain
one over as many channels, and the plain one with pairs turned by multiples of
90 degrees; each with every seed, with the published loss (the geometric mean
alone lets a network without guides fall silent). Judged on held-out generated shots. Then, for
the C4 networks: one grid, four grids weighted, median, mean, with the error
within 8 pixels of tile borders apart. PATCHES is a folder with signal.npz and
background.npz (benchmarks/bundled_model.py makes one). Runs are kept in OUT
and resumed, so the command can be stopped and called again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import LoadedModel, read_model
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.synthetic.saxs import Shot, make_full_shot

ARMS: dict[str, dict[str, Any]] = {
    "C4": {"equivariant": True},
    "plain": {"equivariant": False},
    "plain + rot90": {"equivariant": False, "rot90": True},
}
MERGES: dict[str, dict[str, Any]] = {
    "one grid": {"offsets": ((0, 0),)},
    "four, weighted": {"merge": "weighted"},
    "four, median": {"merge": "median"},
    "four, mean": {"merge": "mean"},
}
BORDER_PX = 8
SHOT_SHAPE = (256, 384)


def train_arm(patches: Path, run: Path, arm: dict[str, Any], seed: int, *, preset: str, epochs: int) -> LoadedModel:
    """Train one network, or go on, and return it."""
    recipe = SaxsUnetRecipe(
        preset=preset, seed=seed, epochs=epochs, batch_size=8, learning_rate=2e-3, schedule="cosine",
        warmup_steps=50, amplitude_decades=(0.3, 3.0), **arm,
    )  # fmt: skip
    job = TrainJob(
        recipe=recipe, signal=str(patches / "signal.npz"), background=str(patches / "background.npz"),
        precision="bfloat16", samples_per_epoch=800, validation_samples=64,
    )  # fmt: skip
    folder = RunFolder(run)
    if not folder.job.exists():
        folder.create(job.model_dump_json(indent=1))
    if not folder.events.exists() or folder.read_events()[0][-1]["event"] != "finished":
        run_training(folder, replace_recipe(read_job(folder.job), recipe))
    return read_model(folder.model)


def replace_recipe(job: Any, recipe: SaxsUnetRecipe) -> TrainJob:
    """Return the stored job, made sure to be the one asked for."""
    if replace(job.recipe, patch=recipe.patch) != recipe:
        msg = "the run folder holds a run with other settings; choose another OUT"
        raise SystemExit(msg)
    return job


def held_out_shots(count: int) -> list[Shot]:
    """Generated shots of seeds that no training has seen."""
    return [make_full_shot(9_000_000 + i, shape=SHOT_SHAPE) for i in range(count)]


def border_mask(shape: tuple[int, int], tile: int) -> np.ndarray:
    """True within BORDER_PX of a tile border of the first grid."""
    near = [np.minimum(np.arange(n) % tile, tile - 1 - np.arange(n) % tile) < BORDER_PX for n in shape]
    return near[0][:, None] | near[1][None, :]


def errors(model: LoadedModel, shots: Iterable[Shot], **changes: Any) -> dict[str, float]:
    """Return the mean absolute error relative to the mean measured intensity, everywhere and near borders."""
    everywhere, near, inside = [], [], []
    for shot in shots:
        result = separate_image(
            model.network, shot.measured, options=options_of(model, **changes), valid_mask=shot.valid_mask
        )
        error = np.abs(result.signal - shot.signal) / np.nanmean(np.abs(result.measured))
        border = border_mask(shot.measured.shape, model.description.tile) & shot.valid_mask
        everywhere.append(np.nanmean(error))
        near.append(np.mean(error[border]))
        inside.append(np.mean(error[~border & shot.valid_mask]))
    return {"error": float(np.mean(everywhere)), "near borders": float(np.mean(near)), "inside": float(np.mean(inside))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patches", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8, help="of 800 samples each")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--shots", type=int, default=12)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    shots = held_out_shots(a.shots)
    figures: dict[str, Any] = {"arms": {}, "merges": {}}
    for name, arm in ARMS.items():
        rows = []
        for seed in range(a.seeds):
            run = a.out / f"{name.replace(' ', '')}-{seed}"
            model = train_arm(a.patches, run, arm, seed, preset=a.preset, epochs=a.epochs)
            last = [e for e in RunFolder(run).read_events()[0] if e["event"] == "epoch"][-1]
            rows.append({"validation_loss": last["validation"]["loss"], **errors(model, shots)})
            if name == "C4":
                figures["merges"][seed] = {m: errors(model, shots, **change) for m, change in MERGES.items()}
        figures["arms"][name] = rows
        means = {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}
        print(f"{name:<16}" + "  ".join(f"{k} {v:.5f}" for k, v in means.items()), flush=True)
    for merge in MERGES:
        rows = [figures["merges"][seed][merge] for seed in figures["merges"]]
        print(f"{merge:<16}" + "  ".join(f"{k} {np.mean([r[k] for r in rows]):.5f}" for k in rows[0]))
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
