"""Several cleanings of one set, each judged by the standards its calibration has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_set
from napari_bgremove.evaluation.calibration import FitCleaner, measure_calibration, measure_sgd_calibration
from napari_bgremove.evaluation.calibration_result import Calibration
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["HEADS", "RAW", "calibrate_cleaned", "clean_set", "name_representation"]

#: What every cleaning is compared with.
RAW = "raw"
#: The heads by name: ridge regression in closed form, or the paper's SGD.
HEADS = ("ridge", "sgd")
_SCALINGS = ("none", "l2")


def clean_set(
    spectra: SpectraSet, how: SpectraMethod, *, signal_channels: NDArray[np.bool_] | None = None
) -> SpectraSet:
    """Return the same rows with the signal alone, and the record in the provenance; errors as `separate_set`."""
    parts = separate_set(spectra, how, signal_channels=signal_channels)
    provenance = {**spectra.provenance, "separation": dict(parts.provenance)}
    return replace(spectra.with_spectra(np.asarray(parts.signal)), provenance=provenance)


def calibrate_cleaned(
    representations: Mapping[str, SpectraSet],
    *,
    scalings: Sequence[str] = _SCALINGS,
    score: str = "rows",
    head: str = "ridge",
    refits: Mapping[str, FitCleaner] = MappingProxyType({}),
) -> dict[str, Calibration]:
    """Calibrate on each of several representations of one set.

    Parameters
    ----------
    representations : mapping of str to SpectraSet
        By name; each with the composition.
    scalings, score
        As in `measure_calibration`; the scaling of a row is chosen by nested
        selection, the same candidates for every representation.
    head : {"ridge", "sgd"}
        sgd, the paper's, takes rows of unit length, where it is stable.
    refits : mapping of str to callable
        By the name of a representation, which then holds the raw spectra:
        what fits its cleaner anew in every fold; see `refit_network`.

    Returns
    -------
    dict of str to Calibration

    Raises
    ------
    ValueError, ComputeError
        As `measure_calibration`.
    """
    check_choice("head", head, HEADS)
    if head == "sgd":
        if refits:
            msg = "'head' must be ridge for a cleaner to be fitted anew in every fold; found sgd."
            raise ValueError(msg)
        return {name: measure_sgd_calibration(each, score=score) for name, each in representations.items()}
    return {
        name: measure_calibration(each, scalings=scalings, score=score, refit_cleaner_per_fold=refits.get(name))
        for name, each in representations.items()
    }


def name_representation(how: SpectraMethod) -> str:
    """Return the name of a cleaning in tables: its method, or a network's output."""
    if how.model is None:
        return how.method
    outputs = {"subtract": "y - z_n", "synthesis": "z_x", "both": "z_x"}
    return f"{Path(how.model).stem}, {outputs[how.output]}"
