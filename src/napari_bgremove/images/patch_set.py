"""Patches with where they were cut: the one form in which training data travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.errors import ComputeError

__all__ = ["ROLES", "PatchSet", "join_patch_sets"]

ROLES = ("signal", "background")
Image = NDArray[np.float32]


@dataclass(frozen=True)
class PatchSet:
    """Training patches and where they come from.

    Attributes
    ----------
    patches : ndarray, shape (n, patch, patch), float32
        NaN where the detector did not measure.
    role : {"signal", "background"}
    positions : ndarray of float, shape (n, 2)
        Row and column of the patch centre.
    angles : ndarray, shape (n,)
        Orientation in degrees, counter-clockwise.
    shots : ndarray of int, shape (n,)
        Index into `shot_names`; validation is split by shot, never by patch.
    shot_names : tuple of str
    metadata : mapping
        Parameters of the extraction, counts, remarks for the person; of a
        joined set one value, or a list of one for each set.
    too_dark : ndarray of float, shape (m, 3)
        Row, column and angle of places that were tried and held too little
        signal. For looking at: neither written to files nor joined.
    """

    patches: Image
    role: str
    positions: NDArray[np.float64]
    angles: NDArray[np.float64]
    shots: NDArray[np.int64]
    shot_names: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    too_dark: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)
        n = len(self.patches)
        if self.patches.ndim != 3 or {len(self.positions), len(self.angles), len(self.shots)} != {n}:
            msg = (
                "'patches' must have the shape (n, patch, patch) with one position, angle and shot each; found "
                f"{describe_shape(self.patches.shape)}."
            )
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.patches.shape[-1])

    def of_shots(self, shots: Sequence[int] | NDArray[np.int64]) -> PatchSet:
        """Return the patches that come from the given shots."""
        chosen = np.isin(self.shots, shots)
        return PatchSet(
            self.patches[chosen],
            self.role,
            self.positions[chosen],
            self.angles[chosen],
            self.shots[chosen],
            self.shot_names,
            self.metadata,
        )

    def split_by_shot(self, share: float, *, seed: int = 0) -> tuple[PatchSet, PatchSet]:
        """Split into training and validation so that no shot serves both.

        Parameters
        ----------
        share : float
            Share of shots for validation, at least one of them.

        Raises
        ------
        ComputeError
            When there is only one shot: nothing could be held out.
        """
        shots = np.unique(self.shots)
        if len(shots) < 2:
            msg = (
                f"'{self.role} patches' must come from at least 2 shots to hold one out for validation; found "
                f"{len(shots)}. Add a shot."
            )
            raise ComputeError(msg)
        order = np.random.default_rng(seed).permutation(shots)
        held_out = min(max(round(share * len(shots)), 1), len(shots) - 1)
        return self.of_shots(order[held_out:]), self.of_shots(order[:held_out])


def join_patch_sets(sets: Sequence[PatchSet]) -> PatchSet:
    """Put patch sets of one role and size together; shots stay apart.

    The parameters of the extraction stay in `metadata`: one value where all
    sets agree, otherwise a list of one for each set.

    Raises
    ------
    ValueError
        When there is no set, or they differ in role or size.
    """
    kinds = {(s.role, s.patch) for s in sets}
    if len(kinds) != 1:
        found = ", ".join(f"{role} of {side} pixels" for role, side in sorted(kinds)) or "none"
        msg = f"'sets' must hold patches of one role and one size; found {found}."
        raise ValueError(msg)
    names: list[str] = []
    shots = []
    for one in sets:
        shots.append(one.shots + len(names))
        names.extend(one.shot_names)
    remarks = [str(s.metadata["remark"]) for s in sets if s.metadata.get("remark")]
    return PatchSet(
        np.concatenate([s.patches for s in sets]),
        sets[0].role,
        np.concatenate([s.positions for s in sets]),
        np.concatenate([s.angles for s in sets]),
        np.concatenate(shots),
        tuple(names),
        {**_join_metadata(sets), "sets": len(sets), "remark": "; ".join(sorted(set(remarks)))},
    )


def _join_metadata(sets: Sequence[PatchSet]) -> dict[str, Any]:
    joined = {}
    for name in dict.fromkeys(name for one in sets for name in one.metadata):
        values = [one.metadata.get(name) for one in sets]
        joined[name] = values[0] if all(value == values[0] for value in values) else values
    return joined
