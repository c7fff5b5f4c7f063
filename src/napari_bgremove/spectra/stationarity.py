"""Is the background of a set of spectra the same for every target? What a cleaner without clean data rests on.

Castorena & Oyen take measured = signal + background apart by what spectra of
*different* targets have in common. That is the background only as far as it
does not depend on the target; this module asks the data before anything is
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.spectra.stationarity_sentences import describe_stationarity
from napari_bgremove.spectra.variance_components import VarianceComponents, estimate_variance_components

__all__ = ["STATIONARITY_STATUSES", "BlockStationarity", "Stationarity", "measure_stationarity"]

Array = NDArray[np.float64]

#: From the best to the worst for a set that can be judged, then those that cannot.
STATIONARITY_STATUSES = ("stationary", "doubtful", "not_stationary", "too_few_targets", "no_repeats")

# A triplet takes one spectrum from each of three targets.
_FEWEST_TARGETS = 3
# Chance that a background without any dependence is blamed for one.
_SIGNIFICANT = 0.01
# Share of the variance between targets that lies in the floor. What a cleaner
# takes for the background then misses by the root of it: 10 % of the amplitude
# by which targets differ, and 32 %. On generated spectra (tests, and the
# generator of ChemCam shots with 60 to 120 rocks) the share is no chance and
# above 0.01 only where the background does follow the target; above 0.1 from
# levels on that scatter by 20 %, while 10 % leave a doubt.
_DOUBTFUL_SHARE, _EXCESSIVE_SHARE = 0.01, 0.1
# Shot-to-shot spread of the total: 2-7 % on ChemCam and its testbed when they
# work, 56 % on the testbed's unstable UV.
_UNSTEADY = 0.25


@dataclass(frozen=True)
class BlockStationarity:
    """What one spectrometer shows.

    Attributes
    ----------
    name, status : str
    ratio : float
        F of the floor, the median over the windows of the block: 1 where it
        does not depend on the target; NaN without repeats.
    p_value : float
        Probability of such a ratio by chance; NaN without repeats.
    share : float
        Variance of the floor between targets over that of the whole spectra,
        0 to about 1; without repeats the variance within targets is in both.
    share_bound : float
        What the share stays below, with 95 % confidence; NaN without repeats.
    unsteadiness : float
        Relative standard deviation of the total over the repeats of a target,
        the median over the targets; NaN without repeats.
    drift : float
        Relative standard deviation of the total between targets.
    """

    name: str
    status: str
    ratio: float
    p_value: float
    share: float
    share_bound: float
    unsteadiness: float
    drift: float


@dataclass(frozen=True)
class Stationarity:
    """Whether the background of a set depends on the target.

    Attributes
    ----------
    status : {"stationary", "doubtful", "not_stationary", "too_few_targets", "no_repeats"}
    message : str
        What was found and what to do, in a sentence or two.
    blocks : tuple of BlockStationarity
    between, within : ndarray, shape (n_channels,)
        Variance of the measured spectra between targets and within them, in
        the squared unit of the spectra; within is NaN without repeats.
    """

    status: str
    message: str
    blocks: tuple[BlockStationarity, ...]
    between: Array
    within: Array


@dataclass(frozen=True)
class _Repeats:
    """Rows that repeat each other, and what is compared of them."""

    groups: NDArray[np.str_]
    values: Array
    floors: tuple[Array, ...]  # per block (rows, windows)
    totals: Array  # (rows, blocks)


def measure_stationarity(spectra_set: SpectraSet, *, window: int = 128, quantile: float = 0.1) -> Stationarity:
    """Measure whether the background of a set of spectra depends on the target.

    The background is seen where no line is: the floor, the `quantile` of each
    `window` of channels. For each block, with the variance components between
    and within targets (one-way analysis of variance), it looks at the median
    over the windows of

        ratio = MS_between(floor) / MS_within(floor)
        share = var_between(floor) / mean over channels of var_between(spectra)

    A block is *not stationary* when the ratio is no chance (F test, 1 %) and
    the share above 0.1; *doubtful* when the ratio is no chance and the share
    above 0.01, when there are too few repeats to exclude a share of 0.1 (95 %
    confidence), or when the total varies by more than 25 % from repeat to
    repeat; else *stationary*.
    The set is what its worst block is. The repeats are the shots; where most
    targets have several locations they are the means over each location,
    because the shots of one location share its offset.

    Parameters
    ----------
    spectra_set : SpectraSet
        As measured: a normalised spectrum has no stationary background.
    window : int
        Channels of a window: wide enough that between the lines of a crowded
        ultraviolet some of them see the background alone.
    quantile : float
        Between 0 and 1; low, so that lines do not count.

    Returns
    -------
    Stationarity
        The same for the rows in any order; ratio, p-value, share and status
        are those of the spectra in any unit.

    Raises
    ------
    ValueError
        When `window` or `quantile` is out of range.
    ComputeError
        When a spectrum holds NaN or Inf.

    References
    ----------
    J. Castorena and D. Oyen, SpectroscopyNet, arXiv:2110.13748 (2021), section 2.1.
    """
    check_positive("window", window, unit="channels")
    check_range("quantile", quantile, 0, 1)
    repeats = _collect_repeats(spectra_set, int(window), quantile)
    counts = np.unique(repeats.groups, return_counts=True)[1]
    status = "no_repeats" if counts.max() < 2 else ""
    if counts.size < _FEWEST_TARGETS:
        status = "too_few_targets"
    blocks = tuple(_judge(block, place, repeats, status) for place, block in enumerate(spectra_set.blocks))
    between, within = _components(repeats.values, repeats.groups)[:2]
    worst = max((block.status for block in blocks), key=STATIONARITY_STATUSES.index)
    message = describe_stationarity(worst, blocks, n_targets=counts.size, unsteady=_UNSTEADY)
    return Stationarity(worst, message, blocks, between, within)


def _collect_repeats(spectra_set: SpectraSet, window: int, quantile: float) -> _Repeats:
    averaged = _average_locations(spectra_set)
    values = np.asarray(averaged.spectra, float)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        msg = (
            f"'{averaged.targets[row]}' must hold finite values; found NaN or Inf in spectrum {row}. Leave out that "
            "spectrum or these channels."
        )
        raise ComputeError(msg)
    parts = [values[:, block.channels] for block in averaged.blocks]
    floors = tuple(_measure_floor(part, window, quantile) for part in parts)
    return _Repeats(averaged.targets, values, floors, np.stack([part.sum(axis=1) for part in parts], axis=1))


def _average_locations(spectra_set: SpectraSet) -> SpectraSet:
    places = set(zip(spectra_set.targets.tolist(), spectra_set.locations.tolist(), strict=True))
    counts = np.unique([target for target, _ in places], return_counts=True)[1]
    return spectra_set.mean_over_shots() if np.median(counts) >= 2 else spectra_set


def _measure_floor(part: Array, window: int, quantile: float) -> Array:
    windows = np.array_split(part, max(1, part.shape[1] // window), axis=1)
    return np.stack([np.quantile(cell, quantile, axis=1) for cell in windows], axis=1)


def _components(values: Array, groups: NDArray[np.str_]) -> tuple[Array, Array, VarianceComponents | None]:
    """Return the variance between and within; without repeats all of it is between."""
    counts = np.unique(groups, return_counts=True)[1]
    if counts.size < 2:  # one target: all there is lies within it
        spread = values.var(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1:], np.nan)
        return np.full(values.shape[1:], np.nan), spread, None
    if counts.max() < 2:
        return values.var(axis=0, ddof=1), np.full(values.shape[1:], np.nan), None
    found = estimate_variance_components(values, groups)
    return found.between, found.within, found


def _judge(block: Block, place: int, repeats: _Repeats, status: str) -> BlockStationarity:
    floor_between, _, components = _components(repeats.floors[place], repeats.groups)
    between = _components(repeats.values[:, block.channels], repeats.groups)[0].mean()
    share = _share(floor_between, between)
    ratio = p_value = bound = float("nan")
    if components is not None:
        ratio, bound = float(np.median(components.ratio)), _share(components.bound_between(), between)
        p_value = components.p_value(ratio)
    unsteadiness, drift = _measure_spread(repeats.totals[:, place], repeats.groups)
    known = status or _rate(p_value, share, bound, unsteadiness)
    return BlockStationarity(block.name, known, ratio, p_value, share, bound, unsteadiness, drift)


def _share(floor: Array, between: float) -> float:
    return float(np.median(floor) / between) if between else 0.0  # NaN, where unknown, stays


def _rate(p_value: float, share: float, bound: float, unsteadiness: float) -> str:
    if p_value < _SIGNIFICANT and share > _EXCESSIVE_SHARE:
        return "not_stationary"
    small = p_value < _SIGNIFICANT and share > _DOUBTFUL_SHARE
    return "doubtful" if small or bound > _EXCESSIVE_SHARE or unsteadiness > _UNSTEADY else "stationary"


def _measure_spread(totals: Array, groups: NDArray[np.str_]) -> tuple[float, float]:
    """Return the relative spread of a total over the repeats of a target, and between targets."""
    parts: Sequence[Array] = [totals[groups == group] for group in np.unique(groups)]
    means = np.array([part.mean() for part in parts])
    repeated = [part.std(ddof=1) / abs(part.mean()) for part in parts if part.size > 1 and part.mean()]
    within = float(np.median(repeated)) if repeated else float("nan")
    level = abs(means.mean())
    return within, float(means.std(ddof=1) / level) if means.size > 1 and level else float("nan")
