"""What every reader of spectra hands back, and the rules its axis has to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.errors import ReadError

__all__ = ["Spectrum", "check_axis", "make_unique"]


@dataclass(frozen=True)
class Spectrum:
    """A spectrum, or a map of spectra on one axis, as its file states it.

    Attributes
    ----------
    axis : ndarray, shape (n,)
        Strictly rising or falling, in the order of the file.
    intensity : ndarray, shape (n,) or (..., n)
        NaN where the file gives no value.
    label : str
        What the file calls it; else the name of the file.
    axis_name : str
        'binding energy', 'kinetic energy', 'wavelength', 'energy', 'pixel' ...
    axis_unit : str
        'eV', 'nm' ...; empty where the file does not say.
    intensity_name : str
        'counts', 'CPS' ...; empty where the file does not say.
    columns : mapping of str to ndarray of shape (n,)
        What stands beside the intensity: components, background, envelope,
        transmission, the columns of other programs.
    metadata : mapping
        Only what the file states.
    notes : tuple of str
        Sentences a user should see: a dataset that was guessed, an axis that
        the file does not have, samples without a value.
    """

    axis: NDArray[np.float64]
    intensity: NDArray[np.float64]
    label: str
    axis_name: str = "energy"
    axis_unit: str = ""
    intensity_name: str = ""
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.axis)

    def take_column(self, name: str) -> Spectrum:
        """Return the spectrum with one of its `columns` in the place of the intensity.

        Raises
        ------
        ValueError
            When there is no such column.
        """
        check_choice("name", name, tuple(self.columns))
        others = {key: values for key, values in self.columns.items() if key != name}
        former = {self.intensity_name or "intensity": self.intensity}
        return replace(self, intensity=self.columns[name], intensity_name=name, columns={**former, **others})


def check_axis(subject: str, axis: NDArray[np.float64], *, places: Sequence[str]) -> None:
    """Raise ReadError unless the axis is finite and strictly monotonic.

    `places` names each sample for the message: 'line 12', 'sample 3'.
    """
    missing = np.flatnonzero(~np.isfinite(axis))
    if missing.size:
        place = places[missing[0]]
        msg = f"'{subject}', {place}, must state a finite energy; found {axis[missing[0]]}. Remove or correct it."
        raise ReadError(msg)
    if axis.size < 2:
        msg = f"'{subject}' must hold at least 2 samples; found {axis.size}. Is the file complete?"
        raise ReadError(msg)
    steps = np.diff(axis)
    wrong = np.flatnonzero(np.sign(steps) != np.sign(steps[0]) if steps[0] else steps == 0)
    if wrong.size:
        at = int(wrong[0]) + 1
        course = "fall" if steps[0] < 0 else "rise"
        msg = (
            f"'{subject}', {places[at]}, must let the axis {course} as before; found {axis[at]:.10g} after "
            f"{axis[at - 1]:.10g}. Sort the samples and keep each energy once."
        )
        raise ReadError(msg)


def make_unique(names: Sequence[str]) -> list[str]:
    """Number names that occur more than once: 'Fe 2p', 'Fe 2p (2)'."""
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name} ({number})"
        found.append(unique)
    return found
