"""Channels on which a person has drawn signal: checked, and crossed by the background on straight lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._gaps import bridge_gaps
from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.blocks import Block

__all__ = ["check_signal_channels", "fill_rows", "go_across"]

Array = NDArray[np.float64]


def check_signal_channels(channels: ArrayLike | None, axis: Array, blocks: Sequence[Block]) -> NDArray[np.bool_]:
    """Return True at the channels that hold signal; at least two of every block hold none."""
    if channels is None:
        return np.zeros(axis.shape, bool)
    signal = np.asarray(channels)
    if signal.shape != axis.shape or signal.dtype != bool:
        msg = (
            f"'signal_channels' must tell of each of the {axis.size} channels whether it holds signal; found "
            f"{describe_shape(signal.shape)} {signal.dtype}."
        )
        raise ValueError(msg)
    full = next((block for block in blocks if np.count_nonzero(~signal[block.channels]) < 2), None)
    if full is not None:
        msg = (
            f"'signal_channels' must leave at least 2 channels of block '{full.name}' for its background; found "
            f"{np.count_nonzero(~signal[full.channels])} of {len(full)}. Draw less signal."
        )
        raise ComputeError(msg)
    return signal


def fill_rows(axis: Array, values: Array) -> Array:
    """Bridge what is not usable in each spectrum by straight lines."""
    rows = values.reshape(-1, len(axis))
    empty = np.isnan(rows).all(axis=1)
    if empty.any():
        msg = (
            f"'spectra' must have usable samples in every block; found spectrum {int(np.argmax(empty))} without any "
            f"from {axis[0]:g} to {axis[-1]:g}. Leave it out."
        )
        raise ComputeError(msg)
    return bridge_gaps(axis, values)


def go_across(axis: Array, curves: Array, signal: NDArray[np.bool_]) -> Array:
    """Draw curves on straight lines across the signal channels; other gaps stay."""
    if not signal.any():
        return curves
    return np.where(signal, bridge_gaps(axis, curves), curves)
