"""bgremove spectra report: the figures of a set and of what cleanings make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.figure_files import write_figures
from napari_bgremove.cli.options import DEVICE, OUT, THREADS
from napari_bgremove.cli.spectra_set_options import (
    clean_aloud,
    cleaning_options,
    source_options,
    take_cleanings,
    take_source,
)
from napari_bgremove.spectra.set_records import describe_set

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_bgremove.evaluation.calibration_result import Calibration


@click.command("report")
@click.argument("files", nargs=-1, required=True)
@OUT
@source_options
@cleaning_options
@click.option("--show", "targets", multiple=True, help="Target to draw; repeatable. Three of the set otherwise.")
@click.option(
    "--patch",
    "windows",
    type=(float, float),
    multiple=True,
    metavar="LO HI",
    help="Stretch of the axis to draw; repeatable. About the brightest lines otherwise.",
)
@DEVICE
@THREADS
def command(
    files: tuple[str, ...],
    out: Path,
    targets: tuple[str, ...],
    windows: tuple[tuple[float, float], ...],
    **options: Any,
) -> int:
    """Draw what the cleanings make of FILES, and with reference values how well they predict.

    Writes patches.png and spectrum.png (measured and cleaned), with reference
    values also predictions.png and errors.png, and report.md with the table.
    """
    from napari_bgremove._validation import check_choice
    from napari_bgremove.engine.spectra_calibration import RAW, calibrate_cleaned
    from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown
    from napari_bgremove.evaluation.spectra_figures import Patch, choose_patches, draw_patches, draw_whole_spectra

    source = take_source(files, options)
    cleanings = take_cleanings(options)
    if not cleanings:
        click.get_current_context().fail("Give at least one --method or --model.")
    spectra = source.read()
    for target in targets:
        check_choice("target to draw", target, spectra.distinct_targets)
    summary = describe_set(spectra)
    click.echo(summary)
    cleaned = {name: clean_aloud(name, spectra, how, source) for name, how in cleanings.items()}
    patches = choose_patches(spectra, targets=targets)
    if windows:
        names = targets or spectra.distinct_targets
        patches = [Patch(names[i % len(names)], low, high) for i, (low, high) in enumerate(windows)]
    figures = {
        "patches": draw_patches(spectra, cleaned, patches),
        "spectrum": draw_whole_spectra(spectra, cleaned, target=patches[-1].target),
    }
    page = ["# Spectra, measured and cleaned", "", summary, "", *_embed(figures)]
    if spectra.composition is not None:
        found = calibrate_cleaned({RAW: spectra, **cleaned})
        judged = _draw_calibration(found)
        figures |= judged
        page += [calibrations_as_markdown(found, reference=RAW), "", *_embed(judged)]
    _write(out, page, figures)
    return 0


def _draw_calibration(found: dict[str, Calibration]) -> dict[str, Figure]:
    from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars

    return {"predictions": draw_predictions(found), "errors": draw_rmse_bars(found)}


def _embed(figures: dict[str, Figure]) -> list[str]:
    return [line for name in figures for line in (f"![{name}]({name}.png)", "")]


def _write(out: Path, page: list[str], figures: dict[str, Figure]) -> None:
    from napari_bgremove._files import atomic_write

    out.mkdir(parents=True, exist_ok=True)
    write_figures(out, figures)
    atomic_write(out / "report.md", "\n".join(page).rstrip() + "\n")
    click.echo(f"Written to {out}")
