"""`bgremove shirley`: the background of spectra, their net area, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove import __version__
from napari_bgremove.cli.options import JSON, check_writable, write_json
from napari_bgremove.cli.shots import Gate
from napari_bgremove.cli.spectrum_options import (
    PARAMETERS_HELP,
    EndpointType,
    choose_sigma,
    make_ends,
    make_parameters,
    read_sigma,
)
from napari_bgremove.cli.spectrum_source_options import spectrum_source_options
from napari_bgremove.spectra.backgrounds import METHODS

if TYPE_CHECKING:
    from napari_bgremove.cli.spectrum_results import Outcome
    from napari_bgremove.spectra.ends import End, Endpoint

_PAIR = (float, float)
_SUFFIX = {"tiff": ".tif", "hdf5": ".h5"}
#: Methods that take each spectrum of a map for itself, and say of each what became of it.
_IN_BLOCKS = ("direct", "iterate")
#: No spectrum has such a background.
_NONE_EXISTS = 3


@click.command("shirley")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--anchor",
    "anchors",
    type=_PAIR,
    multiple=True,
    metavar="LO HI",
    help="Window in units of the axis; the background is tied to the mean of its samples. Give it twice: one on each "
    "side of the peak.",
)
@click.option(
    "--endpoint",
    "endpoints",
    type=EndpointType(),
    multiple=True,
    help="In place of an anchor: a single sample, at its own level or at the one given: 84 or 84=9616.",
)
@click.option(
    "--offset",
    "offsets",
    type=_PAIR,
    metavar="FIRST SECOND",
    help="Added to the levels of the two anchors, in their order.",
)
@click.option(
    "--min-points",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="An anchor with fewer usable samples is refused.",
)
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    default="direct",
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(f'{name} ({one.label})' for name, one in METHODS.items())}.",
)
@click.option(
    "--param",
    "given",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    help=f"Parameter of a method; repeatable. {PARAMETERS_HELP}.",
)
@click.option(
    "--sigma",
    type=click.Choice(["column", "poisson", "scatter", "none"]),
    help="Where standard errors come from: column, of a table, called sigma, which is taken by default where there is "
    "one; poisson, for counts; scatter, of the samples in the anchors, which is what two anchors get otherwise.",
)
@spectrum_source_options
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="CSV file of the results.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(_SUFFIX)),
    default="tiff",
    show_default=True,
    help="Of the images that a map or an image becomes.",
)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="Also draw it: a .png, .svg or .pdf file.",
)
@JSON
def command(
    file: Path, anchors: tuple[tuple[float, float], ...], endpoints: tuple[Endpoint, ...],
    offsets: tuple[float, float] | None, min_points: int, method: str, given: tuple[tuple[str, str], ...],
    sigma: str | None, gap_values: tuple[float, ...], saturation: float | None, valid_mask: str | None,
    out: Path, file_format: str, figure: Path | None, json_file: Path | None, **choice: Any,
) -> int:  # fmt: skip
    """Take the background of the spectra in FILE away, and measure the net area.

    FILE is a table with an energy column (any usual dialect, CasaXPS, SPECS),
    VAMAS, an HDF5 or netCDF-4 map, or an image, of which every row is a
    spectrum. The axis may rise or fall, and be a binding or a kinetic energy.

    bgremove shirley au4f.csv --anchor 84 85.5 --anchor 95 96 --out net.csv

    One spectrum: OUT has the columns energy, measured, background, net and
    sigma (the standard error of the background), NaN beyond the anchors. Of
    several spectra in a file, each becomes a table of its own, OUT-NAME.csv.

    A map or an image: OUT has a line per spectrum: status, net area and its
    standard error, kappa, end levels. Beside it lie OUT-signal.tif (the net
    spectra), OUT-background.tif, OUT-uncertainty.tif and OUT-status.tif (0 is
    ok, 1 flat, 2 hardly tied down, and above that there is no background).
    Of a map the energies are the last dimension there. Stacks and maps in HDF5
    may be larger than the memory (Shirley's two methods). Energies that an image
    does not have itself are given as --axis -43 0.05: first value and step.

    When no spectrum has such a background, the reason is said, no table is
    written, and the exit code is 3; it is 1 for what cannot be read or done.
    """
    from napari_bgremove.cli.spectrum_blocks import separate_in_blocks
    from napari_bgremove.cli.spectrum_results import name_files, separate_spectrum, write_outcome
    from napari_bgremove.cli.spectrum_sources import SpectrumChoice, load_spectra
    from napari_bgremove.io.targets import check_targets

    ends = make_ends(method, anchors, endpoints, offsets=offsets, min_points=min_points)
    parameters = make_parameters(method, given) | choose_sigma(method, sigma, ends)
    gate = Gate(gap_values, saturation, valid_mask)
    loaded = load_spectra(file, SpectrumChoice(gate=gate, **choice), lazy=method in _IN_BLOCKS)
    targets = name_files(out, loaded, suffix=_SUFFIX[file_format])
    extra = [path for path in (figure, json_file) if path is not None]
    check_targets([(str(file), [*(path for files in targets for path in files.values()), *extra])])
    record = _record(file, choice | gate.to_dict())
    stated = [parameters | read_sigma(method, sigma, one, is_own=choice["column"] is None) for one in loaded.spectra]
    if loaded.is_lazy:
        outcome, files = separate_in_blocks(
            loaded, method=method, ends=ends, parameters=stated[0], files=targets[0], record=record
        )
        outcomes, written = [outcome], [files]
    else:
        outcomes = [
            separate_spectrum(one, method=method, ends=ends, parameters=own)
            for one, own in zip(loaded.spectra, stated, strict=True)
        ]
        _raise_if_wrong(outcomes)
        written = [
            write_outcome(outcome, files, loaded, record) if outcome.has_background else {}
            for outcome, files in zip(outcomes, targets, strict=True)
        ]
    if figure is not None and any(written):
        _draw(figure, outcomes, ends)
    _report(outcomes, written)
    _write_figures(json_file, record | {"method": method, "ends": [str(end) for end in ends or ()]}, outcomes, written)
    return 0 if any(written) else _NONE_EXISTS


def _record(file: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    return {"version": __version__, "file": str(file), **given}


def _raise_if_wrong(outcomes: Sequence[Outcome]) -> None:
    """Raise what is wrong with the arguments, where they fit none of the spectra."""
    errors = [outcome.error for outcome in outcomes if isinstance(outcome.error, ValueError)]
    if len(errors) == len(outcomes):
        raise errors[0]


def _report(outcomes: Sequence[Outcome], written: Sequence[Mapping[str, Path]]) -> None:
    for outcome, files in zip(outcomes, written, strict=True):
        click.echo(f"{outcome.spectrum.label}: {outcome.sentence}", err=not files)
        if files:
            click.echo(f"  {outcome.describe()}")
        for name, path in files.items():
            click.echo(f"  {name:<12} {path}")


def _write_figures(
    path: Path | None, record: Mapping[str, Any], outcomes: Sequence[Outcome], written: Sequence[Mapping[str, Path]]
) -> None:
    from napari_bgremove.io.provenance import to_plain

    spectra = [
        {**outcome.summarise(), "files": {name: str(target) for name, target in files.items()}}
        for outcome, files in zip(outcomes, written, strict=True)
    ]
    write_json(path, to_plain({**record, "spectra": spectra}))


def _draw(path: Path, outcomes: Sequence[Outcome], ends: tuple[End, End] | None) -> None:
    from napari_bgremove.cli.spectrum_results import as_drawn
    from napari_bgremove.evaluation.background_figure import draw_backgrounds, draw_net_areas
    from napari_bgremove.evaluation.card_figures import write_figure

    drawn = [outcome for outcome in outcomes if outcome.has_background]
    if drawn[0].is_map:
        figures = drawn[0].figures
        write_figure(path, draw_net_areas(figures["net_area"], sigma=figures.get("sigma_area")))
        return
    write_figure(
        path,
        draw_backgrounds([as_drawn(one.spectrum, one.separation, ends or ()) for one in drawn if one.separation]),
    )
