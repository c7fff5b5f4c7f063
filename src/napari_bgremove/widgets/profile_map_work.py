"""Backgrounds of all rows of an image, of a map, or of a line in every frame of a stack; no widget, no layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.curve import CODES
from napari_bgremove.spectra.net_area import measure_net_area
from napari_bgremove.spectra.shirley import ShirleyBackground
from napari_bgremove.widgets.profile_fits import Windows, ends_of, take_backgrounds

__all__ = ["MapParts", "areas_of", "separate_along"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MapParts:
    """An image or a map, taken apart spectrum by spectrum.

    Attributes
    ----------
    signal, background : ndarray
        In the shape and unit of the data.
    status : ndarray of uint8
        Place in `STATUSES` of each spectrum, in the shape of the data: 0 where all is well.
    sentence : str
        How many spectra have a background, and why the others have none.
    """

    signal: NDArray[np.float32]
    background: NDArray[np.float32]
    status: NDArray[np.uint8]
    sentence: str


def separate_along(data: Any, spectral_axis: int, values: Array, windows: Windows, method: str) -> MapParts:
    """Separate every spectrum along an axis of an array.

    Raises
    ------
    ComputeError
        When no spectrum has such a background.
    """
    spectra = np.moveaxis(np.asarray(data), spectral_axis, -1)
    parts, refusals = take_backgrounds(values, spectra, windows, [method])
    if method not in parts:
        raise ComputeError(refusals[method])
    separation = parts[method]
    status, sentence = _judge(separation)

    def placed(part: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(part, -1, spectral_axis)

    return MapParts(
        signal=placed(separation.signal).astype(np.float32),
        background=placed(separation.background).astype(np.float32),
        status=placed(np.broadcast_to(status[..., None], spectra.shape)).copy(),
        sentence=sentence,
    )


def areas_of(separation: Separation, values: Array, windows: Windows) -> Array:
    """Return the net area of each spectrum between its anchors; NaN where there is no background."""
    if isinstance(separation, ShirleyBackground):
        return np.asarray(separation.net_area, np.float64)
    return np.asarray(measure_net_area(values, separation.signal, ends=ends_of(windows)), np.float64)


def _judge(separation: Separation) -> tuple[NDArray[np.uint8], str]:
    if isinstance(separation, ShirleyBackground):
        return np.asarray(separation.status_code, np.uint8), separation.sentence
    has_one = np.isfinite(separation.background).any(axis=-1)
    status = np.where(has_one, CODES["ok"], CODES["no_solution"]).astype(np.uint8)
    return status, f"{np.count_nonzero(has_one)} of {has_one.size} spectra have such a background."
