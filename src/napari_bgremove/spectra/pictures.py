"""A set of spectra as a picture, a spectrum in each row: where its pixels lie, and how bright it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["brightness_of_picture", "place_of_picture"]

# An axis is even when no channel lies farther from its place than this share of a step.
_EVEN = 0.01
# Height over width that a set of few spectra is stretched to.
_HEIGHT = 0.4
# Lines are bright and narrow: in the full range nothing else would be seen.
_PERCENTILES = (0.5, 99.0)
_MOST_SAMPLES = 200_000


def place_of_picture(axis: ArrayLike, n_spectra: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return scale and offset (rows, columns) of the pixels of a picture of spectra.

    The columns are those of the axis where it is even, else channel numbers
    from 0: a picture has one step for all of them. A row is a whole number of
    such steps high, so that a few spectra of thousands of channels are no
    thin line.

    Parameters
    ----------
    axis : array_like, shape (n_channels,)
    n_spectra : int
        Rows of the picture.
    """
    positions = np.asarray(axis, np.float64)
    count = positions.size
    step, start = 1.0, 0.0
    if count > 1 and positions[-1] > positions[0]:
        even = np.linspace(positions[0], positions[-1], count)
        width = float(even[1] - even[0])
        if np.abs(positions - even).max() <= _EVEN * width:
            step, start = width, float(positions[0])
    height = max(1, round(_HEIGHT * count / n_spectra))
    return (step * height, step), (0.0, start)


def brightness_of_picture(spectra: NDArray[np.floating]) -> tuple[float, float]:
    """Return the values that are drawn black and white: 0.5 and 99 % of all, of an even draw of the samples.

    Black is never above zero: a signal is drawn by the limits of what was
    measured, and has lost its pedestal.
    """
    values = spectra.ravel()[:: max(1, spectra.size // _MOST_SAMPLES)]
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, _PERCENTILES) if known.size else (0.0, 1.0)
    black = min(float(low), 0.0)
    return black, float(high) if high > black else black + 1.0
