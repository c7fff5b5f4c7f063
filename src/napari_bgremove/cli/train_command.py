"""bgremove train: a run folder, from two patch sets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.layer_options import layer_background_options, take_layer_background
from napari_bgremove.cli.model_argument import IMAGE_MODEL
from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, recipe_options
from napari_bgremove.cli.progress import stop_on_interrupt
from napari_bgremove.cli.training import RESUME, TrainingListener, changed_job, conclude, flag, refuse
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

# Decided when the patches are cut, or fixed by their files; of hidden units a model to start from decides.
_NOT_HERE = (
    "patch",
    "signal_patches",
    "background_patches",
    "min_intensity",
    "mask_threshold",
    "mask_grow",
    "offsets",
    "hidden",
)


@click.command("train")
@click.option("--signal", type=click.Path(exists=True, dir_okay=False), help="Signal patches, from 'bgremove patches'.")
@click.option("--background", type=click.Path(exists=True, dir_okay=False), help="Background patches.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the new run.")
@RESUME
@click.option(
    "--start-from",
    type=IMAGE_MODEL,
    metavar="FILE|bundled|fast",
    help="Model file to start from: its weights, its network and its normalisation.",
)
@click.option(
    "--samples-per-epoch", type=click.IntRange(min=1), help="Pairs per epoch; one per signal patch otherwise."
)
@DEVICE
@PRECISION
@THREADS
@JSON
@layer_background_options
@recipe_options(SaxsUnetRecipe, leave_out=_NOT_HERE)
def command(
    signal: str | None,
    background: str | None,
    out: Path | None,
    resume: Path | None,
    start_from: str | None,
    samples_per_epoch: int | None,
    device: str,
    precision: str,
    threads: int | None,
    json_file: Path | None,
    **options: Any,
) -> int:
    """Train a network, or go on with a run (--resume RUN).

    Ctrl-C stops after the step and keeps a model that can be used and
    resumed; the exit code is then 130, and 0 after the last epoch.

    Several processes: torchrun --nproc-per-node N -m napari_bgremove -- train
    ... (without the --, torchrun takes --signal for an option of its own);
    with --device cuda each takes a GPU of its own. They share every batch:
    --batch-size counts the samples of all processes together, so the losses
    are those of one process with the same --batch-size.
    """
    from napari_bgremove.engine.jobs import TrainJob
    from napari_bgremove.engine.run_folder import RunFolder
    from napari_bgremove.engine.train_plan import create_run
    from napari_bgremove.engine.train_run import run_training

    started = time.monotonic()
    if resume is not None:
        folder = RunFolder(resume)
        job = changed_job(folder, TrainJob)
    else:
        if signal is None or background is None or out is None:
            refuse("A new run needs --signal, --background and --out; an old one --resume.")
        folder = RunFolder(out)
        layer_background = take_layer_background(options)
        chosen = {name: value for name, value in options.items() if value is not None}
        job = TrainJob(
            recipe=SaxsUnetRecipe(**(chosen if start_from is None else _fields_like(Path(start_from), chosen))),
            signal=str(Path(signal).resolve()),
            background=str(Path(background).resolve()),
            device=device,
            start_from=start_from and str(Path(start_from).resolve()),
            precision=precision,  # type: ignore[arg-type]  # click has checked it
            threads=threads,
            samples_per_epoch=samples_per_epoch,
            layer_background=layer_background,
        )
        create_run(folder, job)
    folder.withdraw_stop()
    listener = TrainingListener(job)
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=listener)
    if listener.heard:  # under torchrun the first process speaks for all
        figures = listener.figures | {"seconds": round(time.monotonic() - started, 2)}
        conclude(job, folder, outcome, figures, json_file)
    return 130 if outcome == "stopped" else 0


def _fields_like(model: Path, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen fields of the recipe, the others that concern the network as a model file has them."""
    from napari_bgremove.learning.model_file import read_description

    description = read_description(model)
    network = SaxsUnetRecipe.network_fields(description.network)
    for name, value in chosen.items():
        if name in network and value != network[name]:
            refuse(
                f"{flag(name)} must be {_text(network[name])} as in '{model.name}' (--start-from); found "
                f"{_text(value)}. Leave the option out."
            )
    trained_with = {"normalization": description.normalization, "percentiles": description.percentiles}
    return {**trained_with, **network, **chosen}


def _text(value: Any) -> str:
    return ",".join(str(v) for v in value) or "none" if isinstance(value, tuple) else str(value)
