"""Which files a folder of spectra holds, and what their places say of targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from napari_bgremove.errors import ReadError

__all__ = ["SPECTRA_SET_SUFFIXES", "FoundFile", "find_files"]

#: What files with spectra are called; in a folder only these are read, and HDF5 files without a suffix.
SPECTRA_SET_SUFFIXES = (".csv", ".txt", ".tsv", ".dat", ".tab", ".npz", ".h5", ".hdf5", ".nxs", ".nc")


@dataclass(frozen=True)
class FoundFile:
    """A file to read; `target` is the name of its sub-folder, None where it lies in none."""

    path: Path
    target: str | None = None


def find_files(paths: Iterable[Path], *, without: Sequence[Path] = ()) -> tuple[list[FoundFile], list[str]]:
    """Return the files to read, in the order of their names, and the names of those that are left out.

    A path to a file is taken as it is. In a folder, files are taken by their
    suffix; those in sub-folders belong to the target the sub-folder is named
    after. Hidden files, and those in `without`, are not looked at.
    """
    known = {path.resolve() for path in without}
    taken: list[FoundFile] = []
    left_out: list[str] = []
    for path in paths:
        if not path.is_dir():
            taken.append(FoundFile(path))
            continue
        for file in _walk(path):
            if file.resolve() in known:
                continue
            if not _is_readable(file):
                left_out.append(str(file.relative_to(path)))
            else:
                taken.append(FoundFile(file, None if file.parent == path else file.parent.name))
    if not taken:
        names = ", ".join(f"'{path.name}'" for path in paths)
        msg = (
            f"{names or 'The list of files'} must hold files with spectra ({', '.join(SPECTRA_SET_SUFFIXES)}); found "
            "none."
        )
        raise ReadError(msg)
    return taken, left_out


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _is_readable(path: Path) -> bool:
    return path.suffix.lower() in SPECTRA_SET_SUFFIXES or (not path.suffix and bool(h5py.is_hdf5(path)))
