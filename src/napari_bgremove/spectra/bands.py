"""Bands of an axis that are left out of every analysis, such as the edges of spectrometers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CHEMCAM_IGNORED_BANDS", "channels_outside"]

#: Wavelengths (nm) that Castorena & Oyen leave out, section 3: the edges of ChemCam's three spectrometers.
CHEMCAM_IGNORED_BANDS: tuple[tuple[float, float], ...] = (
    (240.811, 246.635),
    (338.457, 340.797),
    (382.13, 387.859),
    (473.184, 492.427),
    (849.0, 905.574),
)


def channels_outside(axis: ArrayLike, bands: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Tell which channels lie in none of the bands.

    Both ends of a band belong to it: so the paper's five bands leave exactly
    N = 5485 of ChemCam's 6144 channels (1884 UV, 1928 VIO, 1673 VNIR), the
    width of its linear head.

    Parameters
    ----------
    axis : array_like, shape (n_channels,)
        In any order.
    bands : sequence of (low, high)
        Closed intervals in the unit of the axis; they may overlap.

    Returns
    -------
    ndarray of bool, shape (n_channels,)
        True where a channel is to be kept.

    Raises
    ------
    ValueError
        When a band is not two finite numbers, the lower first.

    References
    ----------
    J. Castorena and D. Oyen, SpectroscopyNet, arXiv:2110.13748 (2021), section 3.
    """
    positions = np.asarray(axis, float)
    outside = np.ones(positions.shape, bool)
    for low, high in bands:
        if not (np.isfinite((low, high)).all() and low <= high):
            msg = f"'bands' must be finite intervals (low, high); found ({low:g}, {high:g}). Give the lower end first."
            raise ValueError(msg)
        outside &= ~((positions >= low) & (positions <= high))
    return outside
