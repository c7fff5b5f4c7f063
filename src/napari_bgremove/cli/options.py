"""Options that several commands share, and options made from a recipe."""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from napari_bgremove._files import atomic_write
from napari_bgremove.recipes.documentation import attribute_docs
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

__all__ = [
    "DEVICE",
    "GROW",
    "JSON",
    "OUT",
    "PRECISION",
    "THREADS",
    "THRESHOLD",
    "check_writable",
    "existing_files",
    "gate_options",
    "recipe_options",
    "write_json",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def check_writable(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a place that cannot be written before the work, not after it."""
    folder = next((p for p in path.absolute().parents if p.exists()), None) if path is not None else None
    if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK)):
        msg = f"'{path}' cannot be written: no file can be made in '{folder}'. Choose another place."
        raise click.BadParameter(msg)
    return path


JSON = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), callback=check_writable,
    help="Also write the printed figures here.",
)  # fmt: skip
OUT = click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the results; it is made."
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:N, mps or cpu.")
THREADS = click.option("--threads", type=click.IntRange(min=1), help="CPU threads; by default all.")
PRECISION = click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
    help="bfloat16 is faster where the processor has it, and a little less exact.",
)  # fmt: skip
THRESHOLD = click.option(
    "--threshold", type=click.FloatRange(min=0, min_open=True), default=SaxsUnetRecipe.mask_threshold,
    show_default=True, help="Signal mask: height above the local background, in its scatter.",
)  # fmt: skip
GROW = click.option(
    "--grow", type=int, default=SaxsUnetRecipe.mask_grow, show_default=True,
    help="Signal mask: pixels to grow it by; negative shrinks it.",
)  # fmt: skip


def gate_options(command: Command) -> Command:
    """Give a command the options that say which pixels are not usable."""
    valid_mask = click.option(
        "--valid-mask", type=click.Path(exists=True, dir_okay=False),
        help="Image that is not 0 where a pixel is usable. A signal mask is something else, and refused.",
    )  # fmt: skip
    gap = click.option(
        "--gap", "gap_values", type=float, multiple=True, help="Value that means 'not measured'; repeatable."
    )
    saturation = click.option("--saturation", type=float, help="Values at or above it are not usable.")
    return valid_mask(gap(saturation(command)))


class Sizes(click.ParamType):  # type: ignore[type-arg]  # has none in click 8.1
    """Whole numbers between commas: '3,5,9'; 'none' for none."""

    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return () if value in ("", "none") else tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} must be whole numbers between commas, as 3,5,9, or 'none'.", param, context)


def existing_files(patterns: Sequence[str]) -> list[str]:
    """Return the image files that names, folders and wildcards stand for."""
    from napari_bgremove.io.images import find_image_files

    return [str(path) for path in find_image_files(patterns)]


def write_json(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures a command has printed, where a file was asked for."""
    if path is not None:
        atomic_write(path, json.dumps(figures, indent=1, default=str) + "\n")


def recipe_options(recipe: type, *, leave_out: Sequence[str] = (), prefix: str = "") -> Callable[[Command], Command]:
    """Give a command one option per field of a recipe, named after it behind `prefix`, its documentation as help.

    An option that is not given is None, so that a command can tell what the
    person has chosen from what the recipe says.
    """
    helps = attribute_docs(recipe)
    hints = typing.get_type_hints(recipe)

    def decorate(command: Command) -> Command:
        for field in reversed(dataclasses.fields(recipe)):
            if field.name in leave_out:
                continue
            text = f"{helps.get(field.name, '')}  [default: {_show(field.default)}]"
            name = f"--{prefix}{field.name}".replace("_", "-")
            option = click.option(name, default=None, help=text, **_type_of(hints[field.name]))
            command = option(command)
        return command

    return decorate


def _type_of(hint: Any) -> dict[str, Any]:
    if isinstance(hint, types.UnionType):  # "float | None"
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    values = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return {"type": click.Choice(values)}
    if typing.get_origin(hint) is tuple:
        return {"type": Sizes()} if values[-1] is Ellipsis else {"nargs": len(values), "type": values[0]}
    return {"type": bool if hint is bool else hint}


def _show(value: Any) -> str:
    return " ".join(str(v) for v in value) or "none" if isinstance(value, tuple) else str(value)
