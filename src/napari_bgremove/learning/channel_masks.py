"""Channels a person has marked as signal: what a background is there, is told from its neighbours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_bgremove._validation import describe_shape

__all__ = ["bridge_channels", "check_marked"]


def check_marked(marked: ArrayLike, blocks: Mapping[str, int]) -> NDArray[np.bool_]:
    """Return `marked` as one bool per channel, or raise ValueError.

    Parameters
    ----------
    marked : array_like of bool, shape (N,)
    blocks : mapping of str to int
        Channels of each block, in order; each must keep a channel that is not
        marked, for a background to stand on.
    """
    channels, n = np.asarray(marked), sum(blocks.values())
    if channels.shape != (n,) or channels.dtype != bool:
        msg = f"'signal_channels' must be {n} true or false; found {describe_shape(channels.shape)} {channels.dtype}."
        raise ValueError(msg)
    for name, part in zip(blocks, np.split(channels, np.cumsum(list(blocks.values()))[:-1]), strict=True):
        if part.all():
            msg = f"'signal_channels' must leave channels of each block free; found none in '{name}'."
            raise ValueError(msg)
    return channels


def bridge_channels(values: Tensor, free: Tensor) -> Tensor:
    """Replace `values` where `free` is 0 by straight lines between the free channels on both sides.

    At an end of the axis the nearest free value is held. Where no channel is
    free there is nothing to stand on, and the values stay as they are.

    Parameters
    ----------
    values : Tensor, shape (..., N)
    free : Tensor, shape (..., N), broadcast against `values`
        1 where the value counts, 0 where it is to be bridged.

    Returns
    -------
    Tensor, shape (..., N)
    """
    n = values.shape[-1]
    is_free = (free > 0).expand(values.shape)
    places = torch.arange(n, device=values.device).expand(values.shape)
    left = places.masked_fill(~is_free, -1).cummax(-1).values
    right = places.masked_fill(~is_free, n).flip(-1).cummin(-1).values.flip(-1)
    left, right = torch.where(left < 0, right, left), torch.where(right == n, left, right)
    share = (places - left) / (right - left).clamp_min(1)
    low, high = (values.gather(-1, place.clamp(0, n - 1)) for place in (left, right))
    return torch.where(is_free | (left == n), values, low + share * (high - low))
