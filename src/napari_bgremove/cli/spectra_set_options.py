"""Options with which commands name a set of spectra, and the cleanings of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS
from napari_bgremove.spectra.cleaning import CLEANERS

if TYPE_CHECKING:
    from napari_bgremove.engine.spectra_separation import SpectraMethod
    from napari_bgremove.engine.spectra_source import SpectraSource
    from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["clean_aloud", "cleaning_options", "file_options", "source_options", "take_cleanings", "take_source"]

Command = TypeVar("Command", bound=Callable[..., Any])
_BAND = (float, float)
_FILE = click.Path(exists=True, dir_okay=False)
_OF_FILES = (
    click.option("--target", help="Target of all files that do not name theirs."),
    click.option("--axis-from", "axis", type=_FILE, help="File with the wavelengths, for raw shots without them."),
    click.option("--leave-out", type=_BAND, multiple=True, metavar="LO HI", help="Band to drop; repeatable."),
    click.option("--chemcam-bands", is_flag=True, help="Drop the five bands ChemCam's team leaves out (N = 5485)."),
)
_OF_SPECTRA = (
    click.option("--composition", type=_FILE, help="Table of reference values: target, SiO2, TiO2 ..."),
    click.option(
        "--signal", "signal_bands", type=_BAND, multiple=True, metavar="LO HI",
        help="Band that holds signal, as a line every target has: the background is bridged across it; repeatable.",
    ),
)  # fmt: skip


def source_options(command: Command) -> Command:
    """Give a command the options that name a set beside its files."""
    return file_options(_give(command, _OF_SPECTRA))


def file_options(command: Command) -> Command:
    """Give a command the options that say how files of spectra are read."""
    return _give(command, _OF_FILES)


def take_source(paths: tuple[str, ...], options: dict[str, Any]) -> SpectraSource:
    """Take the options of a set out of those of a command, and return the set they name."""
    from napari_bgremove.engine.spectra_source import SpectraSource

    preset = CHEMCAM_IGNORED_BANDS if options.pop("chemcam_bands") else ()
    leave_out = (*options.pop("leave_out"), *preset)
    others = ("target", "axis", "composition", "signal_bands")
    given = {name: options.pop(name) for name in others if name in options}
    return SpectraSource(paths=paths, leave_out=leave_out, **given)


def _give(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def cleaning_options(command: Command) -> Command:
    """Give a command the options that name several cleanings."""
    models = click.option(
        "--model", "models", type=_FILE, multiple=True, help="Network, from 'bgremove spectra train'; repeatable."
    )
    methods = click.option(
        "--method", "methods", type=click.Choice(list(CLEANERS)), multiple=True, help="Classical method; repeatable."
    )
    outputs = click.option(
        "--output", "outputs", type=click.Choice(["subtract", "synthesis"]), multiple=True,
        help="Signal of the networks: measured minus background (the default), or their own; repeatable.",
    )  # fmt: skip
    return models(methods(outputs(command)))


def take_cleanings(options: dict[str, Any]) -> dict[str, SpectraMethod]:
    """Take the cleanings out of the options of a command, and return them by the name of the representation."""
    from napari_bgremove.engine.spectra_calibration import name_representation
    from napari_bgremove.engine.spectra_separation import SpectraMethod

    where = {name: options.pop(name) for name in ("device", "threads")}
    wanted = [SpectraMethod(method=method) for method in options.pop("methods")]
    outputs = options.pop("outputs") or ("subtract",)
    wanted += [SpectraMethod(**{"model": m, "output": o, **where}) for m in options.pop("models") for o in outputs]
    return {name_representation(how): how for how in wanted}


def clean_aloud(name: str, spectra: SpectraSet, how: SpectraMethod, source: SpectraSource) -> SpectraSet:
    """Return the signal of a set with the marks of its source; say which cleaning it is, and what went not well."""
    from napari_bgremove.engine.spectra_calibration import clean_set
    from napari_bgremove.engine.spectra_records import describe_record

    click.echo(f"{name} ...")
    marked = source.find_signal_channels(spectra)
    cleaned = clean_set(spectra, how, signal_channels=marked if marked.any() else None)
    if said := describe_record(cleaned.provenance["separation"]):
        click.echo(f"  {said}")
    return cleaned
