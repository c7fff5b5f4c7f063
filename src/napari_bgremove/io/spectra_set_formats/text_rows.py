"""Rows of text that are to be numbers, and the line to blame where they are not."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectrum_formats.dialect import decode

__all__ = ["Line", "is_number", "read_lines", "to_cells", "to_numbers"]


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A line that is not empty, and its number in the file, counted from 1."""

    number: int
    text: str


def read_lines(path: Path, *, limit: int = -1) -> list[Line]:
    """Return the lines of a text file that are not empty; with a `limit` those of its first bytes."""
    with open(path, "rb") as file:
        text = decode(path.name, file.read(limit))
    return [Line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def is_number(cell: str) -> bool:
    """Tell whether a cell without blanks around it is a finite decimal number."""
    return _NUMBER.fullmatch(cell) is not None


def to_cells(name: str, lines: Sequence[Line], separator: str) -> list[list[str]]:
    """Split lines into cells without the blanks around them; every line has to have as many as the first."""
    rows = [[cell.strip() for cell in cells] for cells in _split(lines, separator)]
    for line, cells in zip(lines, rows, strict=True):
        if len(cells) != len(rows[0]):
            raise ReadError(_describe_width(name, line, len(cells), len(rows[0])))
    return rows


def to_numbers(name: str, lines: Sequence[Line], separator: str, *, skip: int = 0) -> NDArray[np.float64]:
    """Read lines as rows of numbers, without their first `skip` cells.

    Returns
    -------
    ndarray, shape (lines, cells - skip), float64
        NaN only where the file says so.

    Raises
    ------
    ReadError
        With the line: for another number of cells than the first line has, an
        empty cell or a word.
    """
    width = 0
    for line, cells in zip(lines, _split(lines, separator), strict=True):
        width = width or len(cells)
        if len(cells) != width:
            raise ReadError(_describe_width(name, line, len(cells), width))
    try:
        return _parse([line.text for line in lines], separator, range(skip, width))
    except ValueError as error:
        raise ReadError(_blame(name, lines, separator, range(skip, width))) from error


def _split(lines: Sequence[Line], separator: str) -> list[list[str]]:
    # One line each, whatever quotes a damaged file leaves open.
    return [next(csv.reader([line.text.rstrip()], delimiter=separator)) for line in lines]


def _parse(texts: Sequence[str], separator: str, columns: range) -> NDArray[np.float64]:
    return np.loadtxt(texts, delimiter=separator, usecols=columns, comments=None, quotechar='"', ndmin=2)


def _blame(name: str, lines: Sequence[Line], separator: str, columns: range) -> str:
    for line, cells in zip(lines, _split(lines, separator), strict=True):
        for column in columns:
            try:
                _parse([line.text], separator, range(column, column + 1))
            except ValueError:
                found = repr(cells[column].strip()[:40]) if cells[column].strip() else "an empty cell"
                return (
                    f"'{name}', line {line.number}, must hold a number in column {column + 1}; found {found}. Correct "
                    "it, or write nan where nothing was measured."
                )
    numbers = ", ".join(str(line.number) for line in islice(lines, 3))
    return f"'{name}' must hold numbers from line {numbers} on; they cannot be read together. Export the file again."


def _describe_width(name: str, line: Line, found: int, expected: int) -> str:
    return (
        f"'{name}', line {line.number}, must have {expected} cells like the first line of its table; found {found}. "
        "Complete or remove it."
    )
