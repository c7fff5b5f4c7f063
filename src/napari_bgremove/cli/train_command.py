"""bgremove train: a run folder, from two patch sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, recipe_options, write_json
from napari_bgremove.cli.progress import TrainingProgress, stop_on_interrupt
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

# Decided when the patches are cut, or fixed by their files.
_NOT_HERE = (
    "patch",
    "signal_patches",
    "background_patches",
    "min_intensity",
    "mask_threshold",
    "mask_grow",
    "offsets",
)


@click.command("train")
@click.option("--signal", type=click.Path(exists=True, dir_okay=False), help="Signal patches, from 'bgremove patches'.")
@click.option("--background", type=click.Path(exists=True, dir_okay=False), help="Background patches.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the new run.")
@click.option("--resume", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Go on with this run.")
@click.option(
    "--start-from", type=click.Path(exists=True, dir_okay=False), help="Model file to start from, of the same network."
)
@click.option(
    "--samples-per-epoch", type=click.IntRange(min=1), help="Pairs per epoch; one per signal patch otherwise."
)
@DEVICE
@PRECISION
@THREADS
@JSON
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
    **recipe: Any,
) -> int:
    """Train a network, or go on with a run (--resume RUN).

    Ctrl-C stops after the step and keeps a model that can be used and
    resumed. Several processes: torchrun --nproc-per-node N -m napari_bgremove
    train ...
    """
    from napari_bgremove.engine.jobs import TrainJob, read_job
    from napari_bgremove.engine.run_folder import RunFolder
    from napari_bgremove.engine.train_run import run_training

    chosen = {name: value for name, value in recipe.items() if value is not None}
    if resume is not None:
        _refuse_with_resume(signal, background, out, chosen)
        folder = RunFolder(resume)
        job = read_job(folder.job)
        if not isinstance(job, TrainJob):
            raise click.UsageError(f"'{resume}' is no training run.")
    else:
        if signal is None or background is None or out is None:
            raise click.UsageError("A new run needs --signal, --background and --out; an old one --resume.")
        folder = RunFolder(out)
        job = TrainJob(
            recipe=SaxsUnetRecipe(**chosen),
            signal=str(Path(signal).resolve()),
            background=str(Path(background).resolve()),
            device=device,
            start_from=start_from,
            precision=precision,  # type: ignore[arg-type]  # click has checked it
            threads=threads,
            samples_per_epoch=samples_per_epoch,
        )
        folder.create_once(job.model_dump_json(indent=1))
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=TrainingProgress())
    click.echo(f"{'Finished' if outcome == 'finished' else 'Stopped'}: the newest model is {folder.model}")
    if outcome == "stopped":
        click.echo(f"Go on with: bgremove train --resume {folder.path}")
    write_json(json_file, {"outcome": outcome, "run": str(folder.path), "model": str(folder.model)})
    return 0


def _refuse_with_resume(*given: Any) -> None:
    if any(given):
        raise click.UsageError("--resume goes on with the run's own job; leave the other options out.")
