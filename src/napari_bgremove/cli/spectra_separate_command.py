"""bgremove spectra separate: signal and background of a set of spectra."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.options import DEVICE, JSON, OUT, PRECISION, THREADS, write_json
from napari_bgremove.cli.spectra_set_options import source_options, take_source
from napari_bgremove.spectra.cleaning import CLEANERS
from napari_bgremove.spectra.set_records import describe_set


@click.command("separate")
@click.argument("files", nargs=-1, required=True)
@OUT
@source_options
@click.option("--model", type=click.Path(exists=True, dir_okay=False), help="Network, from 'bgremove spectra train'.")
@click.option("--method", type=click.Choice(list(CLEANERS)), help="Classical method, in place of a network.")
@click.option(
    "--param",
    "parameters",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    help="Parameter of the method; repeatable.",
)
@click.option(
    "--output",
    type=click.Choice(["subtract", "synthesis", "both"]),
    default="subtract",
    show_default=True,
    help="Signal of a network: measured minus its background, its own signal, or both parts its own.",
)
@DEVICE
@PRECISION
@THREADS
@JSON
def command(
    files: tuple[str, ...],
    out: Path,
    model: str | None,
    method: str | None,
    parameters: tuple[tuple[str, str], ...],
    json_file: Path | None,
    **options: Any,
) -> int:
    """Take the spectra in FILES apart: signal.npz and background.npz, which can be read as sets again.

    The unit is that of the spectra; labels and reference values are kept.
    """
    from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_set
    from napari_bgremove.io.spectra_sets import write_spectra_set

    if (model is None) == (method is None):
        click.get_current_context().fail("Give either --model or --method.")
    source = take_source(files, options)
    how = SpectraMethod(
        model=model, method=method or "arpls", parameters={name: _value(text) for name, text in parameters}, **options
    )
    spectra = source.read()
    click.echo(describe_set(spectra))
    marked = source.find_signal_channels(spectra)
    parts = separate_set(spectra, how, signal_channels=marked if marked.any() else None)
    out.mkdir(parents=True, exist_ok=True)
    record = {**spectra.provenance, "separation": dict(parts.provenance)}
    written = {}
    for name, values in (("signal", parts.signal), ("background", parts.background)):
        part = replace(spectra.with_spectra(values), provenance={**record, "part": name})
        written[name] = str(write_spectra_set(out / f"{name}.npz", part))
    seconds = float(parts.provenance["seconds"])
    click.echo(f"Separated in {seconds:.3g} s, {spectra.n_spectra / max(seconds, 1e-9):.0f} spectra/s: {out}")
    write_json(json_file, {"files": written, **parts.provenance})
    return 0


def _value(text: str) -> Any:
    """Read a number or a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text
