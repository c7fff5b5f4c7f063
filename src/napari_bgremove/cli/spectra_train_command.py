"""bgremove spectra train: a run folder, from spectra nobody has cleaned."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.layer_options import layer_background_options, take_layer_background
from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, recipe_options
from napari_bgremove.cli.progress import stop_on_interrupt
from napari_bgremove.cli.spectra_set_options import source_options, take_source
from napari_bgremove.cli.training import RESUME, TrainingListener, changed_job, conclude, hidden_of, refuse
from napari_bgremove.recipes.spectroscopy_net import SPECTROSCOPY_PRESETS, SpectroscopyNetRecipe
from napari_bgremove.spectra.set_records import describe_set


@click.command("train")
@click.argument("files", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the new run.")
@RESUME
@click.option("--start-from", type=click.Path(exists=True, dir_okay=False), help="Model file whose weights to take.")
@click.option(
    "--preset",
    type=click.Choice(list(SPECTROSCOPY_PRESETS)),
    default="paper",
    show_default=True,
    help="The paper's network; two for a processor; one that sees broad continua.",
)
@source_options
@DEVICE
@PRECISION
@THREADS
@JSON
@layer_background_options
@recipe_options(SpectroscopyNetRecipe, leave_out=("signal_bands", "hidden"))
def command(
    files: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    start_from: str | None,
    preset: str,
    json_file: Path | None,
    **options: Any,
) -> int:
    """Train a network on the spectra in FILES, or go on with a run (--resume RUN).

    All it is told of a spectrum is its target: at least three are needed.
    What spectra of different targets have in common is learnt as background;
    mark lines that every target has with --signal. Ctrl-C stops after the
    step and keeps a model that can be used and resumed (exit code 130).
    """
    from napari_bgremove.engine.run_folder import RunFolder
    from napari_bgremove.engine.train_plan import create_run
    from napari_bgremove.engine.train_run import run_training

    started = time.monotonic()
    if resume is not None:
        from napari_bgremove.engine.jobs import TrainSpectraJob

        folder = RunFolder(resume)
        job = changed_job(folder, TrainSpectraJob)
    else:
        if not files or out is None:
            refuse("A new run needs files and --out; an old one --resume.")
        folder = RunFolder(out)
        job = _new_job(files, start_from, preset, options)
        _say_stationarity(job)
        create_run(folder, job)
    folder.withdraw_stop()
    listener = TrainingListener(job)
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=listener)
    if listener.heard:
        figures = listener.figures | {"seconds": round(time.monotonic() - started, 2)}
        conclude(job, folder, outcome, figures, json_file)
    return 130 if outcome == "stopped" else 0


def _new_job(files: tuple[str, ...], start_from: str | None, preset: str, options: dict[str, Any]) -> Any:
    from napari_bgremove.engine.jobs import TrainSpectraJob

    source = take_source(files, options).resolved()
    names = {field.name for field in fields(SpectroscopyNetRecipe)}
    chosen = {name: value for name, value in options.items() if name in names and value is not None}
    return TrainSpectraJob(
        recipe=SpectroscopyNetRecipe.of_preset(
            preset, signal_bands=source.signal_bands, hidden=hidden_of(start_from), **chosen
        ),
        source=source,
        layer_background=take_layer_background(options),
        start_from=start_from and str(Path(start_from).resolve()),
        **{name: options[name] for name in ("device", "precision", "threads")},
    )


def _say_stationarity(job: Any) -> None:
    """Say what the method rests on, before it begins."""
    from napari_bgremove.spectra.stationarity import measure_stationarity

    spectra = job.source.read()
    click.echo(describe_set(spectra))
    click.echo(measure_stationarity(spectra).message)
