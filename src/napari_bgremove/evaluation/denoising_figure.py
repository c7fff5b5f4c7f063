"""The picture of signals before and after they were denoised, for saved pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.background_figure import SeparatedSpectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_denoised"]


def draw_denoised(
    signals: Sequence[SeparatedSpectrum], *, truths: Sequence[NDArray[np.floating[Any]] | None] | None = None
) -> Figure:
    """Draw signals one below the other: before and after at the left, what was taken away at the right.

    At the right a band shows the root mean square of what was taken away: in
    white noise two thirds of the samples lie within. Structure there is signal
    that was lost.

    Parameters
    ----------
    signals : sequence of SeparatedSpectrum
        Their signal is the denoised one, their background the noise.
    truths : sequence of ndarray or None, optional
        Clean signals, where they are known, shape (n,) each.

    Raises
    ------
    ValueError
        When there are not as many truths as signals.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2 * len(signals)), layout="constrained")
    plots = figure.subplots(len(signals), 2, squeeze=False, sharex="row")
    for (left, right), one, truth in zip(plots, signals, truths or [None] * len(signals), strict=True):
        parts = one.separation
        left.plot(one.axis, parts.measured, color="0.6", linewidth=0.8, label="measured")
        if truth is not None:
            left.plot(one.axis, truth, color="C2", linewidth=1.2, linestyle="--", label="reference")
        left.plot(one.axis, parts.signal, color="C0", linewidth=1.3, label="denoised")
        left.set(title=one.title, ylabel=one.value_label)
        left.legend(frameon=False, fontsize=8)
        spread = float(np.sqrt(np.nanmean(np.square(parts.background))))
        right.axhspan(-spread, spread, color="C3", alpha=0.15, linewidth=0, label="± root mean square")
        right.plot(one.axis, parts.background, color="C3", linewidth=0.8, label="taken away")
        right.legend(frameon=False, fontsize=8)
        for plot in (left, right):
            plot.set_xlabel(one.axis_label)
        if one.falls:
            left.invert_xaxis()  # the right one shares it
    return figure
