"""Plain text: the axis in the first column, a spectrum in each other one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending, find_instrument_blocks, unit_of
from napari_bgremove.io.spectrum_formats.dialect import decode
from napari_bgremove.io.spectrum_formats.headers import read_header, read_statements
from napari_bgremove.io.spectrum_formats.tables import Table, read_tables
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["read_columns"]

# What a column is called when its name is no target's.
_GENERIC = re.compile(
    r"|(shot|spectrum|column|scan|frame)?[\s_#.]*\d*|intensit(y|ies)|counts?|cps|signal|flux|radiance|mean|median", re.I
)

# Columns of a line profile (`bgremove profile`): only the first is a spectrum.
_OF_A_PROFILE = ("value", "sigma", "count")


def read_columns(path: Path) -> Recording:
    """Read a table of columns, with the names of its columns as targets where they name any."""
    tables = read_tables(path.name, decode(path.name, path.read_bytes()))
    if len(tables) != 1:
        msg = (
            f"'{path.name}' must hold one table; found {len(tables)}, the second from line {tables[1].lines[0]} on. "
            "Save each in a file of its own."
        )
        raise ReadError(msg)
    table = tables[0]
    _check_complete(path.name, table)
    header = read_header(table, read_statements(table.header))
    names = header.names[1:]
    values = table.values[:, 1:]
    if tuple(names) == _OF_A_PROFILE:
        names, values = names[:1], values[:, :1]
    named = not any(_GENERIC.fullmatch(name.strip()) for name in names)
    axis, spectra = ascending(path.name, table.values[:, 0], values.T, places=[f"line {line}" for line in table.lines])
    made = make_spectra_set(
        axis,
        np.ascontiguousarray(spectra),
        targets=list(names) if named else path.stem,
        blocks=find_instrument_blocks(axis),
        axis_unit=header.axis[1] or unit_of(header.names[0]),
        provenance={"file": path.name, "format": "columns", "columns": list(names)},
    )
    return Recording(made, names_targets=named)


def _check_complete(name: str, table: Table) -> None:
    rows: Sequence[int] = np.flatnonzero(~table.given.all(axis=1)).tolist()
    if rows:
        column = int(np.argmin(table.given[rows[0]])) + 1
        msg = (
            f"'{name}', line {table.lines[rows[0]]}, must hold a number in column {column}; found an empty cell. "
            "Complete it, or write nan where nothing was measured."
        )
        raise ReadError(msg)
