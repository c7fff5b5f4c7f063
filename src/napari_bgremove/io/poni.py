"""Profiles over q, from the geometry of a calibrated detector (a PONI file), by pyFAI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError

__all__ = ["profile_by_poni"]

PathLike = str | os.PathLike[str]


def profile_by_poni(
    image: NDArray[np.floating], poni: PathLike, *, bins: int = 500
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average an image over the scattering vector.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        NaN where not usable.
    poni : path-like
        Geometry file of pyFAI, calibrated for this detector.
    bins : int
        Number of values of q.

    Returns
    -------
    q : ndarray, shape (bins,)
        1/nm.
    mean : ndarray, shape (bins,)
        Mean over the usable pixels, without any correction; NaN where there is none.

    Raises
    ------
    ReadError
        When the file is no geometry, fits no such image, or pyFAI is not installed.
    """
    path = Path(poni)
    try:
        import pyFAI
    except ImportError as error:
        msg = 'A PONI file needs pyFAI; install it with: pip install "napari-bgremove[xray]".'
        raise ReadError(msg) from error
    try:
        geometry = pyFAI.load(str(path))
    except OSError as error:
        msg = f"'{path.name}' cannot be read: {error.strerror or error}."
        raise ReadError(msg) from error
    except Exception as error:  # whatever a text that is no geometry brings about
        msg = f"'{path.name}' must be a PONI file; found something else ({error})."
        raise ReadError(msg) from error
    _check_geometry(path.name, geometry, image.shape)
    result = geometry.integrate1d(
        np.where(np.isfinite(image), image, 0), bins, mask=~np.isfinite(image), unit="q_nm^-1",
        correctSolidAngle=False, method=("no", "histogram", "cython"), dummy=np.nan,
    )  # fmt: skip
    mean = np.where(np.asarray(result.count) > 0, result.intensity, np.nan)
    return np.asarray(result.radial, np.float64), mean


def _check_geometry(name: str, geometry: Any, shape: tuple[int, ...]) -> None:
    detector = geometry.detector
    if not detector.pixel1 or not detector.pixel2 or not geometry.wavelength:
        msg = f"'{name}' must state pixel size and wavelength; found none. Calibrate the detector with pyFAI."
        raise ReadError(msg)
    if detector.shape is not None and tuple(detector.shape) != shape:
        msg = f"'{name}' is the geometry of {describe_shape(detector.shape)} pixels; found {describe_shape(shape)}."
        raise ReadError(msg)
