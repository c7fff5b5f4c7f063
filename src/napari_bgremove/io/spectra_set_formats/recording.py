"""What one file, or the files of one recording, hand back before it is settled whose spectra they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.spectra.blocks import Block, find_blocks
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["Recording", "ascending", "find_instrument_blocks", "unit_of"]

# Spectrometers of instruments, by their number of channels.
_INSTRUMENTS = {6144: ("UV", "VIO", "VNIR"), 7933: ("UV", "VIO", "VIS")}
# Where only the kind of an axis is known.
_USUAL_UNITS = {"wavelength": "nm", "Raman shift": "1/cm", "energy": "eV"}


@dataclass(frozen=True)
class Recording:
    """A set of spectra, and whether the file says itself of which targets they are.

    Attributes
    ----------
    spectra_set : SpectraSet
    names_targets : bool
        False where the targets of the set are the name of the file, so that
        a folder may say better.
    """

    spectra_set: SpectraSet
    names_targets: bool = False

    def place(self, *, target: str | None, location: int) -> SpectraSet:
        """Return the set under a target and location, as far as the file does not state its own targets."""
        found = self.spectra_set
        if self.names_targets:
            return found
        labels = found.targets if target is None else np.full(found.n_spectra, target)
        own = int(found.locations.max()) + 1  # a raster has many
        return replace(found, targets=labels, locations=found.locations + location * own)


def find_instrument_blocks(axis: NDArray[np.float64]) -> tuple[Block, ...]:
    """Find the spectrometers of an axis, under the names of a known instrument."""
    return find_blocks(axis, names=_INSTRUMENTS.get(len(axis)))


def unit_of(axis_name: str) -> str:
    """Return the unit an axis of this name is in, '' where that cannot be told: 'wavelength' means nm."""
    kind, unit = name_axis(axis_name.replace("_", " "))
    return unit or _USUAL_UNITS.get(kind, "")


def ascending(
    name: str, axis: NDArray[np.float64], spectra: NDArray[Any], *, places: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return axis and spectra in ascending order of the axis, or say which of its values cannot be.

    A descending axis is turned round. Where an ascending one steps back, the
    next spectrometer begins; `places` says where each channel stands.
    """
    missing = np.flatnonzero(~np.isfinite(axis))
    if missing.size:
        place = places[missing[0]]
        msg = f"'{name}', {place}, must state a finite position on the axis; found {axis[missing[0]]}. Correct it."
        raise ReadError(msg)
    steps = np.diff(axis)
    if axis.size > 1 and (steps < 0).all():
        return axis[::-1].copy(), spectra[:, ::-1].copy()
    twice = np.flatnonzero(steps == 0)
    falls = np.flatnonzero(steps < 0)
    if twice.size or falls.size > axis.size // 10:
        at = int(twice[0] if twice.size else falls[0]) + 1
        msg = (
            f"'{name}', {places[at]}, must lie above the channel before it; found {axis[at]:.10g} after "
            f"{axis[at - 1]:.10g}. Sort the channels and keep each position once."
        )
        raise ReadError(msg)
    return axis, spectra
