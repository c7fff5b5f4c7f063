"""bgremove layers prune: what a model would be without its weakest hidden units, and then that model as a new file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.model_argument import MODEL, find_model
from napari_bgremove.cli.options import DEVICE, JSON, THREADS, check_writable, write_json
from napari_bgremove.cli.progress import stop_on_interrupt
from napari_bgremove.cli.spectra_set_options import file_options, take_source
from napari_bgremove.cli.training import TrainingListener, refuse
from napari_bgremove.recipes.denoiser import GENERATORS

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel
    from napari_bgremove.engine.layer_removal import PredictedRemoval, Removal
    from napari_bgremove.engine.removal_judge import RemovalJudge

_PATCHES = click.Path(exists=True, dir_okay=False)


@click.command("prune")
@click.argument("model", metavar="MODEL|RUN", type=MODEL)
@click.argument("files", nargs=-1, type=click.Path(exists=True))
@click.option(
    "--keep", "share", type=click.FloatRange(0, 1, min_open=True), required=True,
    help="Share of all hidden units that stay, the strongest; at least one of each layer does.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), callback=check_writable,
    help="New model file; one that exists is never overwritten.",
)  # fmt: skip
@click.option(
    "--rule", type=click.Choice(["relative", "energy"]), default="relative", show_default=True,
    help="Rank units by the product of their energies into and out of them, over the rms of their layer or not.",
)  # fmt: skip
@click.option(
    "--run", type=click.Path(exists=True, file_okay=False), help="Judge by what this run holds out; a RUN by itself."
)
@click.option("--signal", type=_PATCHES, help="Images: judge by these signal patches ...")
@click.option("--background", type=_PATCHES, help="... and these background patches.")
@click.option(
    "--on", "generator", type=click.Choice(list(GENERATORS)),
    help="Signals: judge by generated pairs; those of its own training otherwise.",
)  # fmt: skip
@file_options
@click.option("--largest-loss", type=float, metavar="X", help="Write nothing if the validation loss would be above X.")
@click.option("--dry-run", is_flag=True, help="Print what would be, and write nothing.")
@click.option(
    "--fine-tune", "epochs", type=click.IntRange(min=1), metavar="EPOCHS",
    help="Then train the smaller model so long on the same data, in a run folder named after --out.",
)  # fmt: skip
@DEVICE
@THREADS
@JSON
def command(
    model: str, files: tuple[str, ...], share: float, out: Path | None, rule: Any, largest_loss: float | None,
    dry_run: bool, epochs: int | None, json_file: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Take the weakest hidden units out of MODEL ('bundled' for the one that comes along), or of the best of RUN.

    bgremove layers prune run --keep 0.5 --out small.safetensors

    First the error of the task is measured on validation data, of the whole
    model and of the one without these units: those of its run; or patches
    (--signal, --background) for images, FILES of a set for spectra, rows in
    FILES or generated pairs (--on) for signals. Then a new file is written and
    measured again. The exit code is 3 where --largest-loss forbids it.
    """
    from napari_bgremove.engine.layer_models import read_any_model
    from napari_bgremove.engine.layer_removal import check_new, predict_removal, remove_units_of

    if out is None and not dry_run:
        refuse("Give --out for the smaller model, or --dry-run.")
    if out is not None:
        check_new(out)
        _check_new_run(out, epochs)
    whole = read_any_model(find_model(model))
    judge = _find_judge(whole, files, options)
    predicted = predict_removal(whole, share=share, rule=rule, judge=judge)
    click.echo(_describe(predicted))
    figures = predicted.as_record()
    loss = predicted.masked["loss"]
    forbidden = largest_loss is not None and loss > largest_loss
    if forbidden:
        click.echo(f"Nothing is written: the validation loss would be {loss:.5g}, above --largest-loss {largest_loss}.")
    elif out is not None and not dry_run:
        written = remove_units_of(whole, predicted, out, judge=judge)
        click.echo(_describe_written(written))
        figures |= {"path": str(out), "measured": dict(written.measured), "seconds": list(written.seconds)}
        figures |= {} if epochs is None else _fine_tune(out, judge, epochs)
    write_json(json_file, figures)
    return 3 if forbidden else 0


def _find_judge(model: AnyModel, files: tuple[str, ...], options: dict[str, Any]) -> RemovalJudge:
    """Take what was named, or else the run the model lies in."""
    from napari_bgremove.engine.layer_models import find_run
    from napari_bgremove.engine.removal_job import job_of
    from napari_bgremove.engine.removal_judge import RemovalJudge

    where = {name: options[name] for name in ("device", "threads")}
    by = {name: options[name] for name in ("run", "signal", "background", "generator") if options[name] is not None}
    if not files and any(options[name] for name in ("target", "axis", "leave_out", "chemcam_bands")):
        refuse("--target, --axis-from, --leave-out and --chemcam-bands say how FILES are read: give FILES with them.")
    if files:
        by["source"] = take_source(files, options).resolved()
    for name in ("signal", "background"):  # the run of a fine-tuning outlives this folder
        by |= {name: str(Path(by[name]).resolve())} if name in by else {}
    run = find_run(model.path)
    if not by and run is not None:
        by["run"] = str(run.path)
    if not by and model.description.subject != "signals":
        needs = {"images": "--signal and --background", "spectra": "FILES with spectra"}[model.description.subject]
        refuse(f"'{model.path.name}' lies in no run that it could be judged by: give {needs}, or --run.")
    return RemovalJudge(job_of(model, **by, **where), model)


def _check_new_run(out: Path, epochs: int | None) -> None:
    from napari_bgremove.engine.layer_removal import fine_tuning_folder

    if epochs is not None and fine_tuning_folder(out).path.exists():
        refuse(
            f"'{fine_tuning_folder(out).path}' exists already, where the fine-tuning would go. Choose another --out."
        )


def _fine_tune(out: Path, judge: RemovalJudge, epochs: int) -> dict[str, Any]:
    from napari_bgremove.engine.layer_models import read_any_model
    from napari_bgremove.engine.layer_removal import fine_tuning_folder
    from napari_bgremove.engine.train_plan import create_run
    from napari_bgremove.engine.train_run import run_training

    folder = fine_tuning_folder(out)
    job = judge.job_of(read_any_model(out), epochs=epochs)
    create_run(folder, job)
    listener = TrainingListener(job)
    with stop_on_interrupt() as stop:
        outcome = run_training(folder, job, should_stop=stop, listener=listener)
    if not folder.best.is_file():
        click.echo(f"Stopped before the first epoch ended: go on with {job.command} --resume {folder.path}")
        return {"fine_tuned": None}
    tuned = judge.measure(read_any_model(folder.best).network)
    click.echo(f"{outcome.capitalize()}: {folder.best} has a validation loss of {tuned['loss']:.5g}")
    return {"fine_tuned": {"path": str(folder.best), "measured": tuned, **listener.figures}}


def _describe(predicted: PredictedRemoval) -> str:
    record = predicted.as_record()
    units = record["units"]
    width = max(map(len, (*units, *predicted.whole)))
    kept, all_units = (sum(counts) for counts in zip(*units.values(), strict=True))
    (before, after), (size, smaller) = predicted.parameters, predicted.sizes
    lines = [
        f"Without the weakest hidden units of {predicted.model} (rule: {predicted.rule})",
        *(f"  {name:<{width}}  {stay:>4} of {count:>4} stay" for name, (stay, count) in units.items()),
        f"  {kept} of {all_units} units ({100 * kept / all_units:.3g} %), {after:,} of {before:,} parameters, "
        f"{smaller / 1e3:,.1f} of {size / 1e3:,.1f} kB",
        f"On {predicted.data}",
        f"  {'':<{width}}  {'whole':>10}  {'without':>10}",
        *(
            f"  {name:<{width}}  {value:>10.5g}  {predicted.masked[name]:>10.5g}"
            for name, value in predicted.whole.items()
        ),
    ]
    return "\n".join(lines)


def _describe_written(written: Removal) -> str:
    before, after = written.seconds
    return (
        f"Written to {written.path}: validation loss {written.measured['loss']:.5g} as read back; a forward pass takes "
        f"{1e3 * after:.3g} ms instead of {1e3 * before:.3g} ms ({before / after:.3g} times as fast)"
    )
