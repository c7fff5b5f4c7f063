"""What stands above a table: names of columns, a title, settings of the instrument, components of a fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from napari_bgremove.io.provenance import RECORD, parse_provenance
from napari_bgremove.io.spectrum_formats.dialect import COMMENT
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.io.spectrum_formats.tables import Table

__all__ = ["Header", "read_header", "read_statements"]

# 'Region:   Survey', 'Dwell Time: 0.1', behind a comment sign.
_STATEMENT = re.compile(r"\s*(?:#|%|!|//)+\s*([A-Za-z][^:=]{0,40}?)\s*[:=]\s*(.*?)\s*")
# Rows above the names of the columns in which CasaXPS describes each component.
_CASA_ROWS = ("Name", "Position", "FWHM", "Area", "Lineshape")
_NUMBER = re.compile(r"[+-]?\d+\.?\d*([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Header:
    """What is said of a table.

    Attributes
    ----------
    names : tuple of str
        One per column of the table, '' where nothing is said.
    title : str
        '' where there is none.
    axis : (str, str)
        Name and unit of the axis, where something else than the name of its
        column says so.
    metadata : mapping
        Everything else.
    """

    names: tuple[str, ...]
    title: str
    axis: tuple[str, str]
    metadata: Mapping[str, Any]


def read_statements(header: Sequence[str]) -> dict[str, str]:
    """Read the lines 'Key: value' behind a comment sign."""
    found = (_STATEMENT.fullmatch(line) for line in header)
    return {match[1]: match[2] for match in found if match is not None and match[2]}


def read_header(table: Table, stated: Mapping[str, str]) -> Header:
    """Read what stands above a table; `stated` are the statements up to there."""
    record = _read_record(table)
    names = _name_columns(table, stated)
    if record is not None:
        axis = (str(record.get("axis_name", "")), str(record.get("axis_unit", "")))
        return Header(names, str(record.get("label", "")), axis, {RECORD: record})
    title = stated.get("Region") or _find_title(table, names)
    # A lone remark such as '#E_kin, measured at BL11' speaks of the axis where no column has a name.
    said = stated.get("Energy Axis") or ("" if any(names) else " ".join(table.header[:1]))
    return Header(names, title, name_axis(said), _collect(table, stated))


def _read_record(table: Table) -> dict[str, Any] | None:
    """Return the record this package writes above its own tables."""
    return parse_provenance("\n".join(COMMENT.sub("", line) for line in table.header if COMMENT.match(line)))


def _name_columns(table: Table, stated: Mapping[str, str]) -> tuple[str, ...]:
    """Return the cells of the nearest line above that names every column that is not empty."""
    filled = [column for column, given in enumerate(table.given.T) if given.any()]
    rows = [table.dialect.split(COMMENT.sub("", line)) for line in reversed(table.header)]
    for cells in (stated.get("ColumnLabels", "").split(), *rows):
        fits = len(cells) > filled[-1] and [place for place, cell in enumerate(cells) if cell] == filled
        # Where blanks separate columns, two words may as well be a title.
        if fits and (table.dialect.separator is not None or name_axis(cells[0])[0]):
            return tuple(cells[: filled[-1] + 1])
    return tuple("" for _ in table.given.T)


def _find_title(table: Table, names: Sequence[str]) -> str:
    """Return the first line that is neither a remark nor a row of cells."""
    for line in table.header:
        if COMMENT.match(line) or set(table.dialect.split(line)) <= {"", *names}:
            continue
        cells = [cell.strip() for cell in re.split(r"[\t;,]", line) if cell.strip()]
        if len(cells) == 1:
            return cells[0]
    return ""


def _collect(table: Table, stated: Mapping[str, str]) -> dict[str, Any]:
    rows = [table.dialect.split(line) for line in table.header if not COMMENT.match(line)]
    casa = {cells[0]: cells for cells in rows if cells[0] in _CASA_ROWS}
    found = {
        "header": table.header,
        "stated": {**stated, **_read_pairs(rows)},
        "components": _read_components(casa) if "Name" in casa else [],
    }
    return {key: value for key, value in found.items() if value}


def _read_pairs(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Read '<tab>Characteristic Energy eV<tab>1486.61<tab>...' of CasaXPS: a text, then its number."""
    pairs = (pair for cells in rows if cells[0] == "" for pair in pairwise(cells))
    return {name: value for name, value in pairs if name and not _NUMBER.fullmatch(name) and _NUMBER.fullmatch(value)}


def _read_components(casa: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    places = [place for place, cell in enumerate(casa["Name"]) if place and cell]
    return [{key.lower(): cells[place] for key, cells in casa.items() if place < len(cells)} for place in places]
