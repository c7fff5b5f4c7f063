"""bgremove separate: signal and background of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.model_argument import IMAGE_MODEL
from napari_bgremove.cli.options import DEVICE, JSON, OUT, PRECISION, THREADS, existing_files, gate_options, write_json
from napari_bgremove.cli.progress import SeparationProgress, stop_on_interrupt
from napari_bgremove.errors import ReadError


@click.command("separate")
@click.argument("images", nargs=-1, required=True)
@OUT
@click.option("--model", type=IMAGE_MODEL, metavar="FILE|fast", help="Model file, or 'fast'; 'bundled' otherwise.")
@click.option("--dataset", help="Dataset in HDF5 files; guessed and said otherwise.")
@gate_options
@click.option(
    "--kev-per-unit",
    type=click.FloatRange(min=0, min_open=True),
    help="Energy of one unit of the image; the ledger is then in keV.",
)
@click.option(
    "--normalization", type=click.Choice(["conserving", "literal"]), help="As the model was trained, otherwise."
)
@click.option("--merge", type=click.Choice(["weighted", "median", "mean"]), help="How the four grids become one image.")
@click.option(
    "--padded/--literal-grids",
    default=None,
    help="Four predictions everywhere, or the grids as published; as the model was trained, otherwise.",
)
@click.option("--residual", is_flag=True, help="Also write what neither part explains.")
@click.option("--format", "file_format", type=click.Choice(["tiff", "hdf5"]), default="tiff", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Tiles at once.")
@click.option("--cluster", help="Address of a dask scheduler (tcp://...) whose workers compute the frames.")
@DEVICE
@PRECISION
@THREADS
@JSON
def command(images: tuple[str, ...], out: Path, file_format: str, json_file: Path | None, **options: Any) -> int:
    """Take IMAGES apart: NAME-signal, NAME-background, NAME-uncertainty, NAME.json.

    IMAGES are files, folders or wildcards: TIFF (also .gz), NPY, FITS, EDF,
    CBF, SMV, HDF5 and NeXus, single images and stacks. Of folders and
    wildcards, results of an earlier separation are left out. Results are
    float32 in the unit of the input; what the detector did not measure stays
    NaN. An input that cannot be separated is named at the end (exit code 1),
    the others are written; after ctrl-C the exit code is 130.
    """
    from napari_bgremove.engine.jobs import SeparateJob
    from napari_bgremove.engine.separate_run import run_separation

    options["gap_values"] = options["gap_values"] or None
    job = SeparateJob(inputs=_inputs(images), out=str(out), format=file_format, **options)  # type: ignore[arg-type]  # click has checked it
    progress = SeparationProgress()
    with stop_on_interrupt() as stop:
        written = run_separation(job, emit=progress, should_stop=stop)
    _print_ledgers(progress.ledgers)
    write_json(json_file, {"files": written, "ledgers": progress.ledgers})
    return 130 if stop.asked else 0


def _inputs(images: Sequence[str]) -> list[str]:
    """Return the files; what a folder or wildcard holds of earlier results is left out, and said."""
    from napari_bgremove.io.results import leave_out_results

    named = {str(Path(image)) for image in images}
    files = existing_files(images)
    inputs = set(leave_out_results(files)) | named
    kept = [file for file in files if file in inputs]
    if len(kept) < len(files):
        click.echo(f"{len(files) - len(kept)} results of an earlier separation are left out.")
    if not kept:
        msg = f"'{images[0]}' must match at least one image; found only results of an earlier separation."
        raise ReadError(msg)
    return kept


def _print_ledgers(ledgers: list[dict[str, Any]]) -> None:
    parts = ("measured", "signal", "background", "residual")
    click.echo(f"\n{'sums over the image':<32}" + "".join(f"{part:>14}" for part in parts))
    ledgers = [line for line in ledgers if "skipped" not in line]
    for line in ledgers[:20]:
        name = f"{line['name']}[{line['frame']}]" if line["frames"] > 1 else line["name"]
        click.echo(f"{name[:31]:<32}" + "".join(f"{line[part]:>14.5g}" for part in parts) + f"  {line['unit']}")
    if len(ledgers) > 20:
        click.echo(f"... and {len(ledgers) - 20} more in the .json files")
