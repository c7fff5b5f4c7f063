"""Spectra between two anchors: their backgrounds, method by method; no widget, no layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import EXPECTED
from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.line_profiles import LineProfile
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.backgrounds import separate_background
from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.widgets.profile_denoise_work import NOT_DENOISED, NOT_THERE, Denoised
from napari_bgremove.widgets.profile_work import Source

__all__ = ["Fit", "Windows", "ends_of", "fit_spectrum", "place_windows", "propose_windows", "take_backgrounds"]

Array = NDArray[np.float64]
Interval = tuple[float, float]
Windows = tuple[Interval, Interval]
# Of the spectrum, at each end; what a person then drags.
_PROPOSED_SHARE = 0.06
_LEAST_SAMPLES = 5


@dataclass(frozen=True)
class Fit:
    """A spectrum with its backgrounds.

    Attributes
    ----------
    source : Source
        Its name, colour, axis and profile are those of the fit, too.
    values : ndarray, shape (n,)
        The axis at each sample.
    windows : two (low, high)
        The anchors.
    parts : mapping of str to Separation
        By method.
    refusals : mapping of str to str
        Why a method has no background here, in a sentence.
    denoised : Denoised
        The same spectrum without its noise.
    """

    source: Source
    values: Array
    windows: Windows
    parts: Mapping[str, Separation] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    denoised: Denoised = NOT_DENOISED

    @property
    def is_of_denoised(self) -> bool:
        """Whether the backgrounds are those of the denoised spectrum."""
        return self.denoised.is_fitted

    @property
    def is_awaited(self) -> bool:
        """Whether there are no backgrounds for as long as the engine denoises."""
        return self.is_of_denoised and self.denoised.is_awaited

    @property
    def name(self) -> str:
        """As table and legend show it."""
        return self.source.name

    @property
    def colour(self) -> str:
        """On the image and in the plot."""
        return self.source.colour

    @property
    def axis(self) -> LinearAxis:
        """What the positions of the profile stand for."""
        return self.source.axis

    @property
    def profile(self) -> LineProfile:
        """What was read."""
        return self.source.profile


def propose_windows(values: Array) -> Windows:
    """Propose an anchor window at each end of an axis."""
    ascending = np.sort(values)
    count = min(max(_LEAST_SAMPLES, round(_PROPOSED_SHARE * len(values))), max(1, (len(values) - 1) // 2))
    return (float(ascending[0]), float(ascending[count - 1])), (float(ascending[-count]), float(ascending[-1]))


def place_windows(windows: Windows, values: Array) -> Windows:
    """Move windows onto an axis that has become another, as wide as they were where there is room."""
    low, high = float(np.min(values)), float(np.max(values))

    def moved(window: Interval) -> Interval:
        width = min(window[1] - window[0], (high - low) / 2)
        start = min(max(window[0], low), high - width)
        return start, start + width

    first, last = sorted((moved(windows[0]), moved(windows[1])))
    return (first, last) if first[1] < last[0] else propose_windows(values)


def ends_of(windows: Windows) -> tuple[Anchor, Anchor]:
    """Return the anchors of two windows."""
    return Anchor(Window(*windows[0])), Anchor(Window(*windows[1]))


def take_backgrounds(
    axis: Array, measured: NDArray[Any], windows: Windows, methods: Sequence[str], *, sigma: Any = None
) -> tuple[dict[str, Separation], dict[str, str]]:
    """Separate spectra by several methods; return the parts, and of the others why there are none."""
    ends = ends_of(windows)
    parts: dict[str, Separation] = {}
    refusals: dict[str, str] = {}
    for method in methods:
        options = {"sigma": sigma} if method in ("direct", "iterate") else {}
        try:
            parts[method] = separate_background(axis, measured, method=method, ends=ends, **options)
        except EXPECTED as error:
            refusals[method] = str(error)
    return parts, refusals


def fit_spectrum(
    source: Source,
    windows: Windows,
    methods: Sequence[str],
    *,
    noise: str = "none",
    denoised: Denoised = NOT_DENOISED,
) -> Fit:
    """Take the backgrounds of a spectrum.

    Parameters
    ----------
    source : Source
    windows : two (low, high)
        The anchors.
    methods : sequence of str
        Of `METHODS`.
    noise : {"none", "band", "poisson", "scatter"}
        Where the standard errors come from: nowhere, the scatter across the
        band (of a file: its own), counting, or the scatter in the anchor windows.
    denoised : Denoised
        The same spectrum without its noise; where that is fitted and is not
        there, there are no backgrounds.
    """
    sigma: Any = {"none": None, "band": source.profile.sigma}.get(noise, noise)
    values = source.values
    measured = denoised.signal if denoised.is_fitted else source.profile.values
    if measured is None:
        return Fit(source, values, windows, {}, dict.fromkeys(methods, NOT_THERE), denoised)
    parts, refusals = take_backgrounds(values, measured, windows, methods, sigma=sigma)
    return Fit(source, values, windows, parts, refusals, denoised)
