"""Real high-energy hits for the test set: Sr-90 tracks and cosmic-ray footprints.

Both are recorded one at a time and summed here, because a laser shot brings
many at once. Their unit is made keV by one number per file: the median
cluster is set to 100 keV.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_bgremove.errors import ReadError

__all__ = ["CosmicHits", "Sr90Hits", "read_cosmic_hits", "read_sr90_hits"]

MEDIAN_CLUSTER_KEV = 100.0
_FRAME = 256
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Sr90Hits:
    """Timepix frames of Sr-90 electron tracks.

    Attributes
    ----------
    row, column : ndarray of int
        Where each lit pixel lies on the 256x256 sensor.
    kev : ndarray of float32
        Its deposited energy.
    starts : ndarray of int, shape (frames + 1,)
        Frame i holds the pixels starts[i]:starts[i + 1].
    clusters_per_frame : float
        Mean number of 8-connected clusters.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    kev: Image
    starts: NDArray[np.int64]
    clusters_per_frame: float

    def draw(self, rng: np.random.Generator, frames: int, *, validation: bool, shape: tuple[int, int]) -> Image:
        """Sum `frames` different frames of one half of the file and cut `shape` out.

        The first half of the file belongs to validation, the second to test.
        """
        half = (len(self.starts) - 1) // 2
        chosen = rng.choice(half, frames, replace=False) + (0 if validation else half)
        total = np.zeros((_FRAME, _FRAME), np.float32)
        for frame in chosen:
            lit = slice(self.starts[frame], self.starts[frame + 1])
            np.add.at(total, (self.row[lit], self.column[lit]), self.kev[lit])
        top, left = (int(rng.integers(0, _FRAME - size + 1)) for size in shape)
        return total[top : top + shape[0], left : left + shape[1]].copy()


@dataclass(frozen=True)
class CosmicHits:
    """Cosmic-ray footprints of CCD darks, each a small image in keV."""

    footprints: tuple[Image, ...]
    clusters_per_frame: float

    def draw(self, rng: np.random.Generator, frames: int, *, validation: bool, shape: tuple[int, int]) -> Image:
        """Scatter as many footprints as `frames` Sr-90 frames hold clusters per area.

        The first half of the footprints belongs to validation, the second to
        test; each may be drawn several times, at any position that touches
        the image.
        """
        half = len(self.footprints) // 2
        pool = self.footprints[:half] if validation else self.footprints[half:]
        total = np.zeros(shape, np.float32)
        count = rng.poisson(frames * self.clusters_per_frame * shape[0] * shape[1] / _FRAME**2)
        for index in rng.integers(0, len(pool), count):
            _add_clipped(total, pool[index], rng)
        return total


@lru_cache(maxsize=4)
def read_sr90_hits(path: Path) -> Sr90Hits:
    """Read a CERN@school frame/x/y/ToT table; median cluster = 100 keV.

    Raises
    ------
    ReadError
        When the file is absent.
    """
    if not path.is_file():
        msg = f"'{path.name}' must lie in the folder saxs/noise of the real data; it is not there. Set BGREMOVE_DATA."
        raise ReadError(msg)
    with np.load(path, allow_pickle=False) as archive:
        frame, column, row, tot = archive["frame_x_y_tot"].astype(np.int64).T
    order = np.argsort(frame, kind="stable")
    frame, column, row, tot = frame[order], column[order], row[order], tot[order]
    starts = np.searchsorted(frame, np.arange(frame.max() + 2))
    sums = _cluster_sums(row, column, tot, starts)
    kev = (tot * (MEDIAN_CLUSTER_KEV / np.median(sums))).astype(np.float32)
    return Sr90Hits(row, column, kev, starts, len(sums) / (len(starts) - 1))


@lru_cache(maxsize=2)
def read_cosmic_hits(path: Path, clusters_per_frame: float) -> CosmicHits:
    """Read the LSST cosmic-ray catalogue; median footprint = 100 keV.

    Raises
    ------
    ReadError
        When the file is absent, or astropy (an optional library) is.
    """
    if not path.is_file():
        msg = f"'{path.name}' must lie in the folder saxs/noise of the real data; it is not there. Set BGREMOVE_DATA."
        raise ReadError(msg)
    try:
        from astropy.io import fits
    except ImportError as error:
        msg = f"'{path.name}' is a FITS table and needs astropy, which is not installed. Run: pip install astropy"
        raise ReadError(msg) from error
    with fits.open(path) as file:
        table = file[1].data
        spans = list(zip(table["fp_id"], table["x0"], table["y0"], table["pixel_values"], strict=True))
    footprints = _assemble(spans)
    scale = np.float32(MEDIAN_CLUSTER_KEV / np.median([footprint.sum() for footprint in footprints]))
    return CosmicHits(tuple(footprint * scale for footprint in footprints), clusters_per_frame)


def _cluster_sums(
    row: NDArray[np.int64], column: NDArray[np.int64], tot: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = []
    for begin, end in pairwise(starts):
        image = np.zeros((_FRAME, _FRAME))
        np.add.at(image, (row[begin:end], column[begin:end]), tot[begin:end])
        labels, count = ndimage.label(image, _EIGHT_NEIGHBOURS)
        sums.append(np.asarray(ndimage.sum(image, labels, np.arange(1, count + 1)), np.float64))
    return np.concatenate(sums)


def _assemble(spans: list[tuple[int, int, int, NDArray[np.int32]]]) -> list[Image]:
    """Put the row pieces (id, first column, row, values) of each footprint together."""
    pieces: dict[int, list[tuple[int, int, NDArray[np.int32]]]] = {}
    for footprint, column, row, values in spans:
        pieces.setdefault(int(footprint), []).append((int(row), int(column), values))
    images = []
    for _, parts in sorted(pieces.items()):
        top = min(row for row, _, _ in parts)
        left = min(column for _, column, _ in parts)
        bottom = max(row for row, _, _ in parts) + 1
        right = max(column + len(values) for _, column, values in parts)
        image = np.zeros((bottom - top, right - left), np.float32)
        for row, column, values in parts:
            image[row - top, column - left : column - left + len(values)] += values
        images.append(image)
    return images


def _add_clipped(total: Image, footprint: Image, rng: np.random.Generator) -> None:
    """Add `footprint` at a random place; what sticks out over the edge is lost."""
    height, width = footprint.shape
    top = int(rng.integers(-height + 1, total.shape[0]))
    left = int(rng.integers(-width + 1, total.shape[1]))
    rows = slice(max(top, 0), min(top + height, total.shape[0]))
    columns = slice(max(left, 0), min(left + width, total.shape[1]))
    total[rows, columns] += footprint[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
