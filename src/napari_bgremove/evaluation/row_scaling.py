"""Scale each spectrum by itself before a linear head, so that shots of different brightness weigh the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.errors import ComputeError

__all__ = ["ROW_SCALINGS", "scale_rows"]

Array = NDArray[np.float64]


def scale_rows(rows: ArrayLike, *, scaling: str) -> Array:
    """Return spectra scaled one by one.

    This belongs after the removal of a background, never before: the
    background is the same in all spectra only as long as none is scaled.

    Parameters
    ----------
    rows : array_like, shape (n, channels)
        Not modified.
    scaling : {"none", "l2", "snv"}
        none: as they are. l2: to unit Euclidean norm. snv: standard normal
        variate, mean 0 and standard deviation 1 over the channels.

    Returns
    -------
    ndarray, shape (n, channels), float64

    Raises
    ------
    ValueError
        When the scaling is not one of these.
    ComputeError
        When a spectrum has nothing to be scaled by: it is zero, or for snv
        constant.
    """
    check_choice("scaling", scaling, tuple(ROW_SCALINGS))
    return ROW_SCALINGS[scaling](np.array(rows, np.float64))


def _scale_l2(rows: Array) -> Array:
    scaled: Array = rows / _check_sizes(np.linalg.norm(rows, axis=1, keepdims=True), "l2")
    return scaled


def _scale_snv(rows: Array) -> Array:
    centred = rows - rows.mean(axis=1, keepdims=True)
    scaled: Array = centred / _check_sizes(centred.std(axis=1, keepdims=True), "snv")
    return scaled


def _check_sizes(sizes: Array, scaling: str) -> Array:
    if not (sizes > 0).all():
        row = int(np.argmin(sizes > 0))
        what = "zero" if scaling == "l2" else "constant"
        msg = f"'rows' must not be {what} to be scaled by {scaling}; found row {row}. Leave it out, or scale by none."
        raise ComputeError(msg)
    return sizes


#: Each scaling by its name.
ROW_SCALINGS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"none": lambda rows: rows, "l2": _scale_l2, "snv": _scale_snv}
)
