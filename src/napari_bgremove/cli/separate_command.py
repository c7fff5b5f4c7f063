"""bgremove separate: signal and background of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.options import DEVICE, JSON, OUT, PRECISION, THREADS, existing_files, write_json
from napari_bgremove.cli.progress import SeparationProgress, stop_on_interrupt


@click.command("separate")
@click.argument("images", nargs=-1, required=True)
@OUT
@click.option("--model", type=click.Path(exists=True, dir_okay=False), help="Model file; the bundled one otherwise.")
@click.option("--dataset", help="Dataset in HDF5 files; guessed and said otherwise.")
@click.option(
    "--mask", type=click.Path(exists=True, dir_okay=False), help="Image that is not 0 where a pixel is usable."
)
@click.option("--gap", "gap_values", type=float, multiple=True, help="Value that means 'not measured'; repeatable.")
@click.option("--saturation", type=float, help="Values at or above it are not usable.")
@click.option("--kev-per-unit", type=float, help="Energy of one unit of the image; the ledger is then in keV.")
@click.option(
    "--normalization", type=click.Choice(["conserving", "literal"]), help="As the model was trained, otherwise."
)
@click.option("--merge", type=click.Choice(["weighted", "median", "mean"]), help="How the four grids become one image.")
@click.option(
    "--padded/--literal-grids",
    default=True,
    show_default=True,
    help="Four predictions everywhere, or the grids as published.",
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

    IMAGES are files, folders or wildcards: TIFF, NPY, EDF, CBF, SMV, HDF5 and
    NeXus, single images and stacks. Results are float32 in the unit of the
    input; what the detector did not measure stays NaN.
    """
    from napari_bgremove.engine.jobs import SeparateJob
    from napari_bgremove.engine.separate_run import run_separation

    options["gap_values"] = options["gap_values"] or None
    job = SeparateJob(inputs=existing_files(images), out=str(out), format=file_format, **options)  # type: ignore[arg-type]  # click has checked it
    progress = SeparationProgress()
    with stop_on_interrupt() as stop:
        written = run_separation(job, emit=progress, should_stop=stop)
    _print_ledgers(progress.ledgers)
    write_json(json_file, {"files": written, "ledgers": progress.ledgers})
    return 130 if stop.asked else 0


def _print_ledgers(ledgers: list[dict[str, Any]]) -> None:
    parts = ("measured", "signal", "background", "residual")
    click.echo(f"\n{'sums over the image':<32}" + "".join(f"{part:>14}" for part in parts))
    for line in ledgers[:20]:
        name = f"{line['name']}[{line['frame']}]" if line["frames"] > 1 else line["name"]
        click.echo(f"{name[:31]:<32}" + "".join(f"{line[part]:>14.5g}" for part in parts) + f"  {line['unit']}")
    if len(ledgers) > 20:
        click.echo(f"... and {len(ledgers) - 20} more in the .json files")
