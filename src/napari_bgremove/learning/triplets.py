"""Triplets of spectra from three different targets, of which each depends only on (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.channel_masks import check_marked
from napari_bgremove.learning.datasets import Batch
from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SpectraTriplets", "measure_block_scales", "split_by_target"]

# What is "bright" in a block; the few brighter lines may pass 1.
_BRIGHT_PERCENTILE = 99.9
_ROLES = ("measured", "second", "third", "repeat")
# Targets of a triplet.
_LEAST_TARGETS = 3


def measure_block_scales(spectra: SpectraSet) -> tuple[float, ...]:
    """Return one constant per spectrometer: the 99.9th percentile over all its channels and spectra.

    One for all spectra, never one for each: measured = signal + background
    with a stationary background holds only in the unit of the detector.

    Raises
    ------
    ComputeError
        When a block is not bright anywhere, or a spectrum is not finite.
    """
    return tuple(_measure_scale(np.asarray(spectra.spectra[:, b.start : b.stop]), b) for b in spectra.blocks)


def split_by_target(spectra: SpectraSet, share: float, *, seed: int = 0) -> tuple[SpectraSet, SpectraSet]:
    """Split into training and validation so that no target serves both.

    Parameters
    ----------
    share : float
        Share of targets for validation, at least 3 of them. Where fewer than 3
        would be left for training, both parts are the whole set.
    """
    targets = np.array(spectra.distinct_targets)
    held_out = max(round(share * len(targets)), _LEAST_TARGETS)
    if len(targets) - held_out < _LEAST_TARGETS:
        return spectra, spectra
    is_held = np.isin(spectra.targets, np.random.default_rng(seed).permutation(targets)[:held_out])
    return spectra.select(~is_held), spectra.select(is_held)


@dataclass(frozen=True)
class SpectraTriplets:
    """Spectra y^j, y^k, y^k' of three different targets, and another shot of the first, cropped alike.

    Targets are drawn alike however many spectra they have, then a spectrum of
    each, with replacement. An epoch has as many triplets as there are spectra.

    Attributes
    ----------
    spectra : SpectraSet
    scales : tuple of float
        Spectra are divided by these, block by block; see `measure_block_scales`.
    seed : int
    crop : int, optional
        Channels of a crop, the same ones for all spectra of a triplet and
        within one block. None takes whole spectra.
    signal_channels : ndarray of bool, shape (N,), optional
        True where a person has marked signal.
    fixed : bool
        True draws the same triplets in every epoch (validation).

    Raises
    ------
    ComputeError
        When there are fewer than 3 targets.
    ValueError
        When a block is shorter than a crop, or wholly marked as signal.
    """

    spectra: SpectraSet
    scales: tuple[float, ...]
    seed: int = 0
    crop: int | None = None
    signal_channels: NDArray[np.bool_] | None = None
    fixed: bool = False
    _rows: tuple[NDArray[np.intp], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = self.spectra.targets
        rows = tuple(np.flatnonzero(names == target) for target in self.spectra.distinct_targets)
        if len(rows) < _LEAST_TARGETS:
            msg = (
                f"'spectra' must come from at least {_LEAST_TARGETS} targets to draw triplets; found {len(rows)}. Add "
                "a target."
            )
            raise ComputeError(msg)
        object.__setattr__(self, "_rows", rows)
        if len(self.scales) != len(self.spectra.blocks):
            msg = f"'scales' must be one per block ({len(self.spectra.blocks)}); found {len(self.scales)}."
            raise ValueError(msg)
        self._check_crop()
        if self.signal_channels is not None:
            check_marked(self.signal_channels, {block.name: len(block) for block in self.spectra.blocks})

    def __len__(self) -> int:
        return self.spectra.n_spectra

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return measured, second, third, repeat and free, each (B, 1, N or crop) float32, and block.

        `free` is 0 at channels marked as signal, 1 elsewhere; `block`, shape
        (B, N or crop), is the number of the spectrometer of each channel.
        """
        drawn = [self._draw(epoch, index) for index in indices]
        rows = np.stack([rows for rows, _ in drawn])
        windows = np.stack([window for _, window in drawn])
        # Each row once, and sorted: a lazy array is then read in one go.
        distinct, places = np.unique(rows, return_inverse=True)
        loaded = np.asarray(self.spectra.spectra[distinct], np.float32)
        picked = loaded[places.reshape(rows.shape)[..., None], windows[:, None]] / self._divisors[windows][:, None]
        arrays = {name: picked[:, i, None] for i, name in enumerate(_ROLES)}
        return {**arrays, "free": self._free[windows][:, None], "block": self._block_numbers[windows]}

    def _draw(self, epoch: int, index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows of a triplet and of the repeat, and the channels they are cropped to."""
        rng = np.random.default_rng([self.seed, 0 if self.fixed else epoch, index])
        chosen = rng.choice(len(self._rows), _LEAST_TARGETS, replace=False)
        first, second, third = (int(rng.choice(self._rows[target])) for target in chosen)
        others = self._rows[chosen[0]]
        others = others[others != first] if len(others) > 1 else others
        rows = np.array([first, second, third, rng.choice(others)])
        if self.crop is None:
            return rows, np.arange(self.spectra.n_channels)
        return rows, np.arange(self.crop) + rng.choice(self._starts)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        """Where a crop may begin: anywhere, as long as it ends within its block."""
        crop = self.crop or 1
        return np.concatenate([np.arange(b.start, b.stop - crop + 1) for b in self.spectra.blocks])

    @cached_property
    def _divisors(self) -> NDArray[np.float32]:
        sizes = [len(block) for block in self.spectra.blocks]
        return np.repeat(np.asarray(self.scales, np.float32), sizes)

    @cached_property
    def _block_numbers(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.spectra.blocks)), [len(block) for block in self.spectra.blocks])

    @cached_property
    def _free(self) -> NDArray[np.float32]:
        marked = self.signal_channels
        return np.ones(self.spectra.n_channels, np.float32) if marked is None else (~marked).astype(np.float32)

    def _check_crop(self) -> None:
        if self.crop is None:
            return
        check_positive("crop", self.crop)
        shortest = min(self.spectra.blocks, key=len)
        if self.crop > len(shortest):
            msg = (
                f"'crop' must fit into every block; the block '{shortest.name}' has {len(shortest)} channels, found "
                f"{self.crop}. Take a smaller crop, or whole spectra."
            )
            raise ValueError(msg)


def _measure_scale(values: NDArray[np.floating], block: Block) -> float:
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        msg = (
            f"'spectra' must be finite; spectrum {row} is not, in the block '{block.name}'. Leave out the spectrum or "
            "its channels."
        )
        raise ComputeError(msg)
    scale = float(np.percentile(values, _BRIGHT_PERCENTILE))
    if not scale > 0:
        msg = f"The block '{block.name}' must be bright somewhere; its 99.9th percentile is {scale:g}. Leave it out."
        raise ComputeError(msg)
    return scale
