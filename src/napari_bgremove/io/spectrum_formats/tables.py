"""Tables of numbers in a text file, each with the lines above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectrum_formats.dialect import COMMENT, Dialect, find_dialect

__all__ = ["Table", "read_tables"]


@dataclass(frozen=True)
class Table:
    """Rows of numbers that belong together.

    Attributes
    ----------
    values : ndarray, shape (rows, columns)
        NaN where a cell is empty, or says so.
    given : ndarray of bool, shape (rows, columns)
        False where a cell is empty.
    lines : tuple of int
        Line of each row in the file, counted from 1.
    header : tuple of str
        The lines since the table before, without empty ones.
    dialect : Dialect
        How the header is split into cells.
    """

    values: NDArray[np.float64]
    given: NDArray[np.bool_]
    lines: tuple[int, ...]
    header: tuple[str, ...]
    dialect: Dialect


@dataclass
class _Part:
    """A table that is being read."""

    header: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rows: list[list[float | None]] = field(default_factory=list)


def read_tables(name: str, text: str) -> list[Table]:
    """Read every table of a text; a comment, or text after an empty line, begins the next one.

    Raises
    ------
    ReadError
        When there is no table, when text follows numbers without an empty
        line or a comment sign, or when a row has fewer columns than the rest.
    """
    lines = text.splitlines()
    dialect = find_dialect(lines)
    if dialect is None:
        raise ReadError(_describe_failure(name, lines))
    parts = [_Part()]
    after_gap = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            after_gap = True
            continue
        row = None if COMMENT.match(line) else dialect.numbers(line)
        if row is not None:
            parts[-1].rows.append(row)
            parts[-1].lines.append(number)
        else:
            if parts[-1].rows:
                _check_end(name, number, line, after_gap=after_gap)
                parts.append(_Part())
            parts[-1].header.append(line)
        after_gap = False
    return [_to_table(name, part, dialect) for part in parts if part.rows]


def _check_end(name: str, number: int, line: str, *, after_gap: bool) -> None:
    if not (after_gap or COMMENT.match(line)):
        msg = (
            f"'{name}', line {number}, must hold numbers like the line above; found {line.strip()[:40]!r}. Correct "
            "it, or put # in front of a remark."
        )
        raise ReadError(msg)


def _to_table(name: str, part: _Part, dialect: Dialect) -> Table:
    # Programs end lines with separators: what lies behind the last value of every row is no column.
    width = max(_count_filled(row) for row in part.rows)
    for number, row in zip(part.lines, part.rows, strict=True):
        if len(row) < width:
            msg = (
                f"'{name}', line {number}, must have {width} columns like the widest line of its table; found "
                f"{len(row)}. Complete or remove it."
            )
            raise ReadError(msg)
    cells = [row[:width] for row in part.rows]
    given = np.array([[cell is not None for cell in row] for row in cells])
    return Table(np.array(cells, float), given, tuple(part.lines), tuple(part.header), dialect)


def _count_filled(row: Sequence[float | None]) -> int:
    return max(place for place, cell in enumerate(row, 1) if cell is not None)


def _describe_failure(name: str, lines: Sequence[str]) -> str:
    written = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not written:
        return f"'{name}' must hold a spectrum; found {len(lines)} empty lines. Export it again."
    number, line = next(((n, text) for n, text in written if not COMMENT.match(text)), written[0])
    return (
        f"'{name}' must hold lines of two or more numbers (energy, intensity); found none in {len(lines)} lines, line "
        f"{number} reads {line[:40]!r}. Export the spectrum as text with an energy column."
    )
