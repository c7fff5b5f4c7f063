"""Write images that say where they come from, whole or not at all.

Every file carries its provenance inside (ImageDescription in TIFF, an
attribute in HDF5), because files get separated from their folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.source import explain_failures
from napari_bgremove.io.provenance import RECORD, dump_provenance, parse_provenance
from napari_bgremove.io.readers import detect_kind
from napari_bgremove.io.stack_writer import HDF5_DATASET, PixelScale, StackWriter
from napari_bgremove.separation import Separation

__all__ = [
    "StackWriter",
    "is_result",
    "leave_out_results",
    "read_provenance",
    "write_image",
    "write_ledger",
    "write_separation",
]

PathLike = str | os.PathLike[str]
_SUFFIXES = {"tiff": ".tif", "hdf5": ".h5"}
_FIELDS = ("signal", "background", "uncertainty")
_RESULT_NAME = re.compile(r"-(signal|background|uncertainty|residual)\.(tif|h5)$")


def write_image(
    path: PathLike, array: ArrayLike, *, provenance: Mapping[str, Any], pixel_scale: PixelScale = None
) -> Path:
    """Write an image or a stack as float32 TIFF (or HDF5 by its suffix).

    Parameters
    ----------
    path : path-like
        Target; .h5 and .hdf5 give HDF5, everything else TIFF.
    array : array-like
        (rows, columns) or (n, rows, columns), real. NaN is kept.
    provenance : mapping
        Method, parameters, versions: anything JSON can hold.
    pixel_scale : float or (row, column), optional
        Pixel size in metres.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        When the array is not a real image or stack.
    OSError
        When it cannot be written; an old file is then still in place.
    """
    values = np.asarray(array)
    if values.ndim not in (2, 3):
        msg = (
            f"'array' must be an image or a stack of images; found {values.ndim} axes ({describe_shape(values.shape)})."
        )
        raise ValueError(msg)
    frames = values[np.newaxis] if values.ndim == 2 else values
    with StackWriter(
        path, provenance=provenance, pixel_scale=pixel_scale, is_stack=values.ndim == 3, expected_bytes=values.size * 4
    ) as writer:
        for frame in frames:
            writer.append(frame)
    return Path(path)


def read_provenance(path: PathLike) -> dict[str, Any]:
    """Return the record that `write_image`, `StackWriter` or `write_separation` put into a file.

    Raises
    ------
    ReadError
        When the file is not readable, or was not written by this package.
    """
    path = Path(path)
    with explain_failures(path, "result"):
        record = parse_provenance(_description_of(path))
    if record is None:
        msg = f"'{path.name}' must carry a record of napari-bgremove; found none. Choose a file this package wrote."
        raise ReadError(msg)
    return record


def is_result(path: PathLike) -> bool:
    """Return whether a file carries the record of a separation."""
    try:
        return "provenance" in (record := read_provenance(path)) or "field" in record
    except ReadError:
        return False


def leave_out_results(files: Sequence[str]) -> list[str]:
    """Return the files that no earlier separation wrote; only those named like results are opened to see."""
    return [file for file in files if not (_RESULT_NAME.search(file) and is_result(file))]


def _description_of(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return path.read_text(encoding="utf-8")
    if detect_kind(path) == "HDF5":
        with h5py.File(path, "r", locking="best-effort") as file:
            dataset = file.get(HDF5_DATASET)
            return str(dataset.attrs.get(RECORD, "")) if dataset is not None else ""
    with tifffile.TiffFile(path) as tiff:
        return str(tiff.pages.first.description)


def write_separation(
    folder: PathLike,
    stem: str,
    separation: Separation,
    *,
    unit: str,
    fields: Sequence[str] = _FIELDS,
    format: str = "tiff",
    kev_per_unit: float | None = None,
    pixel_scale: PixelScale = None,
) -> dict[str, Path]:
    """Write the parts of an image beside each other, with the ledger.

    Parameters
    ----------
    folder : path-like
        Target folder; it is made.
    stem : str
        Name of the image; the files are STEM-signal.tif, STEM-background.tif,
        STEM-uncertainty.tif and STEM.json.
    separation : Separation
        What to write. A stack too large for the memory goes through one
        `StackWriter` per field and `write_ledger` instead.
    unit : str
        Unit of the arrays: 'keV', 'counts', 'ADU'.
    fields : sequence of str
        Which of signal, background and uncertainty; an uncertainty that was
        not estimated is left out.
    format : {'tiff', 'hdf5'}
        File format of the images.
    kev_per_unit : float, optional
        Energy of one unit; the ledger is then in keV.
    pixel_scale : float or (row, column), optional
        Pixel size in metres.

    Returns
    -------
    dict of str to Path
        The files by field, and 'ledger' for the JSON file.
    """
    check_choice("format", format, tuple(_SUFFIXES))
    for name in fields:
        check_choice("fields", name, _FIELDS)
    record = {**separation.provenance, "unit": unit, "kev_per_unit": kev_per_unit}
    paths: dict[str, Path] = {}
    for name, values in _parts(separation, fields):
        target = Path(folder) / f"{stem}-{name}{_SUFFIXES[format]}"
        paths[name] = write_image(target, values, provenance={**record, "field": name}, pixel_scale=pixel_scale)
    ledger = separation.ledger(scale=1.0 if kev_per_unit is None else kev_per_unit)
    paths["ledger"] = write_ledger(
        Path(folder) / f"{stem}.json",
        ledger,
        unit=unit if kev_per_unit is None else "keV",
        provenance=record,
        files={name: path.name for name, path in paths.items()},
    )
    return paths


def write_ledger(
    path: PathLike,
    ledger: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    unit: str,
    provenance: Mapping[str, Any],
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write the energy ledger of an image, or one per frame of a stack, as JSON.

    Parameters
    ----------
    path : path-like
        Target, as a rule NAME.json.
    ledger : mapping or sequence of mappings
        From `Separation.ledger`.
    unit : str
        Unit of the sums: 'keV' where the calibration is known.
    provenance : mapping
        Method, parameters, versions.
    files : mapping, optional
        Names of the image files by field.
    """
    record = {"ledger": ledger, "ledger_unit": unit, "provenance": provenance, "files": files or {}}
    return atomic_write(path, dump_provenance(record, indent=2) + "\n")


def _parts(separation: Separation, fields: Sequence[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in fields:
        values = getattr(separation, name)
        if values is not None:
            yield name, values
