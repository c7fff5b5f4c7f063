"""A set of spectra in words, and its labels as plain values that travel beside its table of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

__all__ = ["describe_set", "labels_of_set", "set_of_labels"]


def describe_set(spectra: SpectraSet) -> str:
    """Return what a set holds, in a line or two."""
    blocks = ", ".join(f"{block.name} {len(block)}" for block in spectra.blocks)
    low, high = float(spectra.axis.min()), float(spectra.axis.max())
    known = spectra.composition
    spectra_of_targets = (
        f"{_count(spectra.n_spectra, 'spectrum', 'spectra')} of "
        f"{_count(len(spectra.distinct_targets), 'target', 'targets')}"
    )
    return (
        f"{spectra_of_targets}, {spectra.n_channels} channels from {low:g} to {high:g} {spectra.axis_unit} ({blocks})"
        + (f"; reference values: {', '.join(known.names)}" if known is not None else "")
    )


def labels_of_set(spectra: SpectraSet) -> dict[str, Any]:
    """Return all of a set but its spectra and its provenance, as JSON holds it; `set_of_labels` takes it back.

    Returns
    -------
    dict
        axis, axis_unit, value_unit, targets, locations, shots, blocks (name,
        start, stop) and composition (targets, names, values, unit; None where
        a value is unknown), or None.
    """
    known = spectra.composition
    return {
        "axis": spectra.axis.tolist(),
        "axis_unit": spectra.axis_unit,
        "value_unit": spectra.value_unit,
        **{name: getattr(spectra, name).tolist() for name in ("targets", "locations", "shots")},
        "blocks": [[block.name, block.start, block.stop] for block in spectra.blocks],
        "composition": None if known is None else {
            "targets": list(known.targets), "names": list(known.names), "unit": known.unit,
            "values": [[value if np.isfinite(value) else None for value in row] for row in known.values.tolist()],
        },
    }  # fmt: skip


def set_of_labels(spectra: ArrayLike, labels: Mapping[str, Any]) -> SpectraSet:
    """Return the set of a table of spectra and what `labels_of_set` has said of it.

    Parameters
    ----------
    spectra : array_like, shape (n_spectra, n_channels)
    labels : mapping
        The same rows and channels.

    Raises
    ------
    ValueError
        When a label is missing, or they are of other rows or channels.
    """
    missing = [name for name in ("axis", "targets", "locations", "shots", "blocks") if name not in labels]
    if missing:
        msg = f"'labels' must hold {', '.join(missing)}; found {', '.join(labels) or 'nothing'}."
        raise ValueError(msg)
    known = labels.get("composition")
    return make_spectra_set(
        labels["axis"], spectra, targets=labels["targets"], locations=labels["locations"], shots=labels["shots"],
        blocks=[Block(str(name), int(start), int(stop)) for name, start, stop in labels["blocks"]],
        axis_unit=str(labels.get("axis_unit", "nm")), value_unit=str(labels.get("value_unit", "counts")),
        composition=None if known is None else _composition_of(known),
    )  # fmt: skip


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _composition_of(known: Mapping[str, Any]) -> Composition:
    # None becomes NaN.
    values = np.array(known["values"], float).reshape(len(known["targets"]), len(known["names"]))
    return Composition(tuple(known["targets"]), tuple(known["names"]), values, str(known["unit"]))
