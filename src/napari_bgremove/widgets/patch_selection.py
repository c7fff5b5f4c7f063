"""Patches that were extracted and not rejected: looked at, paired, and written."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.pairs import TrainingPair, combine_patches
from napari_bgremove.images.patch_set import ROLES, PatchSet, join_patch_sets
from napari_bgremove.io.patch_sets import write_patch_set

__all__ = ["Key", "PatchSelection", "make_pair", "save_sets"]

Key = tuple[str, str]  # role, and the name the image had when it was asked for


class PatchSelection:
    """Patches by role and image, and which of them a person rejected."""

    def __init__(self, sets: Mapping[Key, PatchSet] | None = None) -> None:
        self.sets: Mapping[Key, PatchSet] = {} if sets is None else sets
        self.keep = {key: np.ones(len(patches), bool) for key, patches in self.sets.items()}
        self._joined: dict[str, PatchSet] | None = None

    @property
    def joined(self) -> dict[str, PatchSet]:
        """What is not rejected, by role; put together once for each choice, not at each look."""
        if self._joined is None:
            kept: dict[str, list[PatchSet]] = {}
            for key, patches in self.sets.items():
                if self.keep[key].any():
                    kept.setdefault(key[0], []).append(_kept(patches, self.keep[key]))
            self._joined = {role: join_patch_sets(kept[role]) for role in ROLES if role in kept}
        return self._joined

    @property
    def patch(self) -> int:
        """Side of the patches in pixels; 0 while there are none."""
        return next((patches.patch for patches in self.sets.values()), 0)

    def toggle(self, key: Key, number: int) -> None:
        """Reject a patch, or take it back."""
        self.keep[key][number] ^= True
        self._joined = None

    def corners(self, names: Container[str]) -> NDArray[np.intp]:
        """Return the top left pixels of the background patches of these images that are not rejected."""
        found = [
            np.round(patches.positions[self.keep[role, name]] - (patches.patch - 1) / 2).astype(np.intp)
            for (role, name), patches in self.sets.items()
            if role == "background" and name in names
        ]
        return np.concatenate(found) if found else np.empty((0, 2), np.intp)

    def __str__(self) -> str:
        if not self.sets:
            return "No patches yet"
        count = {role: sum(int(keep.sum()) for key, keep in self.keep.items() if key[0] == role) for role in ROLES}
        rejected = sum(int((~keep).sum()) for keep in self.keep.values())
        remarks = dict.fromkeys(r for p in self.sets.values() if (r := str(p.metadata.get("remark", ""))))
        counts = ", ".join(f"{number} {role} patches" for role, number in count.items())
        return "; ".join([counts, f"{rejected} rejected", *remarks])


def save_sets(folder: Path, sets: Mapping[str, PatchSet]) -> tuple[Path, str]:
    """Write ROLE.npz for each role; return the folder, and what was written in words."""
    for role, patches in sets.items():
        write_patch_set(folder / f"{role}.npz", patches)
    counts = ", ".join(f"{len(patches)} {role}" for role, patches in sets.items())
    return folder, f"Saved {counts} patches in {folder}."


def make_pair(sets: Mapping[str, PatchSet], number: int, amplitude: float, normalization: str) -> TrainingPair:
    """Make the training pair of that number: a signal patch times the amplitude, plus a background patch."""
    signal, background = sets["signal"], sets["background"]
    rng = np.random.default_rng(number)
    patch = signal.patches[rng.integers(len(signal))] * np.float32(amplitude)
    return combine_patches(patch, background.patches[rng.integers(len(background))], normalization=normalization)


def _kept(patches: PatchSet, keep: NDArray[np.bool_]) -> PatchSet:
    return PatchSet(
        patches.patches[keep], patches.role, patches.positions[keep], patches.angles[keep], patches.shots[keep],
        patches.shot_names, {**patches.metadata, "rejected": int((~keep).sum())},
    )  # fmt: skip
