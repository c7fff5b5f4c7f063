"""Sums and means over a drawn region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_same_shape

__all__ = ["measure_region"]


def measure_region(image: NDArray[np.floating], region: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """Measure the usable pixels of an image, or of a region of it.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        NaN where not usable.
    region : ndarray of bool, shape (rows, columns), optional

    Returns
    -------
    dict of str to float
        pixels (how many were usable), sum, mean, std and max; NaN, except for
        pixels and sum, where there is none.
    """
    usable = np.isfinite(image)
    if region is not None:
        check_same_shape("region", region, "image", image)
        usable &= region
    values = np.asarray(image[usable], np.float64)
    if values.size == 0:
        return {"pixels": 0.0, "sum": 0.0, "mean": float("nan"), "std": float("nan"), "max": float("nan")}
    return {
        "pixels": float(values.size),
        "sum": float(values.sum()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "max": float(values.max()),
    }
