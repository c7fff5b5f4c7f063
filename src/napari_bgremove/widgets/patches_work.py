"""What the patches panel computes in a thread: plain arrays in, patch sets out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.leaks import measure_leak
from napari_bgremove.images.pairs import TrainingPair, combine_patches
from napari_bgremove.images.patches import PatchSet, extract_background_patches, extract_signal_patches

__all__ = ["Extraction", "PatchNumbers", "SourceImage", "extract", "make_pair"]


@dataclass(frozen=True)
class SourceImage:
    """One image to cut patches from: its name, its frame, and the signal mask where one is needed."""

    name: str
    frame: NDArray[np.generic]
    signal_mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class PatchNumbers:
    """What the form says."""

    patch: int
    signal_count: int
    background_count: int
    min_intensity: float | None
    any_angle: bool
    seed: int


@dataclass(frozen=True)
class Extraction:
    """Patch sets by image, and the leak of each mask into the background patches."""

    signal: dict[str, PatchSet]
    background: dict[str, PatchSet]
    leaks: dict[str, float]


def extract(signal: Sequence[SourceImage], background: Sequence[SourceImage], numbers: PatchNumbers) -> Extraction:
    """Cut all patches."""
    sets = {}
    for number, source in enumerate(signal):
        sets[source.name] = extract_signal_patches(
            gate_image(source.frame).values, count=numbers.signal_count, seed=numbers.seed + number,
            patch=numbers.patch, min_intensity=numbers.min_intensity, any_angle=numbers.any_angle, name=source.name,
        )  # fmt: skip
    free, leaks = {}, {}
    for number, source in enumerate(background):
        image = gate_image(source.frame).values
        mask = np.zeros(image.shape, bool) if source.signal_mask is None else source.signal_mask
        free[source.name] = extract_background_patches(
            image, mask, count=numbers.background_count, seed=numbers.seed + number, patch=numbers.patch,
            name=source.name,
        )  # fmt: skip
        for reference in signal:
            if reference.frame.shape == mask.shape:
                leaks[reference.name] = measure_leak(gate_image(reference.frame).values, mask)
    return Extraction(sets, free, leaks)


def make_pair(
    signal: PatchSet, background: PatchSet, number: int, amplitude: float, normalization: str
) -> TrainingPair:
    """Make the training pair of that number: a signal patch times the amplitude, plus a background patch."""
    rng = np.random.default_rng(number)
    patch = signal.patches[rng.integers(len(signal))] * np.float32(amplitude)
    return combine_patches(patch, background.patches[rng.integers(len(background))], normalization=normalization)
