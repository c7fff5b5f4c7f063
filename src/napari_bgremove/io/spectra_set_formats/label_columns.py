"""Columns that say of each row of a table whose spectrum it is, and what its target is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.text_rows import Line, is_number
from napari_bgremove.spectra.composition import Composition

__all__ = ["LabelColumns", "holds_numbers", "is_target_name", "parse_value", "read_label_columns", "unique_values"]

_ROLES = {
    "locations": re.compile(r"loc(ation)?s?([\s_]?(no|number|id))?|points?|positions?", re.IGNORECASE),
    "shots": re.compile(r"shots?([\s_]?(no|number|id))?", re.IGNORECASE),
    "targets": re.compile(
        r".*\b(targets?|samples?|standards?|spectr(um|a)|names?|id)([\s_]?(name|id))?", re.IGNORECASE
    ),
}
#: What tables write where a value is not known.
_UNKNOWN = ("", "-", "--", "nan", "na", "n/a", "n.a.", "nd", "n.d.")


@dataclass(frozen=True)
class LabelColumns:
    """Labels of the rows of a table; None where the table does not have them."""

    targets: list[str] | None = None
    locations: NDArray[np.int64] | None = None
    shots: NDArray[np.int64] | None = None
    composition: Composition | None = None
    others: Mapping[str, list[str]] = field(default_factory=dict)


def is_target_name(name: str) -> bool:
    """Tell whether a column of this name holds the names of targets."""
    return _ROLES["targets"].fullmatch(name) is not None


def holds_numbers(cells: Sequence[str]) -> bool:
    """Tell whether the first cell of a column in which anything is known is a number."""
    return is_number(next((cell for cell in cells if cell.lower() not in _UNKNOWN), ""))


def parse_value(name: str, line: Line, column: str, cell: str) -> float:
    """Return the number in a cell, NaN where it says that nothing is known, or raise ReadError."""
    if cell.lower() in _UNKNOWN:
        return float("nan")
    if not is_number(cell):
        msg = (
            f"'{name}', line {line.number}, must hold a number for '{column}'; found {cell[:40]!r}. Correct it, or "
            "leave the cell empty."
        )
        raise ReadError(msg)
    return float(cell)


def read_label_columns(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[Line]
) -> LabelColumns:
    """Sort the columns by their names, and by what they hold where the name does not tell.

    Without a column that is called a target the first one that holds words is
    taken for it; columns of numbers without another role are composition.
    """
    roles = {role: _first(columns, pattern) for role, pattern in _ROLES.items()}
    numeric = [holds_numbers([row[at] for row in rows]) for at in range(len(columns))]
    if roles["targets"] is None:
        roles["targets"] = next((at for at, holds in enumerate(numeric) if not holds), None)
    taken = set(roles.values())
    values = [at for at, holds in enumerate(numeric) if holds and at not in taken]
    rest = [at for at in range(len(columns)) if at not in taken and at not in values]
    target = roles["targets"]
    targets = None if target is None else [row[target] for row in rows]
    return LabelColumns(
        targets=targets,
        locations=_integers(name, columns, rows, lines, roles["locations"]),
        shots=_integers(name, columns, rows, lines, roles["shots"]),
        composition=_read_composition(name, columns, rows, lines, values, targets),
        others={columns[at] or f"column {at + 1}": [row[at] for row in rows] for at in rest},
    )


def unique_values(
    name: str, targets: Sequence[str], names: Sequence[str], values: NDArray[np.float64], lines: Sequence[Line]
) -> Composition:
    """Return one row per target, or say where two rows of one target differ."""
    rows: dict[str, int] = {}
    for at, (target, line) in enumerate(zip(targets, lines, strict=True)):
        before = rows.setdefault(target, at)
        differs = ~((values[at] == values[before]) | (np.isnan(values[at]) & np.isnan(values[before])))
        if differs.any():
            which = int(np.argmax(differs))
            msg = (
                f"'{name}', line {line.number}, must give '{target}' the value of line {lines[before].number} for "
                f"'{names[which]}' ({values[before, which]:g}); found {values[at, which]:g}. Correct one of them."
            )
            raise ReadError(msg)
    return Composition(tuple(rows), tuple(names), values[list(rows.values())])


def _first(columns: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    return next((at for at, column in enumerate(columns) if pattern.fullmatch(column)), None)


def _integers(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[Line], at: int | None
) -> NDArray[np.int64] | None:
    if at is None:
        return None
    for row, line in zip(rows, lines, strict=True):
        if not re.fullmatch(r"[+-]?\d{1,18}", row[at]):
            msg = f"'{name}', line {line.number}, must hold a whole number for '{columns[at]}'; found {row[at][:40]!r}."
            raise ReadError(msg)
    return np.array([int(row[at]) for row in rows], np.int64)


def _read_composition(
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    lines: Sequence[Line],
    places: Sequence[int],
    targets: Sequence[str] | None,
) -> Composition | None:
    if not places or targets is None:
        return None
    names = [columns[at] for at in places]
    values = np.array(
        [
            [parse_value(name, line, columns[at], row[at]) for at in places]
            for row, line in zip(rows, lines, strict=True)
        ]
    )
    return unique_values(name, targets, names, values, lines)
