"""Many spectra with gaps of their own: those with the same usable samples are solved together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.curve import put_rows
from napari_bgremove.spectra.ends import PlacedEnd, locate_ends
from napari_bgremove.spectra.sample_noise import sample_variances
from napari_bgremove.spectra.solution import Solution, Solver, solve_rows

__all__ = ["solve_patterns"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Rows are worked on in blocks of about this many samples, which stay in the cache.
_BLOCK = 2**18
_FEWEST = 3


def solve_patterns(
    axis: Array,
    rows: Array,
    ends: tuple[PlacedEnd, PlacedEnd],
    solver: Solver,
    noise: Array | str | None,
    *,
    alone: bool = False,
) -> Solution:
    """Solve spectra on an ascending axis, those with the same usable samples together.

    Parameters
    ----------
    axis : ndarray, shape (n,)
        Ascending.
    rows : ndarray, shape (rows, n)
        NaN where a sample is not usable.
    ends : pair of PlacedEnd
        On the complete axis; placed again where samples are missing.
    solver : callable
    noise : ndarray of variances, shape (rows, n), a rule of `sample_noise`, or None
    alone : bool
        The only row is no map, but a single spectrum.

    Returns
    -------
    Solution
        Rows with too few usable samples at an end have the status "no_data".

    Raises
    ------
    ComputeError
        When a spectrum alone has too few.
    """
    if rows.size and rows.size <= _BLOCK and np.isfinite(rows).all():
        variances = None if noise is None else sample_variances(noise, rows, ends)
        return solve_rows(axis, rows, ends, solver, variances)
    whole = Solution.blank(*rows.shape, uncertain=noise is not None)
    for members, usable in _group(rows):
        kept = slice(None) if usable.all() else np.flatnonzero(usable)
        try:
            placed = ends if usable.all() else _place_again(axis[kept], ends)
        except ValueError as error:
            if alone:
                msg = f"'measured' has too few usable samples: {error}"
                raise ComputeError(msg) from error
            continue  # these rows keep the status "no_data"
        for block in _blocks(members, rows.shape[1]):
            values = rows[block][:, kept]
            given = noise if noise is None or isinstance(noise, str) else noise[block][:, kept]
            variances = None if given is None else sample_variances(given, values, placed)
            put_rows(whole, block, _spread(solve_rows(axis[kept], values, placed, solver, variances), usable))
    return whole


def _place_again(axis: Array, ends: tuple[PlacedEnd, PlacedEnd]) -> tuple[PlacedEnd, PlacedEnd]:
    """Place the ends on the samples that are left."""
    if len(axis) < _FEWEST:
        msg = f"a background needs {_FEWEST}; found {len(axis)}. Check the mask."
        raise ValueError(msg)
    return locate_ends(axis, (ends[0].end, ends[1].end))


def _group(rows: Array) -> Iterator[tuple[Index, NDArray[np.bool_]]]:
    """Yield the rows that share a pattern of usable samples, and the pattern."""
    usable = np.isfinite(rows)
    if usable.all():
        if len(rows):
            yield np.arange(len(rows)), usable[0]
        return
    _, sample, member = np.unique(np.packbits(usable, axis=1), axis=0, return_index=True, return_inverse=True)
    for number, at in enumerate(sample):
        yield np.flatnonzero(member.reshape(-1) == number), usable[at]


def _blocks(members: Index, samples: int) -> list[Index] | list[slice]:
    """Cut rows into blocks: slices, which cost no copy, where they are neighbours."""
    blocks = np.array_split(members, min(len(members), -(-members.size * samples // _BLOCK)))
    if members[-1] - members[0] + 1 > len(members):
        return blocks
    return [slice(int(block[0]), int(block[-1]) + 1) for block in blocks]


def _spread(part: Solution, usable: NDArray[np.bool_]) -> Solution:
    """Put curves on the usable samples back to their places on the whole axis."""
    if usable.all():
        return part
    for name in ("background", "sigma_background"):
        known = getattr(part, name)
        if known.shape[1]:
            curve = np.full((len(known), len(usable)), np.nan)
            curve[:, usable] = known
            setattr(part, name, curve)
    return part
