"""Which reader a file belongs to, by its content; and which files are one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove.io.formats.source import explain_failures
from napari_bgremove.io.spectra_set_formats.archives import read_archive, read_arrays
from napari_bgremove.io.spectra_set_formats.chemcam_ccs import is_ccs, read_ccs
from napari_bgremove.io.spectra_set_formats.chemcam_edr import is_edr, read_edr
from napari_bgremove.io.spectra_set_formats.csv_columns import read_columns
from napari_bgremove.io.spectra_set_formats.csv_rows import find_row_layout, read_rows
from napari_bgremove.io.spectra_set_formats.finding import FoundFile
from napari_bgremove.io.spectra_set_formats.jsc import is_jsc, name_jsc_recording, read_jsc
from napari_bgremove.io.spectra_set_formats.native import is_native, read_native
from napari_bgremove.io.spectra_set_formats.rasters import read_raster
from napari_bgremove.io.spectra_set_formats.recording import Recording
from napari_bgremove.io.spectra_set_formats.text_rows import read_lines

__all__ = ["RecordingFiles", "find_recordings", "read_file", "read_recording"]

_ZIP, _NETCDF = b"PK\x03\x04", b"CDF"
# Enough of a text to see of which kind it is.
_HEAD_BYTES = 4096

Axis = NDArray[np.float64] | None


@dataclass
class RecordingFiles:
    """The files of one recording, and the target their folder is named after."""

    target: str | None
    paths: list[Path] = field(default_factory=list)


def find_recordings(found: Sequence[FoundFile]) -> list[RecordingFiles]:
    """Put the files of the spectrometers of one recording together; every other file is one by itself."""
    recordings: list[RecordingFiles] = []
    together: dict[tuple[Path, str], RecordingFiles] = {}
    for file in found:
        key = (file.path.parent, name_jsc_recording(file.path))
        with explain_failures(file.path, "spectra set"):
            in_parts = _is_in_parts(file.path)
        if in_parts and key in together:
            together[key].paths.append(file.path)
            continue
        recordings.append(RecordingFiles(file.target, [file.path]))
        if in_parts:
            together[key] = recordings[-1]
    return recordings


def read_recording(files: RecordingFiles, *, axis: Axis = None) -> Recording:
    """Read what `find_recordings` put together."""
    first = files.paths[0]
    with explain_failures(first, "spectra set"):
        if _is_in_parts(first):
            return read_jsc({path: read_lines(path) for path in files.paths})
        return read_file(first, axis=axis)


def read_file(path: Path, *, axis: Axis = None) -> Recording:
    """Read one file; `axis` is for kinds that come without."""
    kind = _find_binary(path)
    if kind == "HDF5":
        return read_raster(path)
    if kind == "NPZ":
        arrays = read_arrays(path)
        return Recording(read_native(path, arrays), True) if is_native(arrays) else read_archive(path, arrays)
    lines = read_lines(path)
    if is_jsc(lines):
        return read_jsc({path: lines})
    if is_ccs(lines):
        return read_ccs(path, lines)
    if is_edr(lines):
        return read_edr(path, lines, axis=axis)
    layout = find_row_layout(lines)
    return read_columns(path) if layout is None else read_rows(path, lines, layout)


def _is_in_parts(path: Path) -> bool:
    return not _find_binary(path) and is_jsc(read_lines(path, limit=_HEAD_BYTES))


def _find_binary(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(4)
    if head == _ZIP:
        return "NPZ"
    # The reader of maps says what to do about the older netCDF.
    return "HDF5" if head.startswith(_NETCDF) or h5py.is_hdf5(path) else ""
