"""bgremove spectra calibrate: which cleaning predicts standards best that it was not calibrated on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.figure_files import write_figures
from napari_bgremove.cli.options import DEVICE, JSON, THREADS, check_writable, write_json
from napari_bgremove.cli.spectra_set_options import (
    clean_aloud,
    cleaning_options,
    source_options,
    take_cleanings,
    take_source,
)
from napari_bgremove.spectra.set_records import describe_set


@click.command("calibrate")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    callback=check_writable,
    help="Folder for calibration.csv, calibration.md and the figures.",
)
@source_options
@cleaning_options
@click.option(
    "--score",
    type=click.Choice(["rows", "standards"]),
    default="rows",
    show_default=True,
    help="Errors of every location, or of the mean prediction of each standard.",
)
@click.option(
    "--head",
    type=click.Choice(["ridge", "sgd"]),
    default="ridge",
    show_default=True,
    help="Ridge regression in closed form, or the paper's SGD head.",
)
@click.option(
    "--refit-per-fold",
    is_flag=True,
    help="Train every network anew, by its own recipe, without the standard left out: one training per standard.",
)
@DEVICE
@THREADS
@JSON
def command(
    files: tuple[str, ...],
    out: Path | None,
    score: str,
    head: str,
    refit_per_fold: bool,
    json_file: Path | None,
    **options: Any,
) -> int:
    """Leave each standard of FILES out, predict it from all others, and print the errors.

    The raw spectra stand beside every --method and --model. Strength of the
    ridge and scaling of the rows are chosen within the training standards of
    each fold (nested); "best of grid" is chosen in hindsight, and optimistic.
    """
    from napari_bgremove.engine.spectra_calibration import RAW, calibrate_cleaned
    from napari_bgremove.engine.spectra_refit import refit_network
    from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown, tabulate_calibrations

    source = take_source(files, options)
    cleanings = take_cleanings(options)
    spectra = source.read()
    click.echo(describe_set(spectra))
    representations, refits = {RAW: spectra}, {}
    for name, how in cleanings.items():
        if refit_per_fold and how.model is not None:
            representations[name], refits[name] = spectra, refit_network(how, report=partial(_say_fold, name))
            continue
        representations[name] = clean_aloud(name, spectra, how, source)
    found = calibrate_cleaned(representations, score=score, head=head, refits=refits)
    table = calibrations_as_markdown(found, reference=RAW)
    click.echo(table)
    if out is not None:
        _write(out, found, table)
    write_json(json_file, {"head": head, "score": score, "table": tabulate_calibrations(found, reference=RAW)})
    return 0


def _say_fold(name: str, fold: int) -> None:
    click.echo(f"{name}, trained without standard {fold + 1} ...")


def _write(out: Path, found: Any, table: str) -> None:
    from napari_bgremove._files import atomic_write
    from napari_bgremove.engine.spectra_calibration import RAW
    from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars
    from napari_bgremove.evaluation.calibration_tables import tabulate_calibrations
    from napari_bgremove.io.columns import write_columns

    out.mkdir(parents=True, exist_ok=True)
    write_columns(out / "calibration.csv", tabulate_calibrations(found, reference=RAW), provenance={})
    atomic_write(out / "calibration.md", table + "\n")
    write_figures(out, {"predictions": draw_predictions(found), "errors": draw_rmse_bars(found)})
    click.echo(f"Written to {out}")
