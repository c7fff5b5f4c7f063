"""Text of an Ocean Optics HR+ spectrometer, one file each, as ChemCam's testbed at NASA JSC writes three."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending
from napari_bgremove.io.spectra_set_formats.text_rows import Line, to_numbers
from napari_bgremove.spectra.blocks import number_blocks
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["is_jsc", "name_jsc_recording", "read_jsc"]

_BEGIN, _END = re.compile(r">+\s*Begin.*Spectral Data", re.IGNORECASE), re.compile(r">+\s*End")
_STATEMENT = re.compile(r"\s*([A-Za-z][^:]{0,60}):\s*(.*?)\s*")
# The part of a file name that says which of the spectrometers it is.
_SPECTROMETER = re.compile(r"(?<![A-Za-z])(UV|VIO|VIS|VNIR|NIR)(?![A-Za-z])", re.IGNORECASE)
# Time of day and milliseconds since 1970 stand before the samples of a shot.
_TIMES = 2
_LONGEST_HEADER = 60


def is_jsc(lines: Sequence[Line]) -> bool:
    """Tell by the line above the data."""
    return any(_BEGIN.match(line.text) for line in lines[:_LONGEST_HEADER])


def name_jsc_recording(path: Path) -> str:
    """Return what the files of one recording are called alike: 'TestBasalt_01' for TestBasalt_UV_01.txt."""
    return re.sub(r"([_\-. ])\1+", r"\1", _SPECTROMETER.sub("", path.stem)).strip("_-. ") or path.stem


def read_jsc(files: Mapping[Path, Sequence[Line]]) -> Recording:
    """Put the spectrometers of one recording side by side, in the order of their wavelengths."""
    parts = sorted((_read_part(path, lines) for path, lines in files.items()), key=lambda part: part["axis"][0])
    first = parts[0]
    for other in parts[1:]:
        if len(other["spectra"]) != len(first["spectra"]):
            msg = (
                f"'{other['file']}' must hold as many shots as '{first['file']}' of the same recording "
                f"({len(first['spectra'])}); found {len(other['spectra'])}. Complete it, or read each file by itself."
            )
            raise ReadError(msg)
    edges = np.cumsum([0, *(len(part["axis"]) for part in parts)]).tolist()
    made = make_spectra_set(
        np.concatenate([part["axis"] for part in parts]),
        np.concatenate([part["spectra"] for part in parts], axis=1).astype(np.float32),
        targets=name_jsc_recording(next(iter(files))),
        blocks=number_blocks(edges, names=_name_blocks(parts)),
        provenance={
            "files": [part["file"] for part in parts],
            "format": "JSC text",
            "stated": {part["file"]: part["stated"] for part in parts},
        },
    )
    return Recording(made)


def _read_part(path: Path, lines: Sequence[Line]) -> dict[str, Any]:
    at = next(place for place, line in enumerate(lines) if _BEGIN.match(line.text))
    below = [line for line in lines[at + 1 :] if not _END.match(line.text)]
    if len(below) < 2:
        msg = (
            f"'{path.name}' must hold a line of wavelengths and at least one shot below line {lines[at].number}; found "
            f"{len(below)} lines. Copy the file again."
        )
        raise ReadError(msg)
    table = to_numbers(path.name, below, "\t", skip=_TIMES)
    axis, spectra = _sort(path, below[0], table)
    stated = (_STATEMENT.fullmatch(line.text) for line in lines[:at])
    return {
        "file": path.name,
        "axis": axis,
        "spectra": spectra,
        "stated": {match[1]: match[2] for match in stated if match is not None},
    }


def _sort(path: Path, header: Line, table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    places = [f"line {header.number}, column {column + _TIMES + 1}" for column in range(table.shape[1])]
    return ascending(path.name, table[0], table[1:], places=places)


def _name_blocks(parts: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Return what the names of the files call the spectrometers, or None where they do not tell them apart."""
    found = [match[1].upper() for part in parts if (match := _SPECTROMETER.search(Path(part["file"]).stem))]
    return found if len(set(found)) == len(parts) else None
