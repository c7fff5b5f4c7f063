"""The cleaning of the ChemCam team, step by step: dark, wavelet denoising, continuum, response.

The order is that of Wiens et al. (2013), the numbers are those that the
mission wrote into the headers of its cleaned spectra, and the two wavelet
steps follow the mission's routines as far as their published translations
show them. The step between continuum and response, the match of wavelengths
against a reference, moves no background and is left to the readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter, minimum_filter1d

from napari_bgremove._validation import check_positive, check_range, describe_shape
from napari_bgremove.spectra.axes import check_axis
from napari_bgremove.spectra.wavelet_planes import (
    extract_wavelet_plane,
    highest_level,
    merge_wavelet_planes,
    split_wavelet_planes,
)

__all__ = [
    "CONTINUUM_LEVELS",
    "DENOISE_CLIPS",
    "DENOISE_SIGMAS",
    "convert_to_radiance",
    "denoise_spectra",
    "estimate_continuum",
    "estimate_noise",
    "read_parameters",
    "subtract_dark",
]

Array = NDArray[np.float64]

#: DNOISEITER and DNOISESIG of the headers.
DENOISE_CLIPS = 10
DENOISE_SIGMAS = 3.0

#: CONTINUUMUVMIN, CONTINUUMVISMIN, CONTINUUMVNIRMIN of the headers, by the name of the block. What
#: CONTINUUMVNIREND = 3 asks for is not published with them, and it is not applied.
CONTINUUM_LEVELS: Mapping[str, int] = MappingProxyType({"UV": 6, "VIO": 6, "VNIR": 5})

# Noise is taken as the spread about a running median of three channels; the mission divides it by
# this constant, whatever plane it is taken of.
_MEDIAN_CHANNELS = 3
_MEDIAN_SHARE = 0.893421
_CLIP_SIGMAS = 3.0

# A continuum of one level is complete when the last round took away less than this share of the spread.
_COMPLETE = 0.01
_MOST_ROUNDS = 50


def read_parameters(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of `clean_spectra(method="chemcam")` that the header of a cleaned spectrum names.

    Parameters
    ----------
    header : mapping
        Names in small letters to numbers, as the reader of CCS files keeps
        them in `provenance["parameters"]`: dnoiseiter, dnoisesig,
        continuumuvmin, continuumvismin, continuumvnirmin. What is not named
        keeps its default.
    """
    levels = {"UV": "continuumuvmin", "VIO": "continuumvismin", "VNIR": "continuumvnirmin"}
    return {
        "clips": int(header.get("dnoiseiter", DENOISE_CLIPS)),
        "sigmas": float(header.get("dnoisesig", DENOISE_SIGMAS)),
        "lowest_levels": {name: int(header.get(key, CONTINUUM_LEVELS[name])) for name, key in levels.items()},
    }


def subtract_dark(spectra: ArrayLike, dark: ArrayLike) -> Array:
    """Subtract what the detector records without light.

    Parameters
    ----------
    spectra : array_like, shape (..., n)
    dark : array_like, shape (n,) or that of `spectra`
        In the same unit, with the same exposure.

    Returns
    -------
    ndarray, shape (..., n), float64

    Raises
    ------
    ValueError
        When the dark has another number of channels, or is not finite.
    """
    values = np.asarray(spectra, np.float64)
    return values - _check_along("dark", dark, values)


def estimate_noise(values: ArrayLike, *, clips: int = DENOISE_CLIPS) -> Array:
    """Estimate the standard deviation of noise from channel to channel.

    It is the spread of the values about their running median over three
    channels, over 0.893421; what lies more than three times the spread from
    its mean is left out, again and again.

    Parameters
    ----------
    values : array_like, shape (..., n)
    clips : int
        How often the spread is taken; DNOISEITER of the headers.

    Returns
    -------
    ndarray, shape (...)
    """
    check_positive("clips", clips)
    array = np.asarray(values, np.float64)
    size = (1,) * (array.ndim - 1) + (_MEDIAN_CHANNELS,)
    away = array - median_filter(array, size=size, mode="nearest")
    kept = np.ones(away.shape, bool)
    spread = np.zeros((*away.shape[:-1], 1))
    for _ in range(int(clips)):
        mean = away.mean(axis=-1, where=kept, keepdims=True)
        spread = away.std(axis=-1, where=kept, keepdims=True)
        # Of a spread of zero all is kept: three times nothing would leave nothing.
        kept = (np.abs(away - mean) < _CLIP_SIGMAS * spread) | (spread == 0)
    return np.asarray(spread[..., 0] / _MEDIAN_SHARE)


def denoise_spectra(spectra: ArrayLike, *, clips: int = DENOISE_CLIPS, sigmas: float = DENOISE_SIGMAS) -> Array:
    """Set to zero what does not stand out of the noise of its own wavelet plane.

    In every plane but the two coarsest of a spectrum, values below `sigmas`
    times the noise of that plane (`estimate_noise`) become zero, and the
    planes are added up again. Lines keep their height; noise on top of a line
    stays, because there the plane stands out.

    Parameters
    ----------
    spectra : array_like, shape (..., n)
        Finite, of one spectrometer; not modified.
    clips : int
        As in `estimate_noise`; DNOISEITER.
    sigmas : float
        DNOISESIG.

    Returns
    -------
    ndarray, shape (..., n), float64

    References
    ----------
    R. C. Wiens et al., Spectrochim. Acta B 82 (2013) 1-27.
    https://doi.org/10.1016/j.sab.2013.02.003
    """
    check_positive("sigmas", sigmas)
    values = np.asarray(spectra, np.float64)
    levels = max(values.shape[-1].bit_length() - 2, 0)
    planes = split_wavelet_planes(values, levels=levels)
    for plane in planes[: max(levels - 2, 0)]:
        noise = estimate_noise(plane, clips=clips)[..., None]
        plane[np.abs(plane) < sigmas * noise] = 0
    return merge_wavelet_planes(planes)


def estimate_continuum(axis: ArrayLike, spectra: ArrayLike, *, lowest_level: int) -> Array:
    """Estimate the continuum below the lines of one spectrometer.

    From the coarsest wavelet level down to the lowest: a natural cubic spline
    goes through one knot per local minimum of the wavelet plane, at the
    lowest value of the spectrum within 2^level channels of it; the spline is
    taken away, and the same is done to the rest until a round changes it by
    less than 1 % of its spread. The continuum is the sum of the splines.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Wavelengths, ascending.
    spectra : array_like, shape (..., n)
        Finite; not modified. Best denoised: minima follow the noise.
    lowest_level : int
        The smaller, the narrower the structures that count as continuum;
        2^lowest_level channels has to be more than the width of a line.

    Returns
    -------
    ndarray, shape (..., n), float64

    Raises
    ------
    ValueError
        When the axis does not ascend, the shapes differ, or there are too few
        channels for the level.

    References
    ----------
    R. C. Wiens et al., Spectrochim. Acta B 82 (2013) 1-27.
    https://doi.org/10.1016/j.sab.2013.02.003
    """
    positions, values = check_axis(axis), np.asarray(spectra, np.float64)
    if values.shape[-1:] != positions.shape:
        msg = f"'spectra' must end in the {len(positions)} channels of 'axis'; found {describe_shape(values.shape)}."
        raise ValueError(msg)
    coarsest = highest_level(len(positions))
    check_range("lowest_level", lowest_level, 0, coarsest)
    rows = values.reshape(-1, len(positions))
    found = [_estimate_one(positions, row, range(coarsest, lowest_level - 1, -1)) for row in rows]
    return np.reshape(found, values.shape)


def convert_to_radiance(spectra: ArrayLike, response: ArrayLike) -> Array:
    """Multiply by what one count stands for at each channel, such as photons per count; shape (..., n)."""
    values = np.asarray(spectra, np.float64)
    return values * _check_along("response", response, values)


def _estimate_one(axis: Array, spectrum: Array, levels: Sequence[int]) -> Array:
    left = spectrum.copy()
    for level in levels:
        spread = left.std()
        for _ in range(_MOST_ROUNDS):
            curve = _draw_below(axis, left, level)
            left -= curve
            if curve.std() <= _COMPLETE * spread:
                break
    return spectrum - left


def _draw_below(axis: Array, spectrum: Array, level: int) -> Array:
    """Return the spline below a spectrum through the minima of one wavelet plane."""
    plane = extract_wavelet_plane(spectrum, level=level)
    inside = (plane[1:-1] < plane[:-2]) & (plane[1:-1] < plane[2:])
    knots = np.concatenate([[0], np.flatnonzero(inside) + 1, [len(axis) - 1]])
    lowest = minimum_filter1d(spectrum, 2 * 2**level + 1, mode="nearest")[knots]
    return np.asarray(CubicSpline(axis[knots], lowest, bc_type="natural")(axis))


def _check_along(name: str, array: ArrayLike, spectra: Array) -> Array:
    """Return what belongs to the channels of `spectra`, or say why it does not."""
    values = np.asarray(array, np.float64)
    if values.shape not in (spectra.shape, spectra.shape[-1:]):
        msg = (
            f"'{name}' must have one value for each of the {spectra.shape[-1]} channels, or for each value of the "
            f"spectra ({describe_shape(spectra.shape)}); found {describe_shape(values.shape)}."
        )
        raise ValueError(msg)
    if not np.isfinite(values).all():
        msg = f"'{name}' must be finite; found {np.count_nonzero(~np.isfinite(values))} values that are NaN or Inf."
        raise ValueError(msg)
    return values
