"""bgremove spectra inspect: what a set holds, and whether a cleaner can be trained on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.options import JSON, write_json
from napari_bgremove.cli.spectra_set_options import source_options, take_source
from napari_bgremove.spectra.set_records import describe_set


@click.command("inspect")
@click.argument("files", nargs=-1, required=True)
@source_options
@JSON
def command(files: tuple[str, ...], json_file: Path | None, **options: Any) -> int:
    """Say what FILES hold, and whether the background is the same for every target.

    The exit code is 3 where it is not, or where the set cannot tell.
    """
    from napari_bgremove.spectra.stationarity import measure_stationarity

    spectra = take_source(files, options).read()
    click.echo(describe_set(spectra))
    found = measure_stationarity(spectra)
    click.echo(found.message)
    blocks = [dataclasses.asdict(block) for block in found.blocks]
    figures = {
        "spectra": spectra.n_spectra, "targets": len(spectra.distinct_targets), "channels": spectra.n_channels,
        "status": found.status, "message": found.message, "blocks": blocks,
    }  # fmt: skip
    write_json(json_file, figures)
    return 0 if found.status in ("stationary", "doubtful") else 3
