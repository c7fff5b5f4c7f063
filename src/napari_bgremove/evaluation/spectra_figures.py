"""Figures of cleaned spectra, saved without a window: patches and the whole range, measured and cleaned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Patch", "choose_patches", "draw_patches", "draw_whole_spectra"]

_PATCHES = 3
# Of its block: wide enough for a few lines and the continuum between them.
_PATCH_SHARE = 0.12
_MEASURED, _CLEANED = "tab:blue", "tab:orange"


class Patch(NamedTuple):
    """A stretch of the axis, of the mean spectrum of a target."""

    target: str
    low: float
    high: float


def choose_patches(spectra: SpectraSet, *, targets: Sequence[str] = ()) -> list[Patch]:
    """Choose stretches about the brightest line of each block, of targets spread over the set.

    Parameters
    ----------
    spectra : SpectraSet
    targets : sequence of str, optional
        Of these, one after the other.

    Returns
    -------
    list of Patch
        One per block, at least three where there are as many targets.
    """
    known = spectra.distinct_targets
    count = max(len(spectra.blocks), min(_PATCHES, len(known)))
    spread = targets or [known[i] for i in np.linspace(0, len(known) - 1, count).round().astype(int)]
    patches = []
    for number in range(max(count, len(spread))):
        block = spectra.blocks[number % len(spectra.blocks)]
        axis, mean = _mean_of(spectra, spread[number % len(spread)])
        inside, values = axis[block.start : block.stop], mean[block.start : block.stop]
        half = _PATCH_SHARE * (inside[-1] - inside[0]) / 2
        centre = float(np.clip(inside[np.nanargmax(values)], inside[0] + half, inside[-1] - half))
        patches.append(Patch(spread[number % len(spread)], centre - half, centre + half))
    return patches


def draw_patches(spectra: SpectraSet, cleaned: Mapping[str, SpectraSet], patches: Sequence[Patch]) -> Figure:
    """Draw patches, measured and cleaned: a row per cleaning, a column per patch (Fig. 4).

    Parameters
    ----------
    spectra : SpectraSet
    cleaned : mapping of str to SpectraSet
        The signals, by the name of the cleaning; of the same rows.
    patches : sequence of Patch
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(patches) + 0.4, 2.4 * len(cleaned) + 0.5), layout="constrained")
    plots = figure.subplots(len(cleaned), len(patches), squeeze=False, sharex="col", sharey="col")
    for line, (name, signal) in zip(plots, cleaned.items(), strict=True):
        for plot, patch in zip(line, patches, strict=True):
            _draw(plot, spectra, signal, patch.target, (patch.low, patch.high))
        line[0].set_ylabel(name, fontsize=9)
    for plot, patch in zip(plots[0], patches, strict=True):
        plot.set_title(patch.target, fontsize=10)
    for plot in plots[-1]:
        plot.set_xlabel(spectra.axis_unit, fontsize=9)
    plots[0, 0].legend(("measured", "cleaned"), frameon=False, fontsize=8)
    return figure


def draw_whole_spectra(spectra: SpectraSet, cleaned: Mapping[str, SpectraSet], *, target: str) -> Figure:
    """Draw the mean spectrum of a target over the whole axis, measured and cleaned, a row per cleaning (Fig. 5)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.3 * len(cleaned) + 0.6), layout="constrained")
    plots = figure.subplots(len(cleaned), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for plot, (name, signal) in zip(plots, cleaned.items(), strict=True):
        _draw(plot, spectra, signal, target, (float(spectra.axis.min()), float(spectra.axis.max())))
        plot.set_ylabel(f"{name}\n({spectra.value_unit})", fontsize=9)
    plots[0].set_title(target, fontsize=10)
    plots[0].legend(("measured", "cleaned"), frameon=False, fontsize=8)
    plots[-1].set_xlabel(spectra.axis_unit)
    return figure


def _draw(plot: Axes, spectra: SpectraSet, signal: SpectraSet, target: str, window: tuple[float, float]) -> None:
    for curves, colour in ((spectra, _MEASURED), (signal, _CLEANED)):
        axis, mean = _mean_of(curves, target)
        plot.plot(*_with_gaps(curves, axis, mean), color=colour, linewidth=0.8)
    plot.axhline(0, color="0.6", linewidth=0.5, zorder=0)
    inside = (spectra.axis >= window[0]) & (spectra.axis <= window[1])
    shown = np.concatenate([_mean_of(curves, target)[1][inside] for curves in (spectra, signal)])
    margin = 0.05 * float(np.ptp(shown))
    plot.set(xlim=window, ylim=(float(shown.min()) - margin, float(shown.max()) + margin))
    plot.tick_params(labelsize=8)


def _mean_of(spectra: SpectraSet, target: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.flatnonzero(spectra.targets == target)
    return spectra.axis, np.asarray(spectra.spectra[rows], np.float64).mean(axis=0)


def _with_gaps(
    spectra: SpectraSet, axis: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a curve that is broken between two spectrometers."""
    ends = [block.stop for block in spectra.blocks[:-1]]
    return np.insert(axis, ends, np.nan), np.insert(values, ends, np.nan)
