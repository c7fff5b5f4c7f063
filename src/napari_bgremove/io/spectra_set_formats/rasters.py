"""Maps of spectra in HDF5 and netCDF-4: every position of a raster is a location on one target."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.io.spectra_set_formats.recording import Recording, ascending, find_instrument_blocks, unit_of
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["read_raster"]


def read_raster(path: Path) -> Recording:
    """Read the map of a file, in the order of its positions; netCDF-3 is refused with the way to convert it."""
    found = read_spectra(path)[0]
    if found.axis_name == "pixel":
        msg = f"'{path.name}' must name its axis; found an array without one. Save wavelengths beside the spectra."
        raise ReadError(msg)
    rows = found.intensity.reshape(-1, len(found.axis))
    places = [f"sample {place}" for place in range(len(found.axis))]
    axis, spectra = ascending(path.name, found.axis, rows, places=places)
    made = make_spectra_set(
        axis,
        spectra,
        targets=path.stem,
        locations=np.arange(len(rows)),
        blocks=find_instrument_blocks(axis),
        axis_unit=found.axis_unit or unit_of(found.axis_name),
        provenance={"file": path.name, "format": "raster", "shape": list(found.intensity.shape), **found.metadata},
    )
    return Recording(made)
