"""Take spectra apart one by one: unusable samples, order of the axis, ends and stacks, the same for every method."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.axes import check_axis, check_spectra
from napari_bgremove.spectra.ends import End, measure_level, place_ends

__all__ = ["Estimate", "Tie", "separate_one_by_one"]

Array = NDArray[np.float64]
Outcome = tuple[Array, dict[str, Any]] | Exception


class Tie(NamedTuple):
    """Where a background is tied to a spectrum: the samples at the inner edges of both ends, and the levels there."""

    first: int
    last: int
    levels: tuple[float, float]


#: (axis, values, tie, parameters) to the background and what is worth recording; for one
#: spectrum on a rising axis that begins and ends with the ends, NaN where a sample is not usable.
Estimate = Callable[..., tuple[Array, dict[str, Any]]]


def separate_one_by_one(
    estimate: Estimate,
    axis: ArrayLike,
    measured: ArrayLike,
    *,
    ends: tuple[End, End] | None,
    valid_mask: ArrayLike | None,
    **parameters: Any,
) -> Separation:
    """Apply `estimate` to each spectrum, between the outer edges of the ends.

    Parameters, result and errors are those of `separate_background`.
    """
    positions = check_axis(axis)
    values = check_spectra(positions, measured, valid_mask=valid_mask)
    order = slice(None) if positions[0] < positions[-1] else slice(None, None, -1)
    if ends is not None:
        place_ends(positions[order], ends)  # what is wrong here is wrong for every spectrum
    rows = values.reshape(-1, len(positions))
    given = partial(estimate, **parameters)
    outcomes = [_separate_one(positions[order], row[order], ends, given) for row in rows]
    reasons = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if reasons and len(reasons) == len(outcomes):
        raise reasons[0]
    curves = np.full(rows.shape, np.nan)
    for curve, outcome in zip(curves, outcomes, strict=True):
        if not isinstance(outcome, Exception):
            curve[order] = outcome[0]
    background = np.where(np.isfinite(rows), curves, np.nan).reshape(values.shape)
    provenance = {
        "parameters": parameters,
        "ends": [str(end) for end in ends or ()],
        "found": [{} if isinstance(outcome, Exception) else outcome[1] for outcome in outcomes],
    }
    if reasons:
        provenance["without_result"] = {"count": len(reasons), "reason": str(reasons[0])}
    return Separation(values - background, background, values, provenance=provenance)


def _separate_one(axis: Array, values: Array, ends: tuple[End, End] | None, estimate: Estimate) -> Outcome:
    """Return background and record of one spectrum, or why it has none."""
    usable = np.flatnonzero(np.isfinite(values))
    try:
        if usable.size < 2:
            msg = (
                f"'measured' must have at least 2 usable samples; found {usable.size} of {values.size}. Check the mask."
            )
            raise ComputeError(msg)
        inside, tie = (slice(usable[0], usable[-1] + 1), None) if ends is None else _tie(axis, values, usable, ends)
        found, record = estimate(axis[inside], values[inside], tie)
    except (ComputeError, ValueError) as error:
        return error
    background = np.full(values.shape, np.nan)
    background[inside] = found
    return background, record


def _tie(axis: Array, values: Array, usable: NDArray[np.intp], ends: tuple[End, End]) -> tuple[slice, Tie]:
    """Return the samples between the outer edges of both ends, and the tie counted from the first of them."""
    low, high = place_ends(axis[usable], ends)
    level_low, level_high = (float(measure_level(end, values[np.newaxis, usable])[0]) for end in (low, high))
    outer = int(usable[low.start])
    tie = Tie(int(usable[low.inner]) - outer, int(usable[high.inner]) - outer, (level_low, level_high))
    return slice(outer, int(usable[high.stop - 1]) + 1), tie
