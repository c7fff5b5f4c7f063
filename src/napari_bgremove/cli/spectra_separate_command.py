"""bgremove spectra separate: signal and background of a set of spectra."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

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

    The unit is that of the spectra; labels and reference values are kept. Of
    ChemCam's cleaned spectra (CCS), --method chemcam takes the parameters
    that their headers state, unless --param gives others.
    """
    from napari_bgremove.engine.spectra_records import describe_record
    from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_into_files
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
    written = {}
    with _room_in(out) as room, click.progressbar(length=spectra.n_spectra, label="  separating") as bar:
        found = separate_into_files(
            spectra, how, room, signal_channels=marked if marked.any() else None,
            report=lambda done, _count: bar.update(done - bar.pos),
        )  # fmt: skip
        record = {**spectra.provenance, "separation": found}
        for name in ("signal", "background"):
            values = np.load(room / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            part = replace(spectra.with_spectra(values), provenance={**record, "part": name})
            written[name] = str(write_spectra_set(out / f"{name}.npz", part))
    if said := describe_record(found):
        click.echo(said)
    seconds = float(found["seconds"])
    click.echo(f"Separated in {seconds:.3g} s, {spectra.n_spectra / max(seconds, 1e-9):.0f} spectra/s: {out}")
    write_json(json_file, {"files": written, **found})
    return 0


@contextmanager
def _room_in(out: Path) -> Iterator[Path]:
    """Give a folder on the disk of the results, gone afterwards; of a failure nothing stays."""
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".parts-") as room:
            yield Path(room)
    except BaseException:
        if is_new and not any(out.iterdir()):
            out.rmdir()
        raise


def _value(text: str) -> Any:
    """Read a number or a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text
