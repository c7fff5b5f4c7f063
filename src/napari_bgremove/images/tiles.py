"""Four shifted grids of tiles, and how their predictions become one image.

Starke & Smid split an image into 128 x 128 tiles four times, at the offsets
[0,0], [96,32], [32,96] and [64,64], and merge the four predictions of a pixel
by w_i = 1 / (|p_i - m| / 2 + 2). As published, pixels near the rim get fewer
than four predictions; padded, every pixel of any image gets all four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.errors import ComputeError

__all__ = ["GRID_OFFSETS", "MERGES", "TileGrid", "make_grid", "make_grids", "merge_predictions", "merge_weights"]

GRID_OFFSETS = ((0, 0), (96, 32), (32, 96), (64, 64))
MERGES = ("weighted", "median", "mean")
Image = NDArray[np.float32]


@dataclass(frozen=True)
class TileGrid:
    """One regular grid of tiles over an image.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image, (rows, columns).
    tile : int
        Side of a tile in pixels.
    pad : tuple of tuple of int
        Rows and columns added before and after, ((top, bottom), (left, right)).
        Negative at the front: rows the grid leaves out (literal mode).
    """

    shape: tuple[int, int]
    tile: int
    pad: tuple[tuple[int, int], tuple[int, int]]

    @property
    def counts(self) -> tuple[int, int]:
        """Number of tiles along rows and columns."""
        rows, columns = (
            (n + before + after) // self.tile for n, (before, after) in zip(self.shape, self.pad, strict=True)
        )
        return rows, columns

    def split(self, image: Image) -> Image:
        """Cut `image` into tiles, shape (n, tile, tile); the rim is mirrored."""
        inner = image[
            tuple(
                slice(max(-before, 0), n - max(-after, 0))
                for n, (before, after) in zip(self.shape, self.pad, strict=True)
            )
        ]
        widths = [(max(before, 0), max(after, 0)) for before, after in self.pad]
        padded = _mirror(inner, widths) if any(any(w) for w in widths) else inner
        rows, columns = self.counts
        tiles = padded.reshape(rows, self.tile, columns, self.tile).swapaxes(1, 2)
        return np.ascontiguousarray(tiles.reshape(-1, self.tile, self.tile))

    def join(self, tiles: Image) -> Image:
        """Put tiles back in place, shape `shape`; NaN where the grid has no tile."""
        rows, columns = self.counts
        padded = (
            tiles.reshape(rows, columns, self.tile, self.tile)
            .swapaxes(1, 2)
            .reshape(rows * self.tile, columns * self.tile)
        )
        image = np.full(self.shape, np.nan, dtype=np.float32)
        target, source = [], []
        for n, (before, after) in zip(self.shape, self.pad, strict=True):
            target.append(slice(max(-before, 0), n - max(-after, 0)))
            source.append(slice(max(before, 0), max(before, 0) + n - max(-before, 0) - max(-after, 0)))
        image[tuple(target)] = padded[tuple(source)]
        return image


def make_grid(
    shape: tuple[int, int], offset: tuple[int, int] = (0, 0), *, tile: int = 128, padded: bool = True
) -> TileGrid:
    """Lay a grid of tiles over an image.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns) of the image.
    offset : tuple of int
        Row and column of the first tile that starts inside the image.
    tile : int
        Tile side in pixels.
    padded : bool
        True mirrors the rim until every pixel lies in a tile. False keeps to
        whole tiles inside the image, as published.

    Raises
    ------
    ComputeError
        In literal mode, when no whole tile fits.
    """
    pads = []
    for n, start in zip(shape, offset, strict=True):
        first = start % tile
        if padded:
            before = (tile - first) % tile
            pads.append((before, -(n + before) % tile))
        else:
            whole = max(n - first, 0) // tile
            if whole == 0:
                msg = (
                    f"'tile' {tile} does not fit the image ({shape[0]} x {shape[1]} pixels) at offset "
                    f"({offset[0]}, {offset[1]}); use the padded mode."
                )
                raise ComputeError(msg)
            pads.append((-first, -(n - first - whole * tile)))
    return TileGrid(shape, tile, (pads[0], pads[1]))


def make_grids(
    shape: tuple[int, int],
    *,
    offsets: Sequence[tuple[int, int]] = GRID_OFFSETS,
    tile: int = 128,
    padded: bool = True,
) -> list[TileGrid]:
    """Return one grid per offset."""
    return [make_grid(shape, offset, tile=tile, padded=padded) for offset in offsets]


def merge_weights(predictions: Image) -> Image:
    """Return w_i = 1 / (|p_i - m| / 2 + 2), with m the mean of the predictions of a pixel.

    Parameters
    ----------
    predictions : ndarray, shape (k, ...)
        NaN where a grid has no prediction; its weight is 0.

    Notes
    -----
    The 2 carries the unit of the image: measured in keV, an outlier of a few
    keV keeps half its weight; in units a thousand times smaller it keeps
    almost none. The median has no unit.
    """
    present = np.isfinite(predictions)
    values = np.where(present, predictions, 0)
    mean = values.sum(0) / np.maximum(present.sum(0), 1)
    weights = np.where(present, 1 / (np.abs(values - mean) / 2 + 2), 0)
    return weights.astype(np.float32)


def merge_predictions(
    predictions: Image, *, merge: str = "weighted", weights: Image | None = None
) -> tuple[Image, Image]:
    """Merge the predictions of several grids, and say how far they disagree.

    Parameters
    ----------
    predictions : ndarray, shape (k, rows, columns)
        NaN where a grid has no prediction.
    merge : {"weighted", "median", "mean"}
        "weighted" is the published rule.
    weights : ndarray, shape (k, rows, columns), optional
        Used in place of `merge_weights(predictions)`.

    Returns
    -------
    merged : ndarray, shape (rows, columns)
        Between the smallest and the largest prediction; NaN where there is none.
    spread : ndarray, shape (rows, columns)
        Standard deviation of the predictions; 0 where there is only one.
    """
    check_choice("merge", merge, MERGES)
    present = np.isfinite(predictions)
    none = ~present.any(0)
    count = np.maximum(present.sum(0), 1)
    values = np.where(present, predictions, 0).astype(np.float32)
    mean = values.sum(0) / count
    spread = np.sqrt(np.where(present, (values - mean) ** 2, 0).sum(0) / count)
    if merge == "median":
        merged = np.nanmedian(np.where(none, 0, predictions), axis=0)
    elif merge == "mean":
        merged = mean
    else:
        w = merge_weights(predictions) if weights is None else np.where(present, weights, 0)
        total = w.sum(0)
        merged = (w * values).sum(0) / np.where(total > 0, total, 1)
    merged = np.where(none, np.nan, merged).astype(np.float32)
    return merged, np.where(none, np.nan, spread).astype(np.float32)


def _mirror(image: Image, widths: list[tuple[int, int]]) -> Image:
    # "reflect" does not repeat the rim row, so a hit on the rim is not doubled;
    # an axis of a single pixel has nothing to reflect and is repeated.
    for axis, width in enumerate(widths):
        mode = "reflect" if image.shape[axis] > 1 else "edge"
        pads = [(0, 0), (0, 0)]
        pads[axis] = width
        image = np.pad(image, pads, mode=mode)  # type: ignore[call-overload]
    return image
