"""Tables of composition: which target holds how much of what."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.label_columns import (
    holds_numbers,
    is_target_name,
    parse_value,
    unique_values,
)
from napari_bgremove.io.spectra_set_formats.text_rows import Line, read_lines, to_cells
from napari_bgremove.spectra.composition import Composition

__all__ = ["read_composition_table"]


@dataclass(frozen=True)
class _Table:
    """A table as it is written: every name a target goes by, and its values."""

    names: tuple[str, ...]
    aliases: list[tuple[str, ...]]
    values: NDArray[np.float64]
    lines: Sequence[Line]


def read_composition_table(path: Path, *, targets: Sequence[str] | None = None) -> Composition:
    """Read a table with names of targets in one or several columns, and numbers in others.

    With `targets` its values go to these, which may be written as in any of
    the columns of names, in small or capital letters: the archive of ChemCam
    names a standard in three columns and its folder in small letters.
    """
    table = _read(path)
    if targets is None:
        names = [aliases[0] for aliases in table.aliases]
        return unique_values(path.name, names, table.names, table.values, table.lines)
    rows: dict[str, int] = {}
    for row, aliases in enumerate(table.aliases):
        for alias in aliases:
            rows.setdefault(alias.casefold(), row)
    known = [target for target in targets if target.casefold() in rows]
    if not known:
        msg = (
            f"'{path.name}' must name a target of the spectra ({', '.join(targets[:3])}); found "
            f"{', '.join(aliases[0] for aliases in table.aliases[:3])}. Use the same names in both."
        )
        raise ReadError(msg)
    return Composition(tuple(known), table.names, table.values[[rows[target.casefold()] for target in known]])


def _read(path: Path) -> _Table:
    lines = [line for line in read_lines(path) if not line.text.lstrip().startswith("#")]
    if len(lines) < 2:
        msg = (
            f"'{path.name}' must hold a line of names (target, SiO2 ...) and a line for each target; found "
            f"{len(lines)} lines."
        )
        raise ReadError(msg)
    separator = max((",", ";", "\t"), key=lambda sign: len(next(csv.reader([lines[0].text], delimiter=sign))))
    header, *rows = to_cells(path.name, lines, separator)
    named = [at for at, column in enumerate(header) if is_target_name(column)] or [0]
    values = [
        at for at in range(len(header)) if at not in named and header[at] and holds_numbers([row[at] for row in rows])
    ]
    if not values:
        msg = (
            f"'{path.name}', line {lines[1].number}, must hold numbers behind the name of its target; found "
            f"{lines[1].text.strip()[:40]!r}."
        )
        raise ReadError(msg)
    numbers = [
        [parse_value(path.name, line, header[at], row[at]) for at in values]
        for row, line in zip(rows, lines[1:], strict=True)
    ]
    aliases = [tuple(row[at] for at in named) for row in rows]
    return _Table(tuple(header[at] for at in values), aliases, np.array(numbers), lines[1:])
