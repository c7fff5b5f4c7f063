"""Options that several commands share, and options made from a recipe."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from napari_bgremove._files import atomic_write

__all__ = ["DEVICE", "JSON", "OUT", "PRECISION", "THREADS", "existing_files", "recipe_options", "write_json"]

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write the printed figures here."
)
OUT = click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the results; it is made."
)
DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:N, mps or cpu.")
THREADS = click.option("--threads", type=click.IntRange(min=1), help="CPU threads; by default all.")
PRECISION = click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
    help="bfloat16 is faster where the processor has it, and a little less exact.",
)  # fmt: skip


def existing_files(patterns: Sequence[str]) -> list[str]:
    """Return the image files that names, folders and wildcards stand for."""
    from napari_bgremove.io.images import find_image_files

    return [str(path) for path in find_image_files(patterns)]


def write_json(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures a command has printed, where a file was asked for."""
    if path is not None:
        atomic_write(path, json.dumps(figures, indent=1, default=str) + "\n")


def recipe_options(recipe: type, *, leave_out: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Give a command one option per field of a recipe, with its documentation as help.

    An option that is not given is None, so that a command can tell what the
    person has chosen from what the recipe says.
    """
    helps = _attribute_docs(recipe)
    hints = typing.get_type_hints(recipe)

    def decorate(command: Command) -> Command:
        for field in reversed(dataclasses.fields(recipe)):
            if field.name in leave_out:
                continue
            text = f"{helps.get(field.name, '')}  [default: {_show(field.default)}]"
            option = click.option(
                f"--{field.name.replace('_', '-')}", default=None, help=text, **_type_of(hints[field.name])
            )
            command = option(command)
        return command

    return decorate


def _type_of(hint: Any) -> dict[str, Any]:
    if isinstance(hint, types.UnionType):  # "float | None"
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    if typing.get_origin(hint) is tuple:
        return {"nargs": len(typing.get_args(hint)), "type": typing.get_args(hint)[0]}
    return {"type": bool if hint is bool else hint}


def _attribute_docs(recipe: type) -> dict[str, str]:
    """Return the text of each entry in the Attributes section of a numpydoc docstring."""
    section = (recipe.__doc__ or "").partition("----------\n")[2]
    docs: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if re.match(r"    \S", line):
            names = [n.strip() for n in line.partition(":")[0].split(",")]
            docs.update(dict.fromkeys(names, ""))
        else:
            for name in names:
                docs[name] = f"{docs[name]} {line.strip()}".strip()
    return docs


def _show(value: Any) -> str:
    return " ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
