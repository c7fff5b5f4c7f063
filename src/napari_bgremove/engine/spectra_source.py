"""Which spectra a job is about, as plain values: files, bands that are left out, bands that hold signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_bgremove.errors import ComputeError
from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.bands import channels_outside
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SpectraSource"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Bands = tuple[tuple[Finite, Finite], ...]


class SpectraSource(BaseModel):
    """Files of one set of spectra, and what of their axis counts.

    Attributes
    ----------
    paths : tuple of str
        Files and folders, as for `read_spectra_set`.
    target : str or None
        Of files that do not name their targets.
    axis : str or None
        File with the wavelengths, for raw shots that come without.
    composition : str or None
        Table of reference values.
    leave_out : tuple of (low, high)
        Bands of the axis whose channels are dropped, ends included.
    signal_bands : tuple of (low, high)
        Bands that a person has marked as signal, ends included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[str, ...] = Field(min_length=1)
    target: str | None = None
    axis: str | None = None
    composition: str | None = None
    leave_out: Bands = ()
    signal_bands: Bands = ()

    def read(self) -> SpectraSet:
        """Read the set, without the channels that are left out.

        Raises
        ------
        ReadError
            When a file cannot be used.
        ValueError
            When a band is none.
        ComputeError
            When no channel is left.
        """
        spectra = read_spectra_set(self.paths, target=self.target, axis=self.axis, composition=self.composition)
        kept = channels_outside(spectra.axis, self.leave_out)
        if not kept.any():
            msg = f"'leave_out' must leave some of the {spectra.n_channels} channels; found none. Leave a band in."
            raise ComputeError(msg)
        return spectra if kept.all() else spectra.keep(kept)

    def find_signal_channels(self, spectra: SpectraSet) -> NDArray[np.bool_]:
        """Return True at the channels of a set that lie in a marked band."""
        return ~channels_outside(spectra.axis, self.signal_bands)

    def resolved(self) -> SpectraSource:
        """Return the same with absolute paths, for a process that works elsewhere."""
        paths = tuple(str(Path(path).resolve()) for path in self.paths)
        others = {name: value and str(Path(value).resolve()) for name, value in self._tables().items()}
        return self.model_copy(update={"paths": paths, **others})

    def _tables(self) -> dict[str, str | None]:
        return {"axis": self.axis, "composition": self.composition}
