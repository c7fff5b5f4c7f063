"""ChemCam level 1b, 'cleaned calibrated spectra': one CSV per location, one column per shot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending, find_instrument_blocks
from napari_bgremove.io.spectra_set_formats.text_rows import Line, to_cells, to_numbers
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["is_ccs", "read_ccs"]

_COLUMNS = re.compile(r"\s*#?\s*wave\s*,\s*shot\s*1\s*,", re.IGNORECASE)
_SHOT = re.compile(r"shot\s*(\d+)", re.IGNORECASE)
# '# CONTINUUMUVMIN  FLOAT     =       6.00000 , , ,': the kind is written behind some names.
_PARAMETER = re.compile(r"\s*#\s*([A-Z_]+)(?:\s+[A-Z]+)?\s*=\s*(.*?)[\s,]*")
_INTEGER, _REAL = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?\d*\.\d*(?:[eE][+-]?\d+)?")
# Lines above the names of the columns; the archive has 14 or 15.
_LONGEST_HEADER = 60


def is_ccs(lines: Sequence[Line]) -> bool:
    """Tell by the line that names the columns: wave, shot1, shot2 ..."""
    return any(_COLUMNS.match(line.text) for line in lines[:_LONGEST_HEADER])


def read_ccs(path: Path, lines: Sequence[Line]) -> Recording:
    """Read the single shots of a CCS file, with what its header says of the pipeline.

    Median and mean, which stand behind the shots, are left out: they are no
    shots (nor exactly the median and mean of the cleaned ones, of which they
    differ by about 1 % of the brightest line). `provenance["parameters"]` holds every parameter of the header
    under its name in small letters, numbers as numbers: dnoiseiter,
    dnoisesig, continuumuvmin, continuumvismin, continuumvnirmin ...
    """
    at = next(place for place, line in enumerate(lines) if _COLUMNS.match(line.text))
    names = to_cells(path.name, [Line(lines[at].number, lines[at].text.replace("#", " ", 1))], ",")[0]
    rows = lines[at + 1 :]
    if not rows:
        msg = f"'{path.name}' must hold spectra below line {lines[at].number}; it ends there. Copy the file again."
        raise ReadError(msg)
    table = to_numbers(path.name, rows, ",")
    if table.shape[1] != len(names):
        msg = (
            f"'{path.name}', line {rows[0].number}, must have {len(names)} cells, one for each column that line "
            f"{lines[at].number} names; found {table.shape[1]}. Copy the file again."
        )
        raise ReadError(msg)
    shots = [(column, int(match[1])) for column, name in enumerate(names) if (match := _SHOT.fullmatch(name))]
    columns = [column for column, _ in shots]
    axis, spectra = ascending(
        path.name, table[:, 0], table[:, columns].T, places=[f"line {line.number}" for line in rows]
    )
    made = make_spectra_set(
        axis,
        spectra.astype(np.float32),
        targets=path.stem,
        shots=[number for _, number in shots],
        blocks=find_instrument_blocks(axis),
        value_unit="photon/shot/mm2/sr/nm",
        provenance={"file": path.name, "format": "ChemCam CCS", "parameters": _read_parameters(lines[:at])},
    )
    return Recording(made)


def _read_parameters(lines: Sequence[Line]) -> dict[str, str | int | float]:
    found = (_PARAMETER.fullmatch(line.text) for line in lines)
    return {match[1].lower(): _to_value(match[2]) for match in found if match is not None}


def _to_value(text: str) -> str | int | float:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) and any(sign.isdigit() for sign in text) else text
