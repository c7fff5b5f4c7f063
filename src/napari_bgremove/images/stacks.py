"""Many frames of one scene as one image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_same_shape

__all__ = ["mean_image"]


def mean_image(frames: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of the usable values of each pixel.

    Parameters
    ----------
    frames : iterable of ndarray, shape (rows, columns)
        NaN where not usable; read one after another, never all at once.

    Raises
    ------
    ValueError
        When there is no frame, or the shapes differ.
    """
    total: NDArray[np.float64] | None = None
    count: NDArray[np.int64] | None = None
    for frame in frames:
        if total is None or count is None:
            total, count = np.zeros(frame.shape), np.zeros(frame.shape, np.int64)
        check_same_shape("frame", frame, "first frame", total)
        usable = np.isfinite(frame)
        total[usable] += frame[usable]
        count += usable
    if total is None or count is None:
        msg = "'frames' must hold at least one image; found none."
        raise ValueError(msg)
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0, casting="same_kind")
    return mean
