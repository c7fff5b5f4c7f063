"""Which reader takes a file: decided by its first bytes, then by its name."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.arrays import open_npy, open_npz
from napari_bgremove.io.formats.detector import open_detector
from napari_bgremove.io.formats.fits import open_fits
from napari_bgremove.io.formats.hdf5 import open_hdf5
from napari_bgremove.io.formats.source import MemoryFrames, Source, check_declared_size, explain_failures
from napari_bgremove.io.formats.tiff import open_tiff

__all__ = ["IMAGE_SUFFIXES", "detect_kind", "open_source"]

_SUFFIXES = {
    ".tif": "TIFF", ".tiff": "TIFF", ".btf": "TIFF",
    ".npy": "NPY", ".npz": "NPZ",
    ".fits": "FITS", ".fit": "FITS", ".fts": "FITS",
    ".edf": "EDF", ".cbf": "CBF", ".img": "SMV", ".mccd": "MarCCD", ".marccd": "MarCCD",
    ".h5": "HDF5", ".hdf5": "HDF5", ".nxs": "HDF5", ".nx": "HDF5", ".cxi": "HDF5", ".hdf": "HDF5",
}  # fmt: skip
_MAGIC = (
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF"), (b"MM\x00+", "TIFF"),
    (b"\x93NUMPY", "NPY"), (b"PK\x03\x04", "NPZ"), (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"SIMPLE  =", "FITS"), (b"###CBF", "CBF"), (b"{\nHEADER_BYTES", "SMV"), (b"{\r\nHEADER_BYTES", "SMV"),
)  # fmt: skip
_PICTURES = ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"))

#: File names that `find_image_files` takes from a folder.
IMAGE_SUFFIXES = frozenset(_SUFFIXES) | {f"{suffix}.gz" for suffix in _SUFFIXES}

_UNPACK_STEP = 2**20


def open_source(path: Path, *, dataset: str | None = None) -> Source:
    """Describe the frames of a file of any known format."""
    with explain_failures(path, "image"):
        if path.is_dir():
            msg = f"'{path.name}' must be a file; found a folder. Name a file in it, or use find_image_files."
            raise ReadError(msg)
        if path.stat().st_size == 0:
            msg = f"'{path.name}' must contain an image; found an empty file of 0 bytes. Copy it again from its source."
            raise ReadError(msg)
        if path.suffix.lower() == ".gz":
            return _open_packed(path, dataset)
        kind = detect_kind(path)
    if kind in ("HDF5", "NPZ", "FITS"):
        openers: dict[str, Callable[..., Source]] = {"HDF5": open_hdf5, "NPZ": open_npz, "FITS": open_fits}
        return openers[kind](path, dataset=dataset)
    if dataset is not None:
        msg = (
            f"'{path.name}' is a {kind} file and has no datasets to choose from; found dataset='{dataset}'. "
            "Leave it out."
        )
        raise ReadError(msg)
    if kind == "TIFF":
        return open_tiff(path)
    return open_npy(path) if kind == "NPY" else open_detector(path, kind)


def detect_kind(path: Path) -> str:
    """Name the format of a file: by its first bytes where they are certain, else by its suffix."""
    with open(path, "rb") as file:
        head = file.read(16)
    by_name = _SUFFIXES.get(path.suffix.lower())
    by_content = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if by_name == "MarCCD" and by_content == "TIFF":
        return by_name
    if by_content is not None:
        return by_content
    picture = next((kind for magic, kind in _PICTURES if head.startswith(magic)), None)
    if by_name is None or picture is not None:
        found = f"a {picture} picture" if picture else f"the suffix '{path.suffix}' and first bytes {head[:8]!r}"
        msg = (
            f"'{path.name}' must be TIFF, NPY, NPZ, FITS, EDF, CBF, SMV, MarCCD or HDF5; found {found}. Convert "
            "it to TIFF."
        )
        raise ReadError(msg)
    return by_name


def _open_packed(path: Path, dataset: str | None) -> Source:
    """Unpack a .gz file beside the system's temporary files, and read it as a whole."""
    folder = Path(tempfile.mkdtemp(prefix="bgremove-"))
    try:
        inner = folder / path.stem
        with gzip.open(path, "rb") as packed, open(inner, "xb") as unpacked:
            _unpack(path, packed, unpacked)
        source = open_source(inner, dataset=dataset)
        check_declared_size(path.name, source.shape, source.dtype, file_bytes=inner.stat().st_size)
        frames = np.stack([source.read_frame(i) for i in range(source.shape[0])])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return replace(source, read_frame=MemoryFrames(frames))


def _unpack(path: Path, packed: gzip.GzipFile, unpacked: IO[bytes]) -> None:
    total = 0
    while block := packed.read(_UNPACK_STEP):
        total += len(block)
        check_declared_size(path.name, (total,), np.dtype(np.uint8), file_bytes=path.stat().st_size)
        unpacked.write(block)
