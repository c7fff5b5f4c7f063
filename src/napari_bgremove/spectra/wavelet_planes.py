"""The wavelet transform "with holes" (a trous) of spectra, with the B3 spline: planes that add up to the spectrum.

No plane is thinned out, so a structure stays at its channel in all of them,
and each plane holds what is about twice as wide as in the one before. This
transform is in none of the libraries this package stands on; the stationary
transform of PyWavelets is that of orthogonal wavelets.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct, idct

from napari_bgremove._validation import check_range, describe_shape

__all__ = [
    "extract_wavelet_plane",
    "highest_level",
    "merge_wavelet_planes",
    "smooth_by_holes",
    "split_wavelet_planes",
]

Array = NDArray[np.float64]

# The B3 spline at the whole numbers -2 ... 2.
_WEIGHTS = (1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16)


def split_wavelet_planes(spectra: ArrayLike, *, levels: int) -> Array:
    """Split spectra into wavelet planes and a smooth rest.

    c_0 is the spectrum, c_{j+1} is c_j smoothed with weights 1, 4, 6, 4, 1
    (over 16) at channels 2^j apart, and plane j is c_j - c_{j+1}. Beyond its
    ends a spectrum goes on as its mirror image.

    Parameters
    ----------
    spectra : array_like, shape (..., n)
        Finite; not modified.
    levels : int
        Number of planes, 0 to `highest_level(n)`.

    Returns
    -------
    ndarray, shape (levels + 1, ..., n), float64
        Planes from the finest to the coarsest, then the rest c_levels; their
        sum is the spectrum up to rounding.

    Raises
    ------
    ValueError
        When there is no channel, or the levels do not fit.

    References
    ----------
    J.-L. Starck and F. Murtagh, Astronomical Image and Data Analysis, 2nd ed.,
    Springer 2006, appendix A. https://doi.org/10.1007/978-3-540-33025-7
    """
    values = _check_spectra(spectra)
    check_range("levels", levels, 0, highest_level(values.shape[-1]))
    planes = np.empty((levels + 1, *values.shape))
    for level in range(levels):
        smooth = smooth_by_holes(values, level=level)
        planes[level] = values - smooth
        values = smooth
    planes[levels] = values
    return planes


def merge_wavelet_planes(planes: ArrayLike) -> Array:
    """Add planes and rest up to spectra, the inverse of `split_wavelet_planes`.

    Parameters
    ----------
    planes : array_like, shape (levels + 1, ..., n)

    Returns
    -------
    ndarray, shape (..., n)
    """
    merged: Array = np.asarray(planes, np.float64).sum(axis=0)
    return merged


def extract_wavelet_plane(spectra: ArrayLike, *, level: int) -> Array:
    """Return one plane of `split_wavelet_planes` up to rounding, without those below it.

    A spectrum that goes on as its mirror image is a sum of cosines, and each
    smoothing only multiplies these. All of them are one multiplication here,
    which is several times as fast at the coarse levels.

    Parameters
    ----------
    spectra : array_like, shape (..., n)
    level : int
        0 to `highest_level(n)`.

    Returns
    -------
    ndarray, shape (..., n), float64

    Raises
    ------
    ValueError
        When there is no channel, or the level does not fit.
    """
    values = _check_spectra(spectra)
    check_range("level", level, 0, highest_level(values.shape[-1]))
    plane: Array = idct(dct(values, axis=-1) * _transfer(values.shape[-1], level), axis=-1)
    return plane


@lru_cache(maxsize=64)
def _transfer(channels: int, level: int) -> Array:
    """Return what is left in plane `level` of each cosine."""
    angles = np.pi * np.arange(channels) / channels
    kept = np.ones(channels)
    for finer in range(level + 1):
        smoothing = 3 / 8 + np.cos(2**finer * angles) / 2 + np.cos(2 ** (finer + 1) * angles) / 8
        kept = kept * (smoothing if finer < level else 1 - smoothing)
    return kept


def smooth_by_holes(spectra: ArrayLike, *, level: int) -> Array:
    """Smooth spectra with the B3 spline at channels 2^level apart, shape (..., n)."""
    values = _check_spectra(spectra)
    count = values.shape[-1]
    channels = np.arange(count)
    smooth = np.zeros_like(values)
    for weight, step in zip(_WEIGHTS, (-2, -1, 0, 1, 2), strict=True):
        # Mirrored at both ends, again and again where the holes are wider than the spectrum.
        folded = (channels + step * 2**level) % (2 * count)
        smooth += weight * values[..., np.where(folded < count, folded, 2 * count - 1 - folded)]
    return smooth


def highest_level(channels: int) -> int:
    """Return the coarsest level a spectrum is long enough for: the largest j with 2^j < channels."""
    return max(int(channels - 1).bit_length() - 1, 0)


def _check_spectra(spectra: ArrayLike) -> Array:
    values = np.asarray(spectra, np.float64)
    if values.ndim == 0 or values.size == 0:
        msg = f"'spectra' must hold channels along their last axis; found {describe_shape(values.shape)}."
        raise ValueError(msg)
    return values
