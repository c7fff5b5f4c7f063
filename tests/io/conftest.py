"""Small files of every format, written independently of the readers under test."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import fabio.cbfimage
import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_bgremove.io.isolated import close_reader

Array = NDArray[np.generic]
Writer = Callable[[Path, Array], Path]

_EDF_NAMES = {
    "u1": "UnsignedByte", "i1": "SignedByte", "u2": "UnsignedShort", "i2": "SignedShort",
    "i4": "SignedInteger", "u4": "UnsignedInteger", "f4": "FloatValue", "f8": "DoubleValue",
}  # fmt: skip
_FITS_BITS = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}


def _edf_frame(frame: Array, number: int) -> bytes:
    order = "HighByteFirst" if frame.dtype.str.startswith(">") else "LowByteFirst"
    header = (
        f"{{\nEDF_DataBlockID = {number}.Image.Psd ;\nEDF_BinarySize = {frame.nbytes} ;\nByteOrder = {order} ;\n"
        f"DataType = {_EDF_NAMES[frame.dtype.str[1:]]} ;\nDim_1 = {frame.shape[1]} ;\nDim_2 = {frame.shape[0]} ;\n"
        "PSize_1 = 5.5e-05 ;\nPSize_2 = 7.5e-05 ;\n"
    )
    return header.encode().ljust(1022) + b"}\n" + frame.tobytes()


def _write_edf(path: Path, array: Array) -> Path:
    frames = array[np.newaxis] if array.ndim == 2 else array
    path.write_bytes(b"".join(_edf_frame(frame, number) for number, frame in enumerate(frames)))
    return path


def _write_cbf(path: Path, array: Array) -> Path:
    fabio.cbfimage.CbfImage(data=array).write(str(path))
    return path


def _write_smv(path: Path, array: Array) -> Path:
    header = (
        "{\nHEADER_BYTES=  512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=unsigned_short;\nPIXEL_SIZE=0.08;\n"
        f"SIZE1={array.shape[1]};\nSIZE2={array.shape[0]};\nCCD_IMAGE_SATURATION=65535;\n}}\n"
    )
    path.write_bytes(header.encode().ljust(512) + array.astype("<u2").tobytes())
    return path


def _write_mccd(path: Path, array: Array) -> Path:
    # Tag, type (3 = short, 4 = long), count, value; the frame header of MarCCD follows at byte 1024.
    tags = [
        (256, 4, array.shape[1]), (257, 4, array.shape[0]), (258, 3, 16), (259, 3, 1), (262, 3, 1),
        (273, 4, 4096), (277, 3, 1), (278, 4, array.shape[0]), (279, 4, array.nbytes),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes((b"II*\x00\x08\x00\x00\x00" + directory).ljust(4096, b"\x00") + array.astype("<u2").tobytes())
    return path


def _write_fits(path: Path, array: Array) -> Path:
    axes = array.shape[::-1]
    cards = ["SIMPLE  =                    T", f"BITPIX  = {_FITS_BITS[array.dtype.str[1:]]:20d}"]
    cards += [f"NAXIS   = {len(axes):20d}", *(f"NAXIS{i + 1}  = {n:20d}" for i, n in enumerate(axes)), "END"]
    header = "".join(card.ljust(80) for card in cards).encode()
    values = array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(header.ljust(2880) + values.ljust(-(-len(values) // 2880) * 2880, b"\x00"))
    return path


def _write_hdf5(path: Path, array: Array) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data/data", data=array)
    return path


def _write_npy(path: Path, array: Array) -> Path:
    np.save(path, array)
    return path


def _write_npz(path: Path, array: Array) -> Path:
    np.savez(path, image=array)
    return path


def _write_tiff(path: Path, array: Array) -> Path:
    tifffile.imwrite(path, array, photometric="minisblack")
    return path


def _write_tiff_gz(path: Path, array: Array) -> Path:
    plain = path.with_name("unpacked.tif")
    _write_tiff(plain, array)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


WRITERS: dict[str, Writer] = {
    ".tif": _write_tiff, ".tif.gz": _write_tiff_gz, ".npy": _write_npy, ".npz": _write_npz, ".fits": _write_fits,
    ".edf": _write_edf, ".cbf": _write_cbf, ".img": _write_smv, ".mccd": _write_mccd, ".h5": _write_hdf5,
    ".nxs": _write_hdf5, ".cxi": _write_hdf5,
}  # fmt: skip


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[[str, Array], Path]:
    """Write an array in the format of a suffix and return the path."""

    def write(suffix: str, array: Array, name: str = "shot") -> Path:
        return WRITERS[suffix](tmp_path / f"{name}{suffix}", array)

    return write


@pytest.fixture(scope="session", autouse=True)
def _end_reader_process() -> object:
    yield
    close_reader()
