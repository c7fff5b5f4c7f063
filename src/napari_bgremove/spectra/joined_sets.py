"""Sets of spectra put together: what was recorded on one axis in several files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_bgremove._validation import describe_shape
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["join_spectra_sets"]


def join_spectra_sets(sets: Sequence[SpectraSet]) -> SpectraSet:
    """Put the rows of several sets below each other.

    Parameters
    ----------
    sets : sequence of SpectraSet
        With equal axes, blocks and units.

    Returns
    -------
    SpectraSet
        Labels as they were: rows of one target stay repeats of each other
        across the sets. The compositions become one table; the provenance
        holds those of the sets, in order, under 'parts'.

    Raises
    ------
    ValueError
        When there is no set, two differ in axis, blocks or units, or two
        compositions speak of one target or of different constituents.
    """
    if not sets:
        msg = "'sets' must hold at least one set of spectra; found none."
        raise ValueError(msg)
    first = sets[0]
    if len(sets) == 1:
        return first
    for number, other in enumerate(sets[1:], 2):
        _check_same_axis(first, other, number)
    return SpectraSet(
        axis=first.axis,
        spectra=np.concatenate([part.spectra for part in sets]),
        targets=np.concatenate([part.targets for part in sets]),
        locations=np.concatenate([part.locations for part in sets]),
        shots=np.concatenate([part.shots for part in sets]),
        blocks=first.blocks,
        axis_unit=first.axis_unit,
        value_unit=first.value_unit,
        composition=_join_compositions([part.composition for part in sets if part.composition is not None]),
        provenance={"parts": [dict(part.provenance) for part in sets]},
    )


def _check_same_axis(first: SpectraSet, other: SpectraSet, number: int) -> None:
    if not np.array_equal(first.axis, other.axis):
        ours, theirs = (f"{describe_shape(part.axis.shape)} from {part.axis[0]:g}" for part in (first, other))
        msg = (
            f"'axis' of set {number} must be that of the first ({ours}); found {theirs}. Join what one instrument "
            "recorded, or interpolate onto one axis before."
        )
        raise ValueError(msg)
    for name in ("blocks", "axis_unit", "value_unit"):
        if getattr(first, name) != getattr(other, name):
            msg = (
                f"'{name}' of set {number} must be that of the first ({getattr(first, name)}); found "
                f"{getattr(other, name)}."
            )
            raise ValueError(msg)


def _join_compositions(tables: Sequence[Composition]) -> Composition | None:
    if not tables:
        return None
    first = tables[0]
    for other in tables[1:]:
        if (other.names, other.unit) != (first.names, first.unit):
            msg = (
                f"'composition' must have the same constituents in every set; found {', '.join(first.names)} in "
                f"{first.unit} and {', '.join(other.names)} in {other.unit}."
            )
            raise ValueError(msg)
    targets = tuple(target for table in tables for target in table.targets)
    return Composition(targets, first.names, np.concatenate([table.values for table in tables]), first.unit)
