"""What a model was trained on, in words short enough for a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from napari_bgremove.images.patch_set import PatchSet

__all__ = ["describe_training_data"]

MOST_NAMES = 3


def describe_training_data(signal: PatchSet, background: PatchSet) -> str:
    """Return numbers of patches and shots, and where the shots came from.

    Files are named without their folders: a model travels, and nobody else
    needs to know how a person sorts their data. Of shots whose patch sets say
    `generated` in their metadata the seeds are named instead.
    """
    return " and ".join(_describe(patches) for patches in (signal, background))


def _describe(patches: PatchSet) -> str:
    shots = len(patches.shot_names)
    text = f"{len(patches)} {patches.role} patches of {shots} {_kind(patches.metadata)}{'s' if shots != 1 else ''}"
    origin = _seeds(patches.metadata) if patches.metadata.get("generated") else _names(patches)
    return f"{text} ({origin})" if origin else text


def _kind(metadata: Mapping[str, Any]) -> str:
    return "generated shot" if metadata.get("generated") else "shot"


def _seeds(metadata: Mapping[str, Any]) -> str:
    told = metadata.get("seed")
    seeds = [seed for seed in (told if isinstance(told, list) else [told]) if isinstance(seed, int)]
    if not seeds:
        return ""
    return f"seeds {min(seeds)} to {max(seeds)}" if len(set(seeds)) > 1 else f"seed {seeds[0]}"


def _names(patches: PatchSet) -> str:
    files = patches.metadata.get("files")
    # A set that was cut in a window knows the names of its layers only.
    named = [PurePath(str(file)).name for file in files] if isinstance(files, list) else list(patches.shot_names)
    return _shortened(list(dict.fromkeys(named)))


def _shortened(names: Sequence[str]) -> str:
    left = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {left} more" if left > 0 else "")
