"""Spectra in text: two columns or many, in the dialects of instruments and of CasaXPS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_bgremove.io.spectrum_formats.dialect import decode
from napari_bgremove.io.spectrum_formats.headers import Header, read_header, read_statements
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.io.spectrum_formats.spectrum import Spectrum, check_axis, make_unique
from napari_bgremove.io.spectrum_formats.tables import Table, read_tables

__all__ = ["read_text"]

# CasaXPS calls the intensity 'Cycle 0:SAMPLE:REGION:CPS' where no line above names the spectrum.
_CASA_INTENSITY = re.compile(r"(Cycle \d+:.+):([^:]+)")


def read_text(path: Path) -> list[Spectrum]:
    """Read every spectrum of a text file."""
    stated: dict[str, str] = {}
    spectra: list[Spectrum] = []
    for table in read_tables(path.name, decode(path.name, path.read_bytes())):
        # SPECS states the settings once, above the first region.
        stated = {**stated, **read_statements(table.header)}
        header = read_header(table, stated)
        spectra += [_read_columns(path, table, header, columns) for columns in _group_columns(table, header.names)]
    labels = make_unique([spectrum.label for spectrum in spectra])
    return [replace(spectrum, label=label) for spectrum, label in zip(spectra, labels, strict=True)]


def _group_columns(table: Table, names: Sequence[str]) -> list[list[int]]:
    """Split at empty columns behind which another axis stands: CasaXPS writes counts and CPS side by side."""
    filled = [column for column, given in enumerate(table.given.T) if given.any()]
    starts = [
        place
        for place, (before, column) in enumerate(pairwise(filled), 1)
        if column > before + 1 and place + 1 < len(filled) and name_axis(names[column])[0]
    ]
    return [filled[start:stop] for start, stop in pairwise([0, *starts, len(filled)])]


def _read_columns(path: Path, table: Table, header: Header, columns: Sequence[int]) -> Spectrum:
    """Make a spectrum of an axis, an intensity and what stands beside it."""
    axis, *others = columns
    check_axis(path.name, table.values[:, axis], places=[f"line {line}" for line in table.lines])
    titles = make_unique([header.names[column] or f"column {column + 1}" for column in others])
    values = dict(zip(titles, (table.values[:, column] for column in others), strict=True))
    intensity = header.names[others[0]]
    casa = _CASA_INTENSITY.fullmatch(intensity)
    name, unit = _name_axis(header, axis)
    return Spectrum(
        axis=table.values[:, axis],
        intensity=values.pop(titles[0]),
        label=header.title or (casa[1] if casa else path.stem),
        axis_name=name,
        axis_unit=unit,
        intensity_name=casa[2] if casa else intensity,
        columns=values,
        metadata=header.metadata,
        notes=tuple(_note_empty_cells(table, others, titles)),
    )


def _name_axis(header: Header, column: int) -> tuple[str, str]:
    """Return name and unit of an axis: by its column, or where that says no more than 'energy', by the header."""
    name, unit = name_axis(header.names[column])
    if name in ("", "energy"):
        return header.axis[0] or name or "energy", unit or header.axis[1]
    return name, unit


def _note_empty_cells(table: Table, columns: Sequence[int], titles: Sequence[str]) -> Iterator[str]:
    for column, title in zip(columns, titles, strict=True):
        empty = np.flatnonzero(~table.given[:, column])
        if empty.size:
            yield f"'{title}' has {empty.size} empty cells, the first in line {table.lines[empty[0]]}; they are NaN."
