"""A set of spectra on one axis: of which target each is, at which location, which shot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.spectra.blocks import Block, check_blocks, find_blocks, keep_in_blocks
from napari_bgremove.spectra.composition import Composition

__all__ = ["Block", "Composition", "SpectraSet", "make_spectra_set"]


@dataclass(frozen=True, eq=False)
class SpectraSet:
    """Spectra of known origin, one per row; see `make_spectra_set` for the usual way to one.

    The three labels are all a method learns of a spectrum's origin: rows with
    one target are repeats of each other, rows with different targets are not.

    Attributes
    ----------
    axis : ndarray, shape (n_channels,), float64
        Finite, strictly ascending within each block.
    spectra : ndarray or dask array, shape (n_spectra, n_channels), float32 or float64
    targets : ndarray of str, shape (n_spectra,)
    locations, shots : ndarray of int, shape (n_spectra,)
        Where on its target a spectrum was taken, and its number in the burst.
    blocks : tuple of Block
        The spectrometers; they cover all channels, each once, in order.
    axis_unit, value_unit : str
    composition : Composition or None
        Reference values of the targets, where any are known.
    provenance : mapping
        Files, instrument and what was done since.

    Raises
    ------
    ValueError
        When an array has another shape or kind, a label is missing, the axis
        does not ascend within a block, or the blocks leave channels out.
    """

    axis: NDArray[np.float64]
    spectra: Any
    targets: NDArray[np.str_]
    locations: NDArray[np.int64]
    shots: NDArray[np.int64]
    blocks: tuple[Block, ...]
    axis_unit: str = "nm"
    value_unit: str = "counts"
    composition: Composition | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_spectra(self.axis, self.spectra)
        for name, kinds in (("targets", "U"), ("locations", "iu"), ("shots", "iu")):
            _check_labels(name, getattr(self, name), kinds, self.n_spectra)
        check_blocks(self.blocks, self.n_channels)
        _check_ascent(self.axis, self.blocks)

    @property
    def n_spectra(self) -> int:
        """Number of rows."""
        return int(self.spectra.shape[0])

    @property
    def n_channels(self) -> int:
        """Number of samples of each spectrum."""
        return int(self.axis.shape[0])

    @property
    def distinct_targets(self) -> tuple[str, ...]:
        """Every target once, in the order of its first row."""
        return tuple(dict.fromkeys(self.targets.tolist()))

    def select(self, rows: Any) -> SpectraSet:
        """Return some of the rows: numbers, a mask or a slice."""
        places = np.arange(self.n_spectra)[rows]
        labels = {name: getattr(self, name)[places] for name in ("targets", "locations", "shots")}
        return replace(self, spectra=self.spectra[places], **labels)

    def keep(self, channels: ArrayLike) -> SpectraSet:
        """Return some of the channels, a mask of shape (n_channels,); a block that loses all of its own goes."""
        kept = np.asarray(channels)
        if kept.shape != self.axis.shape or kept.dtype != bool:
            msg = (
                f"'channels' must tell of each of the {self.n_channels} channels whether it is kept; found "
                f"{describe_shape(kept.shape)} {kept.dtype}."
            )
            raise ValueError(msg)
        if not kept.any():
            msg = f"'channels' must keep at least one channel; found none of {self.n_channels}. Leave out fewer bands."
            raise ValueError(msg)
        places, blocks = np.flatnonzero(kept), keep_in_blocks(self.blocks, kept)
        return replace(self, axis=self.axis[places], spectra=self.spectra[:, places], blocks=blocks)

    def with_spectra(self, spectra: Any) -> SpectraSet:
        """Return the same rows with other values, such as a signal or a background, of the same shape."""
        return replace(self, spectra=_as_values(spectra))

    def mean_over_shots(self) -> SpectraSet:
        """Return one row per target and location, the mean of its shots, in the order of their first rows.

        The mean is taken in double precision; NaN in one shot makes its
        channel NaN. Each row gets shot 0, and the provenance says under
        'shots_averaged' how many went into it.
        """
        groups: dict[tuple[str, int], list[int]] = {}
        for row, key in enumerate(zip(self.targets.tolist(), self.locations.tolist(), strict=True)):
            groups.setdefault(key, []).append(row)
        means = [self.spectra[rows].mean(axis=0, dtype=float) for rows in groups.values()]
        return replace(
            self,
            spectra=np.stack(means).astype(self.spectra.dtype),
            targets=np.array([target for target, _ in groups], np.str_),
            locations=np.array([location for _, location in groups], np.int64),
            shots=np.zeros(len(groups), np.int64),
            provenance={**self.provenance, "shots_averaged": [len(rows) for rows in groups.values()]},
        )

    def composition_of_rows(self) -> NDArray[np.float64]:
        """Return the reference values of each row, shape (n_spectra, names); NaN where unknown."""
        if self.composition is None:
            msg = "'composition' must be given before it is asked for; the set has none. Read a composition table."
            raise ValueError(msg)
        return self.composition.of_targets(self.targets)


def make_spectra_set(
    axis: ArrayLike,
    spectra: Any,
    *,
    targets: str | Sequence[str] | NDArray[np.str_],
    locations: ArrayLike = 0,
    shots: ArrayLike | None = None,
    blocks: Sequence[Block] | None = None,
    axis_unit: str = "nm",
    value_unit: str = "counts",
    composition: Composition | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> SpectraSet:
    """Make a set from plain arrays: a table of spectra, or the line profiles of a stack.

    `make_spectra_set(profile.position, profile.values, targets="Fe")` makes
    repeats of one target from the profiles of its frames.

    Parameters
    ----------
    axis : array_like, shape (n_channels,)
        Ascending within each block.
    spectra : array_like or dask array, shape (n_spectra, n_channels) or (n_channels,)
        Integers become float32 where that holds them exactly (up to 16 bit),
        else float64.
    targets : str or sequence of str
        One for all rows, or one per row.
    locations : int or array_like of int
        One for all rows, or one per row.
    shots : array_like of int, optional
        Without it the rows of each target and location are counted from 0.
    blocks : sequence of Block, optional
        Without it they are found by the jumps of the axis.
    axis_unit, value_unit, composition, provenance
        As in `SpectraSet`.

    Raises
    ------
    ValueError
        As for `SpectraSet`.
    """
    positions, values = np.asarray(axis, np.float64), _as_values(spectra)
    if values.ndim == 1:
        values = values[None]
    rows = values.shape[:1]
    names = np.broadcast_to(np.asarray(targets, np.str_), rows) if isinstance(targets, str) else np.array(targets)
    places = np.asarray(locations)
    places = np.full(rows, places) if places.ndim == 0 else places
    return SpectraSet(
        axis=positions,
        spectra=values,
        targets=names,
        locations=places,
        shots=_count_shots(names, places) if shots is None else np.asarray(shots),
        blocks=find_blocks(positions) if blocks is None else tuple(blocks),
        axis_unit=axis_unit,
        value_unit=value_unit,
        composition=composition,
        provenance=dict(provenance or {}),
    )


def _as_values(spectra: Any) -> Any:
    """Return spectra in single or double precision; a lazy array stays lazy."""
    values = spectra if hasattr(spectra, "dask") else np.asarray(spectra)
    if values.dtype.kind not in "buif" or values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float32 if np.can_cast(values.dtype, np.float32) else np.float64)


def _count_shots(targets: NDArray[np.str_], locations: NDArray[Any]) -> NDArray[np.int64]:
    seen: dict[tuple[Any, Any], int] = {}
    counted = np.zeros(len(targets), np.int64)
    for row, key in enumerate(zip(targets.tolist(), locations.tolist(), strict=False)):
        counted[row] = seen[key] = seen.get(key, -1) + 1
    return counted


def _check_spectra(axis: NDArray[np.float64], spectra: Any) -> None:
    if axis.ndim != 1 or axis.size == 0 or axis.dtype != np.float64:
        msg = f"'axis' must be 1-D, double precision; found {describe_shape(axis.shape)} {axis.dtype}."
        raise ValueError(msg)
    if spectra.ndim != 2 or spectra.shape[1] != axis.size or spectra.shape[0] == 0:
        msg = (
            f"'spectra' must be a table of spectra x {axis.size} channels of 'axis'; found "
            f"{describe_shape(spectra.shape)}. Put one spectrum in each row."
        )
        raise ValueError(msg)
    if spectra.dtype not in (np.float32, np.float64):
        msg = f"'spectra' must hold real numbers in single or double precision; found dtype {spectra.dtype}."
        raise ValueError(msg)


def _check_labels(name: str, labels: NDArray[Any], kinds: str, n_spectra: int) -> None:
    if labels.shape != (n_spectra,) or labels.dtype.kind not in kinds:
        what = "a text" if kinds == "U" else "a whole number"
        msg = (
            f"'{name}' must give {what} for each of the {n_spectra} spectra; found {describe_shape(labels.shape)} "
            f"{labels.dtype}."
        )
        raise ValueError(msg)


def _check_ascent(axis: NDArray[np.float64], blocks: Sequence[Block]) -> None:
    if not np.isfinite(axis).all():
        at = int(np.argmin(np.isfinite(axis)))
        msg = f"'axis' must be finite; found {axis[at]} at channel {at}. Leave that channel out."
        raise ValueError(msg)
    for block in blocks:
        falls = np.flatnonzero(np.diff(axis[block.channels]) <= 0)
        if falls.size:
            at = block.start + int(falls[0])
            msg = (
                f"'axis' must ascend within block '{block.name}'; found {axis[at]:g} followed by {axis[at + 1]:g} at "
                f"channel {at + 1}. Sort the channels, or begin a new block there."
            )
            raise ValueError(msg)
