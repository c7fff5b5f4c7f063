"""`bgremove signals train`: a run folder, from generated pairs or from a person's own noisy rows."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.layer_options import layer_background_options, take_layer_background
from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, recipe_options
from napari_bgremove.cli.progress import stop_on_interrupt
from napari_bgremove.cli.shots import Gate
from napari_bgremove.cli.spectrum_source_options import spectrum_source_options
from napari_bgremove.cli.training import RESUME, TrainingListener, changed_job, conclude, hidden_of, refuse
from napari_bgremove.recipes.denoiser import DENOISER_PRESETS, GENERATORS, DenoiserRecipe

if TYPE_CHECKING:
    from napari_bgremove.engine.jobs import TrainSignalsJob
    from napari_bgremove.engine.run_folder import RunFolder

_ROWS = "rows"


@click.command("train")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--on",
    "generator",
    type=click.Choice(list(GENERATORS)),
    help="Train on generated pairs, in place of FILES: spikes as in the paper, or spectra of peaks.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the new run.")
@RESUME
@click.option("--start-from", type=click.Path(exists=True, dir_okay=False), help="Model file whose weights to take.")
@click.option(
    "--preset",
    type=click.Choice(list(DENOISER_PRESETS)),
    help="Numbers to begin with: the paper's, or those for a processor that go with --on, or with FILES (rows), and "
    "are taken otherwise.",
)
@spectrum_source_options
@DEVICE
@PRECISION
@THREADS
@JSON
@layer_background_options
@recipe_options(DenoiserRecipe, leave_out=("signals", "hidden"))
def command(
    files: tuple[Path, ...], generator: str | None, out: Path | None, resume: Path | None, start_from: str | None,
    preset: str | None, json_file: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Train a denoiser of signals, or go on with a run (--resume RUN).

    bgremove signals train --on spectra --out run

    takes generated pairs, whose clean signals are known; --on spikes --preset
    paper is the published training.

    bgremove signals train frames.tif --out run

    learns from the rows of your own images, from spectra, profiles, maps or
    sets, without any clean ones (Noise2Self): single samples are hidden, and
    the network guesses them from their neighbours. For that the noise of
    neighbours must not depend on each other. Rows with unusable samples are
    left out; those that are taken are kept in the run folder. Below some
    20,000 samples a filter does better.

    Ctrl-C stops after the step and keeps a model that can be used and resumed
    (exit code 130). 'bgremove signals denoise --model RUN/best.safetensors'
    applies it.
    """
    from napari_bgremove.engine.run_folder import RunFolder
    from napari_bgremove.engine.train_run import run_training

    started = time.monotonic()
    if resume is not None:
        from napari_bgremove.engine.jobs import TrainSignalsJob

        folder = RunFolder(resume)
        job = changed_job(folder, TrainSignalsJob)
    else:
        if out is None or bool(files) == (generator is not None):
            refuse("A new run needs --out, and either files or --on; an old one --resume.")
        folder = RunFolder(out)
        given: dict[str, Any] = {"start_from": start_from and str(Path(start_from).resolve())}
        given |= {name: options[name] for name in ("device", "precision", "threads")}
        given["layer_background"] = take_layer_background(options)
        options["hidden"] = hidden_of(start_from)
        job = _create(folder, files, generator or _ROWS, preset, given, options)
    folder.withdraw_stop()
    listener = TrainingListener(job)
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=listener)
    if listener.heard:
        _say_suspicion(job, listener)
        figures = listener.figures | {"seconds": round(time.monotonic() - started, 2)}
        conclude(job, folder, outcome, figures, json_file)
    return 130 if outcome == "stopped" else 0


def _say_suspicion(job: TrainSignalsJob, listener: TrainingListener) -> None:
    """Say where a network guesses hidden samples better than can be."""
    from napari_bgremove.cli.signal_rows import explain_loss

    losses = [epoch["validation"]["loss"] for epoch in listener.figures["epochs"] if epoch["validation"]]
    sentence = explain_loss(min(losses), job.recipe.loss) if job.recipe.signals == _ROWS and losses else None
    if sentence:
        click.echo(sentence)


def _create(
    folder: RunFolder, files: tuple[Path, ...], signals: str, preset: str | None, given: dict[str, Any],
    options: dict[str, Any],
) -> TrainSignalsJob:  # fmt: skip
    """Make the folder of the new run, with the rows it learns from."""
    from napari_bgremove.engine.jobs import TrainSignalsJob
    from napari_bgremove.engine.spectra_source import SpectraSource
    from napari_bgremove.engine.train_plan import create_run

    names = {field.name for field in fields(DenoiserRecipe)}
    chosen = {name: value for name, value in options.items() if name in names and value is not None}
    recipe = DenoiserRecipe.of_preset(preset or signals, **{**chosen, "signals": signals})
    with ExitStack() as stack:
        source = None
        if files:
            from napari_bgremove.cli.signal_rows import collect_rows, explain_few, kept_rows
            from napari_bgremove.cli.spectrum_sources import SpectrumChoice

            gate = Gate(**{name: options[name] for name in ("gap_values", "saturation", "valid_mask")})
            parts = {field.name for field in fields(SpectrumChoice)} - {"gate"}
            rows = collect_rows(files, SpectrumChoice(gate=gate, **{name: options[name] for name in parts}))
            click.echo(f"{rows.n_spectra} rows of {rows.n_channels} samples")
            few = explain_few(rows)
            if few:
                click.echo(few)
            path = stack.enter_context(kept_rows(folder.path, rows, stem=files[0].stem))
            source = SpectraSource(paths=(str(path.resolve()),))
        job = TrainSignalsJob(recipe=recipe, source=source, **given)
        create_run(folder, job)
    return job
