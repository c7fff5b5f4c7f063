"""One set and one method: prepared once, then some rows at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.engine.notes import collected_notes
from napari_bgremove.engine.spectra_blocks import read_rows
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.errors import ComputeError
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.chemcam_header import StatedParameters, find_stated_parameters
from napari_bgremove.spectra.cleaning import CLEANERS, NothingUsableError, clean_spectra
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["Marks", "SetSeparator"]

#: True where a person has marked signal, shape (n_channels,).
Marks = NDArray[np.bool_] | None
_TakeApart = Callable[[NDArray[np.floating]], Separation]


class SetSeparator:
    """A set, and how it is taken apart; some rows at a time.

    Parameters
    ----------
    spectra : SpectraSet
        Lazy spectra are computed row by row as they are asked for.
    how : SpectraMethod
        A model is read here, once.
    signal_channels : ndarray of bool, shape (n_channels,), optional
        True where a person has marked signal.

    Raises
    ------
    ValueError
        When the method is unknown.
    ModelFileError
        When the model cannot be used.
    """

    def __init__(self, spectra: SpectraSet, how: SpectraMethod, *, signal_channels: Marks = None) -> None:
        self.spectra, self._marks = spectra, signal_channels
        self._take_apart: _TakeApart
        self._stated = StatedParameters()
        if how.model is not None:
            self._take_apart = _network(spectra, how, signal_channels)
            return
        check_choice("method", how.method, tuple(CLEANERS))
        if how.method == "chemcam":
            self._stated = find_stated_parameters(spectra.provenance).without(how.parameters)
        self._take_apart = _classical(spectra, how, signal_channels, {**self._stated.values, **how.parameters})

    def separate(self, rows: slice) -> Separation:
        """Separate some rows.

        A block without anything usable is NaN, as its spectra would be among
        others, and counted. The provenance says how long it took.

        Raises
        ------
        ValueError
            When the parameters are wrong, or the channels are not those of the network.
        ComputeError
            When a spectrum cannot be separated.
        """
        measured = read_rows(self.spectra.spectra, rows)
        started = time.perf_counter()
        try:
            with collected_notes() as notes:
                parts = self._take_apart(measured)
        except NothingUsableError:
            parts = _nothing(measured)
        except ComputeError as error:
            if rows.start == 0:
                raise
            msg = f"{error} Spectra are counted from row {rows.start} of the set here."
            raise ComputeError(msg) from error
        provenance = {**parts.provenance, **self._stated.as_record(), "notes": notes}
        provenance["seconds"] = round(time.perf_counter() - started, 4)
        return Separation(parts.signal, parts.background, parts.measured, provenance=provenance)


def _nothing(measured: NDArray[np.floating]) -> Separation:
    empty = np.full(measured.shape, np.nan)
    count = len(measured)
    remarks = {"spectra": count, "not_converged": 0, "without_result": count, "warned": {}}
    return Separation(empty, empty, measured, provenance={"remarks": remarks})


def _classical(spectra: SpectraSet, how: SpectraMethod, marks: Marks, parameters: dict[str, Any]) -> _TakeApart:
    def take_apart(measured: NDArray[np.floating]) -> Separation:
        return clean_spectra(
            spectra.axis, measured, method=how.method, blocks=spectra.blocks, signal_channels=marks, **parameters
        )

    return take_apart


def _network(spectra: SpectraSet, how: SpectraMethod, marks: Marks) -> _TakeApart:
    from napari_bgremove.learning.devices import pick_device
    from napari_bgremove.learning.model_file import read_spectra_model
    from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra

    assert how.model is not None
    options = SpectraOptions(
        output=how.output, device=pick_device(how.device), precision=how.precision, threads=how.threads
    )
    model = read_spectra_model(how.model)

    def take_apart(measured: NDArray[np.floating]) -> Separation:
        return separate_spectra(model, measured, axis=spectra.axis, signal_channels=marks, options=options)

    return take_apart
