"""Background removal of layers on the SAXS network: train the bundled model with it, take fields out, time the rest.

    python benchmarks/bundled_model.py patches OUT --shots 200
    python benchmarks/layer_saxs.py OUT [--runs none gated-lorentzian:0.03] [--epochs 14] [--mix 0.15]
                                        [--keep 0.43 0.2] [--fine-tune 8] [--device cpu] [--json FILE]
    python benchmarks/layer_saxs.py OUT --ship FILE         (into the package, as the fast model)

Each run starts from the bundled model and adds a penalty of layer_bench/penalties.py, of a strength, to its
objective (none: the same further training without any); the strength rises over the first quarter, as the
network has learnt its task already. The fields that stay are chosen by what was learnt; the weights that
stay lie between the bundled model's and these (--mix), as the bundled model itself was mixed: what so short
a training does on generated images is not all good on measured ones. Then, on the pairs held out: the loss
by share of the fields kept. Of the last run: the smaller models, as files; the smallest one trained further,
without the penalty; and how long a 512 x 512 image takes by each, in turns. What they are worth on measured
images: bgremove report --model ... for the files printed.

Runs are kept in OUT, and an interrupted command goes on with the first that is not there. An epoch is 100
steps of eight patches, some two minutes of one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.layer_models import read_any_model
from napari_bgremove.engine.layer_removal import fine_tuning_folder, predict_removal, remove_units_of
from napari_bgremove.engine.layer_report import inspect_layers
from napari_bgremove.engine.removal_job import change_job_of, job_of
from napari_bgremove.engine.removal_judge import RemovalJudge
from napari_bgremove.engine.saxs_training import SaxsTraining
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.io.bundled import BUNDLED_MODEL, FAST_MODEL
from napari_bgremove.learning.devices import limited_threads, pick_device
from napari_bgremove.learning.distributed import Ranks
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import LoadedModel, read_model, write_model
from napari_bgremove.learning.training import EpochDone
from napari_bgremove.learning.unit_removal import choose_units
from napari_bgremove.synthetic.saxs import make_full_shot

SHARES = (1.0, 0.75, 0.6, 0.5, 0.43, 0.35, 0.25, 0.2)
TRAINED = {"learning_rate": 5e-4, "warmup_steps": 50, "batch_size": 8, "schedule": "cosine"}
SIDE = 512
REPEATS = 5


def make_job(out: Path, epochs: int, **changes: Any) -> TrainJob:
    """Train the network of the bundled model on, by its own objective."""
    model = read_any_model(BUNDLED_MODEL)
    job = job_of(model, signal=str(out / "signal.npz"), background=str(out / "background.npz"))
    how = {"precision": "bfloat16", "samples_per_epoch": 800, "validation_samples": 64, "threads": 1}
    start = {"start_from": str(BUNDLED_MODEL)}
    return change_job_of(job, {**how, **start, **changes}, {**TRAINED, "epochs": epochs})


def train(out: Path, run: str, job: TrainJob) -> Path:
    """Train with a penalty, unless it was done, up to the end: the best may be from before the strength had risen."""
    from layer_bench.penalties import make_objective

    done = out / run.replace(":", "-") / "model.safetensors"
    if not done.exists():
        method, _, strength = run.partition(":")
        trainee = SaxsTraining(job)
        trainee.load(BUNDLED_MODEL)
        training = trainee.build_training(pick_device(job.device), Ranks())
        objective = make_objective(training.objective, method, float(strength or 0), ramp_start=0, ramp_end=0.25)
        with limited_threads(job.threads):
            for progress in replace(training, objective=objective).run():
                if isinstance(progress, EpochDone):
                    print(f"{run}: epoch {progress.epoch}, loss {progress.validation['loss']:.4f}", flush=True)
        done.parent.mkdir(parents=True, exist_ok=True)
        write_model(done, trainee.network, trainee.describe(penalty=run, epochs_done=job.recipe.epochs))
    return done


def print_epoch(event: dict[str, Any]) -> None:
    if event["event"] == "epoch":
        print(f"trained further: epoch {event['epoch']}, loss {event['validation']['loss']:.4f}", flush=True)


def mix_with_start(learnt: Path, share: float) -> Path:
    """Write a model whose weights lie between those of the bundled model and those that were learnt, and return it."""
    from bundled_model import mix

    mixed = learnt.parent.with_name(f"{learnt.parent.name}-mix-{share:g}.safetensors")
    loaded = read_model(learnt)
    mix(loaded.network, read_model(BUNDLED_MODEL).network, share)
    told = {**loaded.description.provenance, "weights": f"{share:g} of this training, {1 - share:g} of its start"}
    write_model(mixed, loaded.network, loaded.description.model_copy(update={"provenance": told}))
    return mixed


def take_out(out: Path, model: Path, shares: Sequence[float], *, chosen_by: Path) -> tuple[dict[str, Any], list[Path]]:
    """Measure what is lost by share kept, and write the smaller models asked for."""
    whole, ranked = read_any_model(model), read_any_model(chosen_by).network
    judge = RemovalJudge(make_job(out, 1, start_from=None), whole)
    figures: dict[str, Any] = {"loss": judge.whole["loss"], "removed": {}}
    layers = inspect_layers(chosen_by)
    figures["alive"] = {layer.name: [int(layer.alive.sum()), layer.units] for layer in layers}
    figures["snr"] = statistics.median(layer.snr for layer in layers)
    files = []
    for share in sorted({*SHARES, *shares}, reverse=True):
        predicted = predict_removal(whole, kept=choose_units(ranked, share), judge=judge)
        kept = {name: int(keep.sum()) for name, keep in predicted.kept.items()}
        inner = float(np.concatenate([k for n, k in predicted.kept.items() if not n.endswith(".out")]).mean())
        figures["removed"][share] = {"loss": predicted.masked["loss"], "fields": kept, "within_blocks": inner}
        told = f"{share:.0%} of all fields kept, {inner:.0%} of those within blocks"
        print(f"{model.stem}: {told}, loss {predicted.masked['loss']:.4f}, {kept}", flush=True)
        if share in shares:
            files.append(out / f"{model.stem}-keep-{share:g}.safetensors")
            if not files[-1].exists():
                remove_units_of(whole, predicted, files[-1], judge=judge)
    return figures, files


def ship(smaller: Path) -> None:
    """Put a smaller model into the package, and beside it the record of how it came about."""
    model, start = read_model(smaller), read_model(BUNDLED_MODEL)
    told, before = dict(model.description.provenance), start.description.provenance
    told["trained_on"] = f"{before['trained_on']}; then {told['trained_on']}"
    told["hit_share"] = before["hit_share"]  # counted without read noise; the patches are drawn by the same rules
    told["started_from"] = BUNDLED_MODEL.name
    write_model(FAST_MODEL, model.network, model.description.model_copy(update={"provenance": told}))
    record = {
        "model": FAST_MODEL.name,
        "made": "benchmarks/layer_saxs.py: trained on with background removal of layers, mixed with its start, and "
        "its weakest hidden fields taken out; generated shots only.",
        "started_from": BUNDLED_MODEL.with_suffix(".json").name,
        **{
            name: told[name]
            for name in ("trained_on", "penalty", "weights", "validation_loss", "units_removed", "epochs_done")
        },
        "recipe": model.description.recipe,
    }
    atomic_write(FAST_MODEL.with_suffix(".json"), json.dumps(record, indent=1) + "\n")


def fine_tune(out: Path, smaller: Path, epochs: int) -> Path:
    """Train the smaller model on, without the term."""
    hidden = tuple(read_model(smaller).network.spec.hidden)
    job = change_job_of(make_job(out, epochs), {"start_from": str(smaller)}, {"hidden": hidden})
    folder = fine_tuning_folder(smaller)
    if not folder.job.exists():
        folder.create(job.model_dump_json(indent=1))
    run_training(folder, read_job(folder.job), listener=print_epoch)
    return folder.model


def time_models(files: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Separate one image by each model in turns, on all cores; times as fast are of the medians."""
    image = make_full_shot(0, shape=(SIDE, SIDE)).measured
    models: list[LoadedModel] = [read_model(file) for file in files]
    took: list[list[float]] = [[] for _ in models]
    with limited_threads(None):
        for turn in range(REPEATS + 1):
            for model, times in zip(models, took, strict=True):
                start = time.perf_counter()
                separate_image(model.network, image, options=options_of(model))
                if turn:  # the first one warms up
                    times.append(time.perf_counter() - start)
    seconds = [statistics.median(times) for times in took]
    return {
        str(file): {"seconds": one, "times_as_fast": seconds[0] / one, "bytes": file.stat().st_size}
        for file, one in zip(files, seconds, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="where signal.npz and background.npz are")
    parser.add_argument("--runs", nargs="+", default=["none", "gated-lorentzian:0.03"], metavar="PENALTY:STRENGTH")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--mix", type=float, default=0.15, help="of the learnt weights; the rest is of their start")
    parser.add_argument("--keep", type=float, nargs="*", default=[0.43, 0.2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fine-tune", type=int, default=8, help="epochs of the smallest model")
    parser.add_argument("--ship", type=Path, metavar="FILE", help="put this smaller model into the package")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    if a.ship:
        ship(a.ship)
        return
    figures: dict[str, Any] = {}
    files = [BUNDLED_MODEL]
    for run in a.runs:
        model = train(a.out, run, make_job(a.out, a.epochs, device=a.device))
        mixed = mix_with_start(model, a.mix)
        figures[run], smaller = take_out(a.out, mixed, a.keep if run == a.runs[-1] else [], chosen_by=model)
        files += [model, mixed, *smaller]
    if smaller and a.fine_tune:
        files.append(fine_tune(a.out, smaller[-1], a.fine_tune))
    figures["speed"] = time_models(files)
    for file, speed in figures["speed"].items():
        print(f"{speed['seconds']:.2f} s, {speed['times_as_fast']:.2f} x, {speed['bytes'] / 1000:.0f} kB  {file}")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
