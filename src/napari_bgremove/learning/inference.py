"""A trained network applied to a whole image: gate, normalise, tile, predict, merge.

Everything but the prediction itself is numpy and lives in `images`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, check_positive
from napari_bgremove.images.gate import fill_unusable, gate_image
from napari_bgremove.images.normalization import NORMALIZATIONS, measure_percentile_range, undo_normalization
from napari_bgremove.images.tiles import GRID_OFFSETS, MERGES, TileGrid, make_grids, merge_predictions, merge_weights
from napari_bgremove.learning.devices import halve_on_out_of_memory
from napari_bgremove.learning.model_file import LoadedModel
from napari_bgremove.learning.networks import STRIDE, AdditiveNetwork
from napari_bgremove.separation import Separation

__all__ = ["PRECISIONS", "ApplyOptions", "options_of", "predict_tiles", "separate_image"]

_LOG = logging.getLogger(__name__)
PRECISIONS = ("float32", "bfloat16")
Image = NDArray[np.float32]


@dataclass(frozen=True)
class ApplyOptions:
    """How a network is applied to an image.

    Attributes
    ----------
    normalization : {"conserving", "literal"}
    percentiles : tuple of float
    tile : int
        Tile side in pixels, a multiple of 8.
    offsets : tuple of (row, column)
        One grid of tiles each; (0, 0) alone is the plain sliding window.
    merge : {"weighted", "median", "mean"}
    padded : bool
        True gives every pixel a prediction of every grid.
    batch_size : int
        Tiles at once; halved when the memory of the device ends.
    device : torch.device
    precision : {"float32", "bfloat16"}
    """

    normalization: str = "conserving"
    percentiles: tuple[float, float] = (1.0, 99.95)
    tile: int = 128
    offsets: tuple[tuple[int, int], ...] = GRID_OFFSETS
    merge: str = "weighted"
    padded: bool = True
    batch_size: int = 8
    device: torch.device = torch.device("cpu")
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        check_choice("merge", self.merge, MERGES)
        check_choice("precision", self.precision, PRECISIONS)
        check_positive("batch_size", self.batch_size)
        if self.tile < STRIDE or self.tile % STRIDE:
            msg = f"'tile' must be a multiple of {STRIDE} pixels; found {self.tile}."
            raise ValueError(msg)


def options_of(model: LoadedModel, **changes: Any) -> ApplyOptions:
    """Return the options a model was made for, with the given changes; None changes nothing."""
    d = model.description
    made_for = ApplyOptions(
        normalization=d.normalization, percentiles=d.percentiles, tile=d.tile, merge=d.merge, padded=d.padded
    )
    return replace(made_for, **{name: value for name, value in changes.items() if value is not None})


def separate_image(
    network: AdditiveNetwork,
    image: ArrayLike,
    *,
    options: ApplyOptions | None = None,
    valid_mask: ArrayLike | None = None,
    gap_values: tuple[float, ...] | None = None,
    saturation: float | None = None,
    on_tiles: Callable[[int, int], None] | None = None,
) -> Separation:
    """Separate one detector image into signal and background.

    Parameters
    ----------
    network : AdditiveNetwork
    image : array_like, shape (rows, columns)
        Any real dtype and any size, also smaller than a tile. Not modified.
    options : ApplyOptions, optional
    valid_mask, gap_values, saturation
        As in `images.gate.gate_image`.
    on_tiles : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    Separation
        In the unit of the image; NaN where a pixel is not usable. The
        uncertainty is the standard deviation of the predictions of the grids.

    Raises
    ------
    ComputeError
        No usable pixel, or no memory left for a single tile.
    """
    options = options or ApplyOptions()
    gated = gate_image(image, valid_mask=valid_mask, gap_values=gap_values, saturation=saturation)
    shape = (gated.values.shape[0], gated.values.shape[1])
    grids = make_grids(shape, offsets=options.offsets, tile=options.tile, padded=options.padded)
    filled = fill_unusable(gated.values)
    network = network.to(options.device).eval()
    totals = [grid.counts[0] * grid.counts[1] for grid in grids]
    signals, backgrounds = [], []
    for i, grid in enumerate(grids):
        report = _offset_report(on_tiles, sum(totals[:i]), sum(totals))
        signal, background = _separate_grid(network, gated.values, filled, grid, options, report)
        signals.append(signal)
        backgrounds.append(background)
    signal, background, spread = _merge(np.stack(signals), np.stack(backgrounds), options)
    for part in (signal, background, spread):
        part[~gated.valid] = np.nan
    return Separation(signal, background, gated.values, uncertainty=spread)


def predict_tiles(
    network: AdditiveNetwork,
    tiles: Image,
    *,
    options: ApplyOptions,
    on_tiles: Callable[[int], None] | None = None,
) -> tuple[Image, Image]:
    """Run the network over normalised tiles, shape (n, tile, tile), batch by batch."""
    signal, background = np.empty_like(tiles), np.empty_like(tiles)
    batch, start = options.batch_size, 0
    while start < len(tiles):

        def compute(size: int, start: int = start) -> tuple[Image, Image]:
            return _forward(network, tiles[start : start + size], options)

        (s, b), batch = halve_on_out_of_memory(compute, batch, report=_LOG.warning, key=network)
        signal[start : start + len(s)], background[start : start + len(b)] = s, b
        start += len(s)
        if on_tiles is not None:
            on_tiles(start)
    return signal, background


def _forward(network: AdditiveNetwork, tiles: Image, options: ApplyOptions) -> tuple[Image, Image]:
    device = options.device
    x = torch.from_numpy(tiles[:, None]).to(device)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.precision == "bfloat16"),
    ):
        signal, background = network(x)
    return signal[:, 0].float().cpu().numpy(), background[:, 0].float().cpu().numpy()


def _separate_grid(
    network: AdditiveNetwork,
    values: Image,
    filled: Image,
    grid: TileGrid,
    options: ApplyOptions,
    report: Callable[[int], None] | None,
) -> tuple[Image, Image]:
    measured = grid.split(filled)
    known = measured if filled is values else grid.split(values)
    bounds = measure_percentile_range(known, percentiles=options.percentiles)
    signal, background = predict_tiles(network, bounds.apply(measured), options=options, on_tiles=report)
    signal, background = undo_normalization(signal, background, measured, bounds, variant=options.normalization)
    return grid.join(signal), grid.join(background)


def _merge(signals: Image, backgrounds: Image, options: ApplyOptions) -> tuple[Image, Image, Image]:
    if options.normalization == "literal":
        signal, spread = merge_predictions(signals, merge=options.merge)
        background, _ = merge_predictions(backgrounds, merge=options.merge)
        return signal, background, spread
    # One set of weights for both parts: then signal + background stays what
    # each grid made of it, the measured image.
    weights = merge_weights(signals) if options.merge == "weighted" else None
    signal, spread = merge_predictions(signals, merge=options.merge, weights=weights)
    background, _ = merge_predictions(backgrounds, merge=options.merge, weights=weights)
    return signal, background, spread


def _offset_report(
    on_tiles: Callable[[int, int], None] | None, before: int, total: int
) -> Callable[[int], None] | None:
    if on_tiles is None:
        return None
    return lambda done: on_tiles(before + done, total)
