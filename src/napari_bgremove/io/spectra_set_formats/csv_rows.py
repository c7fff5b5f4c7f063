"""Plain text: a spectrum in each row, below a line with the axis; labels and reference values stand before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.label_columns import LabelColumns, is_target_name, read_label_columns
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending, find_instrument_blocks
from napari_bgremove.io.spectra_set_formats.text_rows import Line, is_number, to_cells, to_numbers
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["RowLayout", "find_row_layout", "read_rows"]

# Lines that may stand above the axis, such as PyHAT's 'meta, comp, wvl, wvl ...'.
_LONGEST_HEADER = 5
_FEWEST_CHANNELS = 3


@dataclass(frozen=True)
class RowLayout:
    """Where the axis of a table of rows stands.

    Attributes
    ----------
    separator : str
    header : int
        Place of the line with the axis among the lines that are not empty.
    labels : int
        Number of cells before the axis.
    """

    separator: str
    header: int
    labels: int


def find_row_layout(lines: Sequence[Line]) -> RowLayout | None:
    """Find a line of names followed by an axis; None where there is none, as in tables of columns."""
    for separator in (",", "\t", ";"):
        for place, line in enumerate(lines[:_LONGEST_HEADER]):
            cells = [cell.strip() for cell in line.text.lstrip("#").split(separator)]
            numbers = [is_number(cell) for cell in cells]
            labels = len(cells) - next((at for at, found in enumerate(reversed(numbers)) if not found), len(cells))
            if labels and len(cells) - labels >= _FEWEST_CHANNELS and not (labels == 1 and _is_of_columns(cells)):
                return RowLayout(separator, place, labels)
    return None


def read_rows(path: Path, lines: Sequence[Line], layout: RowLayout) -> Recording:
    """Read a table of rows: targets, locations and shots by the names of the first columns, numbers as composition."""
    table = lines[layout.header :]
    if len(table) < 2:
        msg = f"'{path.name}' must hold spectra below line {table[0].number}; it ends there. Copy the file again."
        raise ReadError(msg)
    names = [cell.strip() for cell in table[0].text.lstrip("#").split(layout.separator)[: layout.labels]]
    cells = to_cells(path.name, table, layout.separator)[1:]
    labels = read_label_columns(path.name, names, [row[: layout.labels] for row in cells], table[1:])
    values = to_numbers(path.name, table, layout.separator, skip=layout.labels)
    return _to_recording(path, table[0], values, labels)


def _is_of_columns(cells: Sequence[str]) -> bool:
    """Tell whether a line such as 'nm, 1, 2, 3' names an axis and numbers the spectra beside it."""
    if any(name_axis(cells[0])) or cells[0].lower() in ("wave", "wvl"):
        return True
    numbers = [float(cell) for cell in cells[1:]]
    return numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1))) and not is_target_name(cells[0])


def _to_recording(path: Path, header: Line, values: NDArray[np.float64], labels: LabelColumns) -> Recording:
    places = [f"line {header.number}, channel {channel + 1}" for channel in range(values.shape[1])]
    axis, spectra = ascending(path.name, values[0], values[1:], places=places)
    made = make_spectra_set(
        axis,
        spectra,
        targets=path.stem if labels.targets is None else labels.targets,
        locations=0 if labels.locations is None else labels.locations,
        shots=labels.shots,
        blocks=find_instrument_blocks(axis),
        composition=labels.composition,
        provenance={"file": path.name, "format": "rows", "labels": labels.others},
    )
    return Recording(made, names_targets=labels.targets is not None)
