"""Read sets of spectra from files and folders as instruments and archives write them, and write them whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.source import explain_failures
from napari_bgremove.io.spectra_set_formats.compositions import read_composition_table
from napari_bgremove.io.spectra_set_formats.files import find_recordings, read_file, read_recording
from napari_bgremove.io.spectra_set_formats.finding import SPECTRA_SET_SUFFIXES, find_files
from napari_bgremove.io.spectra_set_formats.native import write_native
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.joined_sets import join_spectra_sets
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SPECTRA_SET_SUFFIXES", "read_composition", "read_spectra_set", "write_spectra_set"]

PathLike = str | os.PathLike[str]


def read_spectra_set(
    paths: PathLike | Sequence[PathLike],
    *,
    target: str | None = None,
    axis: PathLike | ArrayLike | None = None,
    composition: PathLike | Composition | None = None,
) -> SpectraSet:
    """Read the spectra of a file, of several files or of a folder as one set.

    The content decides how a file is read, not its suffix:

    - ChemCam CCS (level 1b) CSV: its single shots, with the parameters of the
      mission's pipeline from the header in `provenance["parameters"]`;
    - ChemCam raw shots: 6444 lines of detector units, ordered here as the
      axis is (UV, VIO, VNIR) and without the pixels that see no light;
    - text of the three spectrometers of ChemCam's testbed, put side by side;
    - HDF5 and netCDF-4 rasters: each position is a location;
    - NPZ: what `write_spectra_set` wrote, or a table `spectra` with its axis;
    - text with the axis in the first column and spectra in the others, whose
      names are the targets, or with the axis in a line of its own and a
      spectrum in each row behind its target, location, shot and reference
      values.

    Where a file does not name its targets they are the name of its
    sub-folder, so that an archive with a folder per standard is read as it
    lies there; else the name of the file. Files of one target are its
    locations, in the order of their names.

    Parameters
    ----------
    paths : path-like, or sequence of path-like
        Files and folders. Of a folder, files without a known suffix are left
        out and named in `provenance["files_left_out"]`.
    target : str, optional
        Of all files that do not name their targets themselves.
    axis : array_like or path-like, optional
        Wavelengths for raw ChemCam shots, which come without: 6144 values in
        nm, or a CCS file of the same campaign.
    composition : Composition or path-like, optional
        Reference values, or a table with `target, SiO2, TiO2 ...` as header;
        small and capital letters are alike in names.

    Returns
    -------
    SpectraSet
        Single precision for shots of instruments, else as in the file.

    Raises
    ------
    ReadError
        When a file is missing, cut, or no set of spectra: with the line where
        a number is missing; when two files differ in axis or unit.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    extra = [Path(each) for each in (axis, composition) if isinstance(each, str | os.PathLike)]
    found, left_out = find_files([Path(path) for path in given], without=extra)
    positions = _read_axis(axis)
    sets: list[SpectraSet] = []
    seen: dict[str, int] = {}
    for files in find_recordings(found):
        recording = read_recording(files, axis=positions)
        label = target or files.target
        key = label or str(recording.spectra_set.targets[0])
        seen[key] = seen.get(key, -1) + 1
        sets.append(recording.place(target=label, location=seen[key]))
        _check_same_axis(sets)
    joined = _join(sets)
    if left_out:
        joined = replace(joined, provenance={**joined.provenance, "files_left_out": left_out})
    return joined if composition is None else _add_composition(joined, composition)


def read_composition(path: PathLike, *, targets: Sequence[str] | None = None) -> Composition:
    """Read reference values from a table: the name of a target, then what it holds of each constituent.

    Parameters
    ----------
    path : path-like
        CSV (comma, semicolon or tab) with a line of names: target, SiO2 ...
        The column of targets is called target, sample, standard, name or
        spectrum; there may be several, as in the archive of ChemCam.
    targets : sequence of str, optional
        Take the values of these alone, under these names; small and capital
        letters are alike.

    Returns
    -------
    Composition
        In weight percent; NaN where the cell is empty.

    Raises
    ------
    ReadError
        With the line where a number is missing or two lines of one target
        differ; when none of `targets` is in the table.
    """
    path = Path(path)
    with explain_failures(path, "table of compositions"):
        return read_composition_table(path, targets=targets)


def write_spectra_set(path: PathLike, spectra_set: SpectraSet) -> Path:
    """Write a set as one .npz file, with labels, blocks, composition and provenance.

    Parameters
    ----------
    path : path-like
        Target; the suffix is kept as given.
    spectra_set : SpectraSet
        Lazy spectra are computed.

    Raises
    ------
    OSError
        When it cannot be written; an old file is then still in place.
    """
    return write_native(Path(path), spectra_set)


def _read_axis(axis: PathLike | ArrayLike | None) -> NDArray[np.float64] | None:
    if isinstance(axis, str | os.PathLike):
        path = Path(axis)
        with explain_failures(path, "spectra set"):
            return read_file(path).spectra_set.axis
    return None if axis is None else np.asarray(axis, np.float64)


def _check_same_axis(sets: Sequence[SpectraSet]) -> None:
    first, last = sets[0], sets[-1]
    if not np.array_equal(first.axis, last.axis):
        names = [part.provenance.get("file", part.targets[0]) for part in (last, first)]
        ranges = [f"{part.n_channels} channels from {part.axis[0]:g} to {part.axis[-1]:g}" for part in (last, first)]
        msg = (
            f"'{names[0]}' must have the axis of '{names[1]}' ({ranges[1]}); found {ranges[0]}. Read what one "
            "instrument recorded, or interpolate onto one axis before."
        )
        raise ReadError(msg)


def _join(sets: Sequence[SpectraSet]) -> SpectraSet:
    try:
        return join_spectra_sets(sets)
    except ValueError as error:
        raise ReadError(str(error)) from error


def _add_composition(spectra_set: SpectraSet, composition: PathLike | Composition) -> SpectraSet:
    targets = spectra_set.distinct_targets
    known = composition if isinstance(composition, Composition) else read_composition(composition, targets=targets)
    missing = [name for name in targets if name not in known.targets]
    provenance = {**spectra_set.provenance, "without_composition": missing} if missing else spectra_set.provenance
    return replace(spectra_set, composition=known, provenance=provenance)
