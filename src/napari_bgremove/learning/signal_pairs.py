"""Signals to train a denoiser on: fresh pairs, fixed pairs, or measured rows without labels.

Each sample depends only on (seed, epoch, index), as `learning.datasets` explains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_positive, check_same_shape, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.datasets import Batch
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL

__all__ = ["FixedPairs", "FreshPairs", "MakePair", "MeasuredRows"]

#: A generator: from random numbers a clean signal and what would be measured of it, (L,) each.
MakePair = Callable[[np.random.Generator], tuple[NDArray[np.floating], NDArray[np.floating]]]

# Every so many samples one is hidden: sparse enough that the neighbours of a hidden one are not.
_HIDDEN_EVERY = 4


@dataclass(frozen=True)
class FreshPairs:
    """Pairs that are drawn anew in every epoch, so that none comes twice.

    Attributes
    ----------
    make : callable
        (rng) -> (signal, measured), (L,) each.
    samples : int
        Pairs of one epoch.
    seed : int
    fixed : bool
        True draws the same pairs in every epoch (validation).
    """

    make: MakePair
    samples: int
    seed: int = 0
    fixed: bool = False

    def __len__(self) -> int:
        return self.samples

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return signal and measured, each (B, L) float32."""
        pairs = (self.make(np.random.default_rng([self.seed, 0 if self.fixed else epoch, i])) for i in indices)
        return _stack(("signal", "measured"), [tuple(np.asarray(part, np.float32) for part in pair) for pair in pairs])


@dataclass(frozen=True)
class FixedPairs:
    """A given number of pairs, the same ones in every epoch, as the 1000 of the paper.

    Attributes
    ----------
    signal, measured : ndarray, shape (n, L)
        For Noise2Noise `signal` is a second measurement of the same signal.

    Raises
    ------
    ValueError
        When the shapes differ or are no rows.
    ComputeError
        When a value is not finite.
    """

    signal: NDArray[np.floating]
    measured: NDArray[np.floating]

    def __post_init__(self) -> None:
        for name in ("signal", "measured"):
            object.__setattr__(self, name, _check_rows(name, getattr(self, name)))
        check_same_shape("measured", self.measured, "signal", self.signal)

    def __len__(self) -> int:
        return len(self.signal)

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return signal and measured, each (B, L) float32."""
        return {name: getattr(self, name)[list(indices)] for name in ("signal", "measured")}

    def split(self, share: float, *, seed: int = 0) -> tuple[FixedPairs, FixedPairs]:
        """Split into training and validation; `share` of the pairs, one at least, is held out."""
        order = np.random.default_rng(seed).permutation(len(self))
        held = max(round(share * len(self)), 1)
        if held >= len(self):
            msg = f"'share' must leave some of {len(self)} pairs to train on; found {share}."
            raise ValueError(msg)
        parts = np.sort(order[held:]), np.sort(order[:held])
        training, validation = (FixedPairs(self.signal[part], self.measured[part]) for part in parts)
        return training, validation


@dataclass(frozen=True)
class MeasuredRows:
    """Measured signals without labels, of which some samples are hidden (`objectives.denoising.Noise2SelfObjective`).

    Attributes
    ----------
    rows : ndarray, shape (n, L)
        In the scale the network is to see.
    samples : int
        Crops of one epoch.
    crop : int, optional
        Samples of a crop, at a random place of a random row; None takes whole rows.
    seed : int
    fixed : bool
        True draws the same crops in every epoch (validation).

    Raises
    ------
    ValueError
        When they are no rows, or shorter than a crop.
    ComputeError
        When a value is not finite.
    """

    rows: NDArray[np.floating]
    samples: int
    crop: int | None = None
    seed: int = 0
    fixed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", _check_rows("rows", self.rows))
        check_positive("samples", self.samples)
        if self.crop is not None and not SHORTEST_SIGNAL <= self.crop <= self.rows.shape[1]:
            msg = f"'crop' must lie between {SHORTEST_SIGNAL} and {self.rows.shape[1]} samples; found {self.crop}."
            raise ValueError(msg)

    def __len__(self) -> int:
        return self.samples

    def batch(self, epoch: int, indices: Sequence[int]) -> Batch:
        """Return measured (B, crop) float32 and hidden (B, crop) bool."""
        drawn = [self._draw(epoch, index) for index in indices]
        return {
            name: np.stack(parts) for name, parts in zip(("measured", "hidden"), zip(*drawn, strict=True), strict=True)
        }

    def _draw(self, epoch: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        rng = np.random.default_rng([self.seed, 0 if self.fixed else epoch, index])
        length = self.crop or self.rows.shape[1]
        row, start = rng.integers(len(self.rows)), rng.integers(self.rows.shape[1] - length + 1)
        hidden = np.zeros(length, bool)
        hidden[rng.integers(_HIDDEN_EVERY) :: _HIDDEN_EVERY] = True
        return self.rows[row, start : start + length], hidden


def _stack(names: tuple[str, ...], samples: Sequence[tuple[NDArray[Any], ...]]) -> Batch:
    return {name: np.stack(parts) for name, parts in zip(names, zip(*samples, strict=True), strict=True)}


def _check_rows(name: str, values: ArrayLike) -> NDArray[np.float32]:
    rows = np.asarray(values, np.float32)
    if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] < SHORTEST_SIGNAL:
        msg = (
            f"'{name}' must be signals x samples, {SHORTEST_SIGNAL} samples or more; found "
            f"{describe_shape(rows.shape)}."
        )
        raise ValueError(msg)
    if not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        msg = f"'{name}' must be finite; row {row} is not. Leave it out, or fill the gap."
        raise ComputeError(msg)
    return rows
