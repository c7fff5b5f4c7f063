"""Blocks of channels: a spectrum that several spectrometers recorded side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "check_blocks", "find_blocks", "keep_in_blocks", "number_blocks"]

# A gap is wider than this many steps on either side of it: ChemCam's narrowest
# gap is 18 steps of its wider neighbour, SuperCam's spectrometers change their
# step by a factor of 3 without any gap.
_GAP_STEPS = 8
# Steps on either side that tell how wide a step is there.
_NEIGHBOURS = 20


@dataclass(frozen=True)
class Block:
    """The channels [start, stop) that one spectrometer recorded.

    Attributes
    ----------
    name : str
        'UV', 'VIO' ...
    start, stop : int
        First channel, and one behind the last.
    """

    name: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def channels(self) -> slice:
        """The channels as a slice of the axis."""
        return slice(self.start, self.stop)


def check_blocks(blocks: Sequence[Block], n_channels: int) -> None:
    """Raise ValueError unless the blocks cover the channels 0 to `n_channels` in order, each channel once."""
    edges = [0, *(block.stop for block in blocks)]
    for block, start in zip(blocks, edges, strict=False):
        if block.start != start or block.stop <= block.start:
            msg = (
                f"'{block.name}' must begin at channel {start}, where the block before it ends, and hold channels; "
                f"found [{block.start}, {block.stop}). Let the blocks follow each other without gap or overlap."
            )
            raise ValueError(msg)
    if edges[-1] != n_channels:
        msg = f"'blocks' must cover all {n_channels} channels; found {edges[-1]}. Let the last block end with the axis."
        raise ValueError(msg)
    names = [block.name for block in blocks]
    if len(set(names)) < len(names):
        msg = f"'blocks' must have different names; found {', '.join(names)}. Rename one."
        raise ValueError(msg)


def find_blocks(axis: NDArray[np.float64], *, names: Sequence[str] | None = None) -> tuple[Block, ...]:
    """Find the spectrometers of an axis by its jumps.

    A block ends where the axis steps back (two spectrometers overlap), and
    where a step is more than 8 times the median of the 20 steps on either
    side of it (a gap).

    Parameters
    ----------
    axis : ndarray, shape (n_channels,)
        Ascending within each block.
    names : sequence of str, optional
        Names for exactly this many blocks; where another number is found they
        are called 'block 1', 'block 2' ...

    Returns
    -------
    tuple of Block
        At least one; they cover all channels.
    """
    steps = np.diff(axis)
    suspects = np.flatnonzero(steps > _GAP_STEPS * np.median(np.abs(steps))) if steps.size else np.empty(0, int)
    gaps = [int(at) for at in suspects if _is_gap(steps, int(at))]
    backwards = np.flatnonzero(steps <= 0).tolist()
    edges = [0, *sorted({at + 1 for at in (*gaps, *backwards)}), len(axis)]
    return number_blocks(edges, names=names)


def number_blocks(edges: Sequence[int], *, names: Sequence[str] | None = None) -> tuple[Block, ...]:
    """Return the blocks between consecutive `edges`, under `names` where these are as many."""
    spans = list(pairwise(edges))
    if names is None or len(names) != len(spans):
        names = [f"block {number}" for number in range(1, len(spans) + 1)]
    return tuple(Block(name, start, stop) for name, (start, stop) in zip(names, spans, strict=True))


def keep_in_blocks(blocks: Sequence[Block], channels: NDArray[np.bool_]) -> tuple[Block, ...]:
    """Return the blocks that remain of `blocks` when only some channels are kept; empty ones go."""
    left = np.concatenate([[0], np.cumsum(channels)])
    moved = (Block(block.name, int(left[block.start]), int(left[block.stop])) for block in blocks)
    return tuple(block for block in moved if len(block))


def _is_gap(steps: NDArray[Any], at: int) -> bool:
    sides = (steps[max(0, at - _NEIGHBOURS) : at], steps[at + 1 : at + 1 + _NEIGHBOURS])
    usual = [float(np.median(np.abs(side))) for side in sides if side.size]
    return bool(steps[at] > _GAP_STEPS * max(usual, default=np.inf))
