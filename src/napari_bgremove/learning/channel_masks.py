"""Channels a person has marked as signal: what a background is there, is told from its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bridge_channels"]


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
