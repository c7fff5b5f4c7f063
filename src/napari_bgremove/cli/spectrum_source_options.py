"""Options with which commands say which spectra of a file they mean; `spectrum_sources` reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from napari_bgremove.cli.options import gate_options

__all__ = ["spectrum_source_options"]

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--spectrum", "names", multiple=True,
        help="Name of a spectrum in a file with several; repeatable. All otherwise.",
    ),
    click.option("--column", help="Column of a table to take in place of the first behind the energies."),
    click.option("--dataset", help="Dataset in an HDF5 or netCDF-4 file; guessed and said otherwise."),
    click.option(
        "--axis", "axis", type=(float, float), metavar="FIRST STEP",
        help="Energies of an image or map that has none; sample numbers otherwise.",
    ),
    click.option("--axis-dataset", help="Dataset with the energies in an HDF5 or netCDF-4 file."),
    click.option("--axis-name", help="What the axis is, as 'kinetic energy'; what the file says otherwise."),
    click.option("--axis-unit", help="Its unit; what the file says otherwise."),
    click.option(
        "--along", type=click.Choice(["rows", "columns"]),
        help="Images: whether every row (usual) or every column is a spectrum. HDF5 files are then read as images.",
    ),
    click.option(
        "--frame", type=click.IntRange(min=0), help="Images: frame of a stack, counted from 0; all otherwise."
    ),
)  # fmt: skip


def spectrum_source_options(command: Command) -> Command:
    """Give a command the options that name spectra in a file, and say which pixels of an image are not usable."""
    command = gate_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
