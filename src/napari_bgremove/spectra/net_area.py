"""The net area of spectra, whichever background was taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid

from napari_bgremove.spectra.axes import check_axis, check_spectra
from napari_bgremove.spectra.ends import End, place_ends

__all__ = ["measure_net_area"]

Array = NDArray[np.float64]


def measure_net_area(axis: ArrayLike, net: ArrayLike, *, ends: tuple[End, End] | None = None) -> Any:
    """Measure the area below net spectra, by the trapezoid rule.

    For Shirley's background it is (I1 - I2) / kappa, the `net_area` of the
    result itself.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Rising or falling; the area does not depend on that.
    net : array_like, shape (..., n)
        Measured minus background; across samples that are NaN the steps are
        wider.
    ends : pair of Anchor or Endpoint, optional
        Measure between their inner edges; otherwise along the whole axis.

    Returns
    -------
    float or ndarray, shape (...)
        In the unit of the spectrum times that of the axis; NaN where fewer
        than two samples are known.

    Raises
    ------
    ValueError
        When axis, spectra or ends do not fit together.
    """
    positions = check_axis(axis)
    values = check_spectra(positions, net)
    if positions[0] > positions[-1]:
        positions, values = positions[::-1], values[..., ::-1]
    if ends is not None:
        low, high = place_ends(positions, ends)
        inside = slice(low.inner, high.inner + 1)
        positions, values = positions[inside], values[..., inside]
    rows = values.reshape(-1, len(positions))
    areas = np.array([_measure_one(positions, row) for row in rows])
    return areas.reshape(values.shape[:-1])[()]


def _measure_one(positions: Array, values: Array) -> float:
    known = np.isfinite(values)
    return float(trapezoid(values[known], positions[known])) if known.sum() > 1 else np.nan
