"""bgremove train: a run folder, from two patch sets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, recipe_options, write_json
from napari_bgremove.cli.progress import TrainingProgress, stop_on_interrupt
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

if TYPE_CHECKING:
    from napari_bgremove.engine.jobs import TrainJob
    from napari_bgremove.engine.run_folder import RunFolder

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
# What --resume can change of a run.
_CHANGEABLE = ("device", "precision", "threads", "epochs")


@click.command("train")
@click.option("--signal", type=click.Path(exists=True, dir_okay=False), help="Signal patches, from 'bgremove patches'.")
@click.option("--background", type=click.Path(exists=True, dir_okay=False), help="Background patches.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the new run.")
@click.option(
    "--resume",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Go on with this run; only --device, --precision, --threads and more --epochs can change.",
)
@click.option(
    "--start-from",
    type=click.Path(exists=True, dir_okay=False),
    help="Model file to start from: its weights, its network and its normalisation.",
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
        job = _changed_job(folder)
    else:
        if signal is None or background is None or out is None:
            _refuse("A new run needs --signal, --background and --out; an old one --resume.")
        folder = RunFolder(out)
        chosen = {name: value for name, value in recipe.items() if value is not None}
        job = TrainJob(
            recipe=SaxsUnetRecipe(**(chosen if start_from is None else _fields_like(Path(start_from), chosen))),
            signal=str(Path(signal).resolve()),
            background=str(Path(background).resolve()),
            device=device,
            start_from=start_from and str(Path(start_from).resolve()),
            precision=precision,  # type: ignore[arg-type]  # click has checked it
            threads=threads,
            samples_per_epoch=samples_per_epoch,
        )
        create_run(folder, job)
    folder.withdraw_stop()
    listener = _Listener()
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=listener)
    if listener.heard:  # under torchrun the first process speaks for all
        figures = listener.figures | {"seconds": round(time.monotonic() - started, 2)}
        _conclude(folder, outcome, figures, json_file)
    return 130 if outcome == "stopped" else 0


class _Listener:
    """Shows the events of a run, and keeps the figures it has shown."""

    def __init__(self) -> None:
        self._show = TrainingProgress()
        self.figures: dict[str, Any] = {"epochs": []}

    @property
    def heard(self) -> bool:
        """True once the run has started."""
        return "device" in self.figures

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "started":
            self.figures["device"] = event["device"]
        elif kind == "epoch":
            self.figures["epochs"].append(
                {name: event[name] for name in ("epoch", "seconds", "training", "validation")}
            )
        elif kind == "memory":
            click.echo(f"\nThe memory does not suffice for a batch: {event['at_once']} samples at once from here on.")
        self._show(event)


def _conclude(folder: RunFolder, outcome: str, figures: Mapping[str, Any], json_file: Path | None) -> None:
    click.echo(f"{'Finished' if outcome == 'finished' else 'Stopped'}: the newest model is {folder.model}")
    if outcome == "stopped":
        click.echo(f"Go on with: bgremove train --resume {folder.path}")
    files = {"run": str(folder.path), "model": str(folder.model), "best": str(folder.best)}
    write_json(json_file, {"outcome": outcome, **files, **figures})


def _given() -> dict[str, Any]:
    """Return the options of this call that were given, with their values."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in context.params.items() if context.get_parameter_source(name) is not default}


def _changed_job(folder: RunFolder) -> TrainJob:
    """Return the job of a run, with what the options of this call change of it."""
    from napari_bgremove.engine.jobs import TrainJob, read_job
    from napari_bgremove.engine.train_plan import change_run

    given = _given()
    others = sorted(_flag(name) for name in given if name not in ("resume", "json_file", *_CHANGEABLE))
    if others:
        changeable = ", ".join(_flag(name) for name in _CHANGEABLE)
        _refuse(
            f"--resume goes on with the run's own job, of which only {changeable} can change; leave out "
            f"{', '.join(others)}."
        )
    job = read_job(folder.job)
    if not isinstance(job, TrainJob):
        _refuse(f"'{folder.path}' is no training run.")
    return change_run(folder, job, **{name: given[name] for name in _CHANGEABLE if name in given})


def _fields_like(model: Path, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen fields of the recipe, the others that concern the network as a model file has them."""
    from napari_bgremove.learning.model_file import read_description

    description = read_description(model)
    network = SaxsUnetRecipe.network_fields(description.network)
    for name, value in chosen.items():
        if name in network and value != network[name]:
            _refuse(
                f"{_flag(name)} must be {_text(network[name])} as in '{model.name}' (--start-from); found "
                f"{_text(value)}. Leave the option out."
            )
    trained_with = {"normalization": description.normalization, "percentiles": description.percentiles}
    return {**trained_with, **network, **chosen}


def _refuse(sentence: str) -> NoReturn:
    """End with a usage error; the context of the call lets it name the command's help."""
    click.get_current_context().fail(sentence)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _text(value: Any) -> str:
    return ",".join(str(v) for v in value) or "none" if isinstance(value, tuple) else str(value)
