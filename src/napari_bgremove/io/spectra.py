"""Read spectra and maps of any known format, and write what became of them."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike

from napari_bgremove._validation import check_same_shape, describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.columns import write_columns
from napari_bgremove.io.formats.source import explain_failures
from napari_bgremove.io.spectrum_formats.map_axes import AxisChoice
from napari_bgremove.io.spectrum_formats.maps import read_maps
from napari_bgremove.io.spectrum_formats.spectrum import Spectrum
from napari_bgremove.io.spectrum_formats.text import read_text
from napari_bgremove.io.spectrum_formats.vamas import is_vamas, read_vamas
from napari_bgremove.separation import Separation

__all__ = ["SPECTRUM_SUFFIXES", "Spectrum", "read_spectra", "write_spectrum_csv"]

PathLike = str | os.PathLike[str]

#: What files with spectra are called, for dialogs; the content decides how they are read.
SPECTRUM_SUFFIXES = (".csv", ".txt", ".dat", ".xy", ".tsv", ".vms", ".h5", ".hdf5", ".nxs", ".nc")

_OLD_NETCDF = (b"CDF\x01", b"CDF\x02", b"CDF\x05")


def read_spectra(
    path: PathLike, *, dataset: str | None = None, axis: AxisChoice = None, lazy: bool = False
) -> tuple[Spectrum, ...]:
    """Read every spectrum of a file.

    Parameters
    ----------
    path : path-like
        Text with an energy column and one or more others (tab, semicolon,
        comma or blanks between them; decimal points or commas; remarks behind
        #, %, ! or //; column exports of CasaXPS; SPECS Prodigy), VAMAS, or
        HDF5, NeXus and netCDF-4 maps. The content decides, not the suffix.
    dataset : str, optional
        For HDF5: the dataset with the intensities. Without it the most likely
        one is taken and `notes` say which.
    axis : str or (first, step), optional
        For HDF5: the dataset with the energies, or their first value and
        step. Without it the axis the file names is taken, else sample
        numbers, and `notes` say so.
    lazy : bool
        Leave the intensities of HDF5 maps of three dimensions in the file: a
        dask array in blocks of whole spectra. Everything else is read at once.

    Returns
    -------
    tuple of Spectrum
        In the order of the file. A text table gives one spectrum, whose
        further columns are in `Spectrum.columns`.

    Raises
    ------
    ReadError
        When the file is missing, empty, cut or not a spectrum; for text with
        the line: a word or a missing number among numbers, an axis that is
        not finite or not strictly monotonic.
    """
    path = Path(path)
    with explain_failures(path, "spectrum"):
        if path.is_dir():
            msg = f"'{path.name}' must be a file; found a folder. Name a file in it."
            raise ReadError(msg)
        with open(path, "rb") as file:
            head = file.read(16)
        if not head:
            msg = f"'{path.name}' must hold a spectrum; found an empty file of 0 bytes. Copy it again from its source."
            raise ReadError(msg)
        if h5py.is_hdf5(path):  # MATLAB and Igor put a block of text in front
            return tuple(read_maps(path, dataset=dataset, axis=axis, lazy=lazy))
        _check_choices(path.name, dataset, axis)
        if head.startswith(_OLD_NETCDF):
            msg = (
                f"'{path.name}' must be netCDF-4; found the older format netCDF-3. Convert it: "
                f"nccopy -k nc4 {path.name} new.nc"
            )
            raise ReadError(msg)
        return tuple(read_vamas(path) if is_vamas(path) else read_text(path))


def write_spectrum_csv(
    path: PathLike,
    axis: ArrayLike,
    separation: Separation,
    *,
    sigma: ArrayLike | None = None,
    label: str = "",
    axis_name: str = "energy",
    axis_unit: str = "",
) -> Path:
    """Write one spectrum and what it was taken apart into.

    The columns are energy, measured, background, net and sigma; above them
    stands, in lines that begin with #, the provenance of the separation.
    `read_spectra` reads the file back.

    Parameters
    ----------
    path : path-like
        Target; it is written whole or not at all.
    axis : array_like, shape (n,)
        Energies, in the order of the samples.
    separation : Separation
        Of one spectrum, shape (n,); its signal is the net column.
    sigma : array_like, shape (n,), optional
        Standard deviation of the net spectrum; by default the uncertainty of
        the separation, NaN where there is none.
    label, axis_name, axis_unit : str
        As in `Spectrum`; they come back when the file is read.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        When the separation is not one spectrum, or a column has another length.
    OSError
        When the file cannot be written; an old one is then still in place.
    """
    energies, net = np.asarray(axis, float), separation.signal
    if net.ndim != 1:
        msg = (
            f"'separation' must hold one spectrum; found {describe_shape(net.shape)}. Choose one of a map, or write "
            "the map as an image."
        )
        raise ValueError(msg)
    known = separation.uncertainty if sigma is None else sigma
    spread = np.full(net.shape, np.nan) if known is None else np.asarray(known, float)
    check_same_shape("axis", energies, "separation", net)
    check_same_shape("sigma", spread, "separation", net)
    columns = {
        "energy": energies,
        "measured": separation.measured,
        "background": separation.background,
        "net": net,
        "sigma": spread,
    }
    record = {"label": label, "axis_name": axis_name, "axis_unit": axis_unit, **separation.provenance}
    return write_columns(path, columns, provenance=record)


def _check_choices(name: str, dataset: str | None, axis: AxisChoice) -> None:
    for choice, value in (("dataset", dataset), ("axis", axis)):
        if value is not None:
            msg = f"'{name}' is no HDF5 file and has no {choice} to choose; found {choice}={value!r}. Leave it out."
            raise ReadError(msg)
