"""Read and write masks, and never let one of the wrong shape through."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._files import atomic_path, atomic_write
from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.images import read_image

__all__ = ["read_mask", "read_mask_role", "write_mask"]

PathLike = str | os.PathLike[str]
_EDF_BLOCK = 512
_ROLE = "bgremove_mask_role"
_MEANING = {"signal": "signal regions", "valid": "usable pixels"}


def read_mask(
    path: PathLike, *, shape: Sequence[int] | None = None, dataset: str | None = None, role: str | None = None
) -> NDArray[np.bool_]:
    """Read a mask: True wherever the file is not zero.

    Parameters
    ----------
    path : path-like
        Any format `read_image` reads.
    shape : (rows, columns), optional
        Of the image the mask belongs to.
    dataset : str, optional
        As for `read_image`.
    role : {"signal", "valid"}, optional
        What the mask is to mean. A file that says otherwise is refused; one
        that says nothing is taken.

    Raises
    ------
    ReadError
        When the file is not readable, holds fractions, has another shape, or
        was written for the other role.
    """
    path = Path(path)
    values = read_image(path, dataset=dataset)
    recorded = read_mask_role(path)
    if role is not None and recorded not in (None, role):
        msg = f"'{path.name}' marks {_MEANING[str(recorded)]}; a mask of {_MEANING[role]} is needed here."
        raise ReadError(msg)
    if values.dtype.kind not in "bui":
        msg = f"'{path.name}' must hold whole numbers to be a mask; found {values.dtype}. Save the mask as integers."
        raise ReadError(msg)
    if shape is not None and values.shape != tuple(shape):
        msg = (
            f"'{path.name}' must have the shape of its image ({describe_shape(tuple(shape))}); found "
            f"{describe_shape(values.shape)}. Choose the mask that was made for this image."
        )
        raise ReadError(msg)
    mask: NDArray[np.bool_] = values != 0
    return mask


def write_mask(path: PathLike, mask: ArrayLike, *, role: str | None = None) -> Path:
    """Write a mask as 8-bit TIFF, NPY, EDF or HDF5, chosen by the suffix.

    Parameters
    ----------
    path : path-like
        .tif, .tiff, .npy, .edf, .h5 or .hdf5.
    mask : array-like
        (rows, columns), boolean or integer; non-zero is True.
    role : {"signal", "valid"}, optional
        What True means; kept in TIFF and HDF5 files, so that nobody reads a
        mask of signal as one of usable pixels.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        When it is not a 2-D mask, or the suffix is none of these.
    OSError
        When it cannot be written; an old file is then still in place.
    """
    path = Path(path)
    values = _check_mask(np.asarray(mask))
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        with atomic_path(path) as temporary:
            # 255 and not 1, so that any picture viewer shows it black and white.
            pixels = values.astype(np.uint8) * np.uint8(255)
            tifffile.imwrite(
                temporary, pixels, photometric="minisblack", metadata=None, description=_record(role), software=False
            )
    elif suffix in (".h5", ".hdf5"):
        content = io.BytesIO()  # HDF5 crashes on a full disk; a mask is small enough for the memory
        with h5py.File(content, "w") as file:
            dataset = file.create_dataset("mask", data=values.astype(np.uint8))
            if role is not None:
                dataset.attrs[_ROLE] = role
        atomic_write(path, content.getvalue())
    elif suffix == ".npy":
        atomic_write(path, lambda file: np.save(file, values))
    elif suffix == ".edf":
        atomic_write(path, lambda file: _write_edf(file, values.astype(np.uint8)))
    else:
        msg = f"'{path.name}' must end in .tif, .tiff, .npy, .edf, .h5 or .hdf5; found '{path.suffix}'."
        raise ValueError(msg)
    return path


def _record(role: str | None) -> str | None:
    return None if role is None else f"{_ROLE}={role}"


def read_mask_role(path: PathLike) -> str | None:
    """Return the role a readable image file was written for as a mask; None where it does not say."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        with h5py.File(path, "r", locking="best-effort") as file:
            found = str(file["mask"].attrs.get(_ROLE, "")) if "mask" in file else ""
    elif suffix in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as tiff:
            found = str(tiff.pages.first.description).removeprefix(f"{_ROLE}=")
    else:
        return None
    return found if found in _MEANING else None


def _check_mask(mask: NDArray[Any]) -> NDArray[np.bool_]:
    if mask.ndim != 2 or mask.size == 0 or mask.dtype.kind not in "bui":
        msg = f"'mask' must be a 2-D array of booleans or integers; found {describe_shape(mask.shape)} {mask.dtype}."
        raise ValueError(msg)
    values: NDArray[np.bool_] = mask != 0
    return values


def _write_edf(file: BinaryIO, values: NDArray[np.uint8]) -> None:
    rows, columns = values.shape
    fields = {
        "HeaderID": "EH:000001:000000:000000",
        "Image": 1,
        "ByteOrder": "LowByteFirst",
        "DataType": "UnsignedByte",
        "Dim_1": columns,
        "Dim_2": rows,
        "Size": values.size,
    }
    header = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in fields.items())
    # Padded so that the values start at a whole block, as the format asks.
    file.write(header.encode().ljust(_EDF_BLOCK - 2) + b"}\n" + values.tobytes())
