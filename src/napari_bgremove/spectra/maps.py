"""Shirley backgrounds of maps whose spectra do not lie along the last axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_bgremove.spectra.ends import End
from napari_bgremove.spectra.lazy_maps import separate_lazily
from napari_bgremove.spectra.shirley import ShirleyBackground, separate_shirley

__all__ = ["separate_shirley_map"]


def separate_shirley_map(
    axis: ArrayLike,
    measured: ArrayLike,
    *,
    ends: tuple[End, End],
    spectral_axis: int = -1,
    valid_mask: ArrayLike | None = None,
    sigma: Any = None,
    **keywords: Any,
) -> ShirleyBackground:
    """Estimate Shirley's background of every spectrum in a map or a detector image.

    All spectra are solved in one go, each with a status of its own; those
    without a background are NaN, and stop nothing. Of a dask array nothing is
    computed yet: the result holds dask arrays, and each block of them is solved
    when it is asked for.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energy, wavelength or position along `spectral_axis`.
    measured : array_like
        Any number of dimensions: an image whose columns (0) or rows (1) are
        spectra, a cube (energy, y, x) or (y, x, energy); numpy or dask.
    ends : pair of Anchor or Endpoint
        The same for every spectrum.
    spectral_axis : int
        Which dimension of `measured` the spectra lie along.
    valid_mask, sigma
        As for `separate_shirley`, but in the shape of `measured`, or (n,);
        beside a dask array they may be dask arrays too.
    **keywords
        The other arguments of `separate_shirley`.

    Returns
    -------
    ShirleyBackground
        Curves in the shape of `measured`; numbers without that dimension; of
        end levels, both at the end. Compute several dask arrays of it
        together, so that each block is read and solved once.

    Raises
    ------
    ValueError
        As for `separate_shirley`, or when there is no such dimension.
    """
    array: Any = measured if _is_lazy(measured) else np.asanyarray(measured)
    if not -array.ndim <= spectral_axis < array.ndim:
        msg = f"'spectral_axis' must be a dimension of 'measured', which has {array.ndim}; found {spectral_axis}."
        raise ValueError(msg)

    def to_end(given: Any) -> Any:
        if np.ndim(given) != array.ndim:
            return given
        return np.moveaxis(given if _is_lazy(given) else np.asanyarray(given), spectral_axis, -1)

    separate = separate_lazily if _is_lazy(measured) and array.ndim > 1 else separate_shirley
    result = separate(axis, to_end(array), ends=ends, valid_mask=to_end(valid_mask), sigma=to_end(sigma), **keywords)
    curves = ("signal", "background", "measured", "uncertainty")
    whole = {name: getattr(result, name) for name in curves if getattr(result, name) is not None}
    return replace(result, **{name: np.moveaxis(curve, -1, spectral_axis) for name, curve in whole.items()})


def _is_lazy(array: Any) -> bool:
    return hasattr(array, "dask")
