"""FITS images, where astropy is installed."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.source import (
    Source,
    arrange_frames,
    check_declared_size,
    check_dtype,
    explain_failures,
    to_native,
)

__all__ = ["open_fits"]


@dataclass(frozen=True)
class _FitsFrames:
    """Frames of one header-data unit, scaled by BSCALE and BZERO, BLANK as NaN."""

    path: Path
    unit: int
    shape: tuple[int, int, int]
    stored: tuple[int, ...]

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, "FITS"), _open(self.path) as units:
            if len(self.stored) == 2:
                return to_native(np.asarray(units[self.unit].data))
            place = np.unravel_index(index, self.stored[:-2])
            return to_native(np.asarray(units[self.unit].section[tuple(int(axis) for axis in place)]))


def open_fits(path: Path, *, dataset: str | None = None) -> Source:
    """Describe the first image in a FITS file, or the one named (name or number of the unit)."""
    if importlib.util.find_spec("astropy") is None:
        msg = (
            f"'{path.name}' needs the library astropy for FITS files, which is not installed; type: pip install astropy"
        )
        raise ReadError(msg)
    with explain_failures(path, "FITS"), _open(path) as units:
        images = {i: unit for i, unit in enumerate(units) if unit.is_image and len(unit.shape) >= 2}
        number = _choose(path.name, images, dataset)
        unit = images[number]
        frames, is_stack = arrange_frames(path.name, unit.shape)
        _check_bytes(path, unit)
        probe = unit.section[(0,) * (len(unit.shape) - 1)] if len(unit.shape) > 2 else unit.section[0:1]
        dtype = check_dtype(path.name, np.asarray(probe).dtype)
        check_declared_size(path.name, frames[1:], dtype, file_bytes=path.stat().st_size)
        stored, name = tuple(unit.shape), unit.name or str(number)
    notes = (f"'{path.name}' holds {len(images)} images; '{name}' was opened.",) if len(images) > 1 else ()
    return Source(frames, dtype, _FitsFrames(path, number, frames, stored), is_stack, dataset=name, notes=notes)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    from astropy.io import fits

    # The handle is ours, because astropy leaves its own open when it refuses a file.
    with open(path, "rb") as file, warnings.catch_warnings():
        # astropy only warns about a cut file, and of much else that does no harm.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message="(?s).*truncated")
        with fits.open(file, memmap=False, lazy_load_hdus=False) as units:
            yield units


def _choose(name: str, images: dict[int, Any], dataset: str | None) -> int:
    for number, unit in images.items():
        if dataset is None or dataset in (str(number), unit.name):
            return number
    found = ", ".join(unit.name or str(number) for number, unit in images.items()) or "no image"
    msg = (
        f"'{name}' must hold {'an image' if dataset is None else repr(dataset)}; found {found}. Choose another "
        "file or unit."
    )
    raise ReadError(msg)


def _check_bytes(path: Path, unit: Any) -> None:
    info = unit.fileinfo()
    expected = info["datLoc"] + unit.size
    if path.suffix != ".gz" and expected > path.stat().st_size:
        msg = (
            f"'{path.name}' must be complete; {expected} bytes are expected, {path.stat().st_size} were found. "
            "Copy it again."
        )
        raise ReadError(msg)
