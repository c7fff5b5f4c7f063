"""`bgremove profile`: what an image shows along a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove import __version__
from napari_bgremove.cli.options import JSON, check_writable, gate_options, write_json
from napari_bgremove.cli.shots import Gate, Shot, open_shots
from napari_bgremove.errors import NoUsablePixelsError, ReadError

if TYPE_CHECKING:
    from napari_bgremove.images.axis_calibration import LinearAxis
    from napari_bgremove.images.line_profiles import LineProfile

_POINT = (float, float)


@click.command("profile")
@click.argument("image")
@click.option(
    "--line",
    type=(float, float, float, float),
    metavar="R0 C0 R1 C1",
    help="From row and column to row and column, in pixels; the first pixel is 0 0.",
)
@click.option(
    "--point",
    "path",
    type=_POINT,
    multiple=True,
    metavar="ROW COLUMN",
    help="Vertex of a line with bends, in place of --line; repeat it, in order.",
)
@click.option(
    "--width",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the band across the line, pixels.",
)
@click.option(
    "--reduce", type=click.Choice(["mean", "sum"]), default="mean", show_default=True, help="Across the band."
)
@click.option(
    "--order",
    type=click.IntRange(0, 5),
    default=1,
    show_default=True,
    help="Between pixels: 0 nearest, 1 bilinear, 2 to 5 spline.",
)
@click.option("--samples", type=click.IntRange(min=2), help="Points along the line; about one per pixel otherwise.")
@click.option(
    "--scale",
    type=_POINT,
    default=(1.0, 1.0),
    metavar="ROW COLUMN",
    help="Size of a pixel; positions are in its unit. Pixels otherwise.",
)
@click.option(
    "--axis-at",
    "known",
    type=_POINT,
    multiple=True,
    metavar="POSITION VALUE",
    help="Position whose energy or wavelength is known; give it twice, and the values replace the positions.",
)
@click.option(
    "--axis-name", metavar="NAME", help="What the axis is: energy (with --axis-at), wavelength, or a word of yours."
)
@click.option("--axis-unit", metavar="UNIT", help="Its unit; eV for an energy, nm for a wavelength otherwise.")
@click.option("--frame", type=click.IntRange(min=0), help="Frame of a stack, counted from 0.")
@click.option("--dataset", help="Dataset in an HDF5 file; guessed and said otherwise.")
@gate_options
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="CSV file of the profile; or an .npz file, for a set of the spectra of all frames.",
)
@click.option("--target", help="With an .npz file: whose repeats the frames are. The name of the image otherwise.")
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="Also draw the profile: a .png, .svg or .pdf file.",
)
@JSON
def command(
    image: str, line: tuple[float, ...] | None, path: tuple[tuple[float, float], ...], width: float, reduce: str,
    order: int, samples: int | None, scale: tuple[float, float], known: tuple[tuple[float, float], ...],
    axis_name: str | None, axis_unit: str | None, frame: int | None, dataset: str | None, out: Path, target: str | None,
    figure: Path | None, json_file: Path | None, **gate_values: Any,
) -> None:  # fmt: skip
    """Read IMAGE along a line, averaged over a band across it, into a CSV file.

    The columns are position, value, sigma and count: the length along the
    line, the mean (or sum) across the band, its standard error from the
    scatter across the band, and the number of samples. Pixels that are not
    usable, and places outside the image, are left out. Lines that begin with
    # say how the file was made.

    bgremove profile frame.tif --line 100 0 100 720 --width 15 --out line.csv

    With --axis-at 0 -43 --axis-at 720 -7 as well, the first column is called
    energy and runs from -43 to -7 eV.

    bgremove profile stack.h5 --line 140 0 140 2559 --width 21 --out shots.npz --target steel

    writes the spectra of all frames as repeats of one target, for
    'bgremove spectra'.
    """
    from napari_bgremove.cli.profile_set import write_profile_set
    from napari_bgremove.images.line_profiles import extract_profile
    from napari_bgremove.io.columns import write_columns
    from napari_bgremove.io.targets import check_targets

    vertices = _vertices(line, path)
    axis = _axis(known, axis_name, axis_unit, scaled=scale != (1.0, 1.0))
    targets = [target for target in (out, figure, json_file) if target is not None]
    check_targets([(image, targets)])
    gate = Gate(**gate_values)
    shots = open_shots([image], dataset=dataset, gate=gate)
    how: dict[str, Any] = {"width": width, "reduce": reduce, "order": order, "scale": scale, "samples": samples}
    if out.suffix == ".npz":
        chosen = shots if frame is None else [_choose(shots, frame)]
        known_of = _record(chosen[0], axis) | {"path": vertices, "frame": frame} | how
        click.echo(
            write_profile_set(
                out, chosen, vertices, how, axis, target=target or chosen[0].stack.path.stem, record=known_of
            )
        )
        return
    shot = _choose(shots, frame)
    profile = extract_profile(shot.read(), vertices, **how)
    _check_measured(profile, shot)
    record = _record(shot, axis) | {"path": vertices} | how
    write_columns(out, _columns(profile, axis), provenance=record)
    if figure is not None:
        _draw(figure, profile, axis, reduce, record["value_unit"])
    write_json(json_file, record | _figures(profile, axis) | {"csv": str(out)})
    click.echo(_sentence(shot, profile, axis, width) + f" -> {out}")


def _vertices(line: tuple[float, ...] | None, path: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    if (line is None) == (not path):
        msg = "Give either --line R0 C0 R1 C1, or --point ROW COLUMN two times or more."
        raise click.UsageError(msg)
    return [(line[0], line[1]), (line[2], line[3])] if line is not None else list(path)


def _axis(known: tuple[tuple[float, float], ...], name: str | None, unit: str | None, *, scaled: bool) -> LinearAxis:
    from napari_bgremove.images.axis_calibration import LinearAxis, make_axis_from_points

    if known:
        if len(known) != 2:
            msg = f"--axis-at must be given twice, for two positions; found it {len(known)} times."
            raise click.UsageError(msg)
        return make_axis_from_points(known, name=name or "energy", unit=unit)
    # A length in the unit of --scale, which only the person knows.
    return LinearAxis(name=name or "position", unit=unit if unit is not None else "" if scaled else "px")


def _choose(shots: list[Shot], frame: int | None) -> Shot:
    name = shots[0].stack.path.name
    if frame is None and len(shots) > 1:
        msg = (
            f"'{name}' must be a single image here; found {len(shots)} frames. Choose one: --frame 0 to "
            f"{len(shots) - 1}."
        )
        raise ReadError(msg)
    if frame is not None and frame >= len(shots):
        msg = f"'{name}' must have the frame asked for; found {len(shots)}, asked for {frame}. Count from 0."
        raise ReadError(msg)
    return shots[frame or 0]


def _check_measured(profile: LineProfile, shot: Shot) -> None:
    if not profile.count.any():
        rows, columns = shot.shape
        msg = (
            f"'--line' must cross usable pixels of '{shot.file}' ({rows} x {columns}, counted from 0 0); found none. "
            "Check its rows and columns, and the mask."
        )
        raise NoUsablePixelsError(msg)


def _record(shot: Shot, axis: LinearAxis) -> dict[str, Any]:
    file = shot.stack
    return {
        "method": "profile",
        "version": __version__,
        "image": str(file.path),
        "dataset": file.dataset,
        "frame": shot.index if file.is_stack else None,
        "value_unit": file.metadata.get("unit"),
        "axis": vars(axis),
        **shot.gate.to_dict(),
    }


def _columns(profile: LineProfile, axis: LinearAxis) -> dict[str, Any]:
    return {
        axis.name: axis.to_values(profile.position),
        "value": profile.values,
        "sigma": profile.sigma,
        "count": profile.count,
    }


def _figures(profile: LineProfile, axis: LinearAxis) -> dict[str, Any]:
    first, last = axis.to_values(profile.position[[0, -1]]).tolist()
    return {
        "points": len(profile.position),
        "from": first,
        "to": last,
        "usable_samples": int(profile.count.sum()),
        "empty": int((profile.count == 0).sum()),
    }


def _sentence(shot: Shot, profile: LineProfile, axis: LinearAxis, width: float) -> str:
    figures = _figures(profile, axis)
    empty = f", {figures['empty']} of them without a usable pixel" if figures["empty"] else ""
    reach = f"{axis.name} {figures['from']:g} to {figures['to']:g} {axis.unit}".rstrip()
    return f"{shot.file}: {figures['points']} points, {reach}, over a band of {width:g} px{empty}"


def _draw(path: Path, profile: LineProfile, axis: LinearAxis, reduce: str, unit: str | None) -> None:
    from napari_bgremove.evaluation.card_figures import write_figure
    from napari_bgremove.evaluation.profile_figure import draw_line_profile

    label = f"{reduce} across the band{f' ({unit})' if unit else ''}"
    write_figure(path, draw_line_profile(profile, axis, value_label=label))
