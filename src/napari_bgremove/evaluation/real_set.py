"""The real test set: real scattering images plus real high-energy hits, summed.

Nobody owns a shot of which signal and background are known apart. So a real
image is the truth, real hits recorded elsewhere are the background, and their
sum is what a method gets to see. Patch positions are committed
(`real_set.json`), every random draw has a seed of its own, and the frames are
split: tuning sees the first half of the hits, the card the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_choice
from napari_bgremove.evaluation.hits import CosmicHits, Sr90Hits, read_cosmic_hits, read_sr90_hits
from napari_bgremove.evaluation.real_files import SIGNAL_FILES, SOURCES, load_signal_image

__all__ = [
    "HIT_KINDS",
    "LEVELS_KEV",
    "SPLITS",
    "WEAK_LEVELS_KEV",
    "CleanImage",
    "RealPatch",
    "count_real_patches",
    "iter_clean_images",
    "iter_real_patches",
    "load_signal_image",
]

LEVELS_KEV = (3.0, 10.0, 30.0, 100.0)
WEAK_LEVELS_KEV = (30.0, 100.0, 300.0)
SPLITS = ("validation", "test")
READ_NOISE_KEV = 0.3
# "weak" is the setting in which doing nothing was the best of 16 filters.
_FRAMES = {"sr90": (10, 60), "cosmic": (10, 60), "weak": (1, 4)}
HIT_KINDS = tuple(_FRAMES)
# The 1.46 mm file calibrates the generator, so it never appears here.
_SR90_FILE = "cernatschool_sr90_0-00mm_frame_x_y_tot.npz"
_COSMIC_FILE = "imsim_cosmic_rays_itl_2017.fits.gz"
_SEED = 2586
Image = NDArray[np.float32]


@dataclass(frozen=True)
class RealPatch:
    """One test item: what a method sees, and what it should find.

    Attributes
    ----------
    source, file : str
        Experiment (splits are by it) and file.
    row, column : int
        Upper left corner in the file's image.
    split, hits : str
        "validation" or "test"; "sr90", "cosmic" or "weak".
    level_kev : float
        99th percentile of the truth patch.
    truth, measured : ndarray, shape (128, 128), float32
        keV; NaN where not valid. measured = truth + hits + read noise.
    valid : ndarray of bool
        True where the truth is known.
    frames : int
        How many hit frames were summed.
    seed : tuple of int
        Seed of the hits; the same at every level.
    centre : (row, column) or None
        Direct beam in the patch's own coordinates; None where unknown.
    """

    source: str
    file: str
    row: int
    column: int
    split: str
    hits: str
    level_kev: float
    truth: Image
    measured: Image
    valid: NDArray[np.bool_]
    frames: int
    seed: tuple[int, ...]
    centre: tuple[float, float] | None


@dataclass(frozen=True)
class CleanImage:
    """A whole real image without hits: a method should leave it alone.

    `values` are in the unit of the file, NaN where not `valid`.
    """

    source: str
    file: str
    values: Image
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class _Place:
    file: str
    row: int
    column: int


def iter_real_patches(
    data_folder: Path | str,
    *,
    levels: Sequence[float] = LEVELS_KEV,
    split: str = "test",
    hits: str = "sr90",
    sources: Sequence[str] = SOURCES,
) -> Iterator[RealPatch]:
    """Build the test items one by one, always the same ones.

    Parameters
    ----------
    data_folder : path-like
        Folder that holds `saxs/signal` and `saxs/noise`.
    levels : sequence of float
        99th percentiles of the truth patch, in keV.
    split : {"test", "validation"}
        Which half of the hits is added. The places are the same: whoever
        tunes leaves the source out that the result is applied to.
    hits : {"sr90", "cosmic", "weak"}
        10-60 summed Sr-90 frames, as many cosmic-ray footprints, or 1-4 Sr-90 frames.
    sources : sequence of str
        Experiments to take.

    Yields
    ------
    RealPatch
        Levels innermost, so that the truth is cut once.

    Raises
    ------
    ValueError
        For an unknown split, kind of hits or source.
    ReadError
        When a data file is absent or unreadable.
    """
    check_choice("split", split, SPLITS)
    check_choice("hits", hits, HIT_KINDS)
    for source in sources:
        check_choice("source", source, SOURCES)
    return _iter_patches(Path(data_folder), tuple(levels), split, hits, tuple(sources))


def count_real_patches(levels: Sequence[float], *, sources: Sequence[str] = SOURCES) -> int:
    """Return how many items `iter_real_patches` yields."""
    source_of = {file.name: file.source for file in SIGNAL_FILES}
    return len(levels) * sum(source_of[place.file] in sources for place in _read_places()[1])


def iter_clean_images(data_folder: Path | str) -> Iterator[CleanImage]:
    """Yield every real signal image as it is, pedestal off, without added hits."""
    for file in SIGNAL_FILES:
        values, valid = load_signal_image(data_folder, file.name)
        yield CleanImage(file.source, file.name, values, valid)


def _iter_patches(
    folder: Path, levels: tuple[float, ...], split: str, hits: str, sources: tuple[str, ...]
) -> Iterator[RealPatch]:
    known = {file.name: file for file in SIGNAL_FILES}
    reader = _open_hits(folder, hits)
    shape, places = _read_places()
    values, name = np.empty((0, 0), np.float32), ""
    for index, place in enumerate(places):
        file = known[place.file]
        if file.source not in sources:
            continue
        if place.file != name:
            values, name = load_signal_image(folder, place.file)[0], place.file
        truth = values[place.row : place.row + shape[0], place.column : place.column + shape[1]]
        valid = np.isfinite(truth)
        seed = (_SEED, SPLITS.index(split), HIT_KINDS.index(hits), index)
        background, frames = _draw_background(reader, seed, split, hits, shape)
        centre = (file.centre[0] - place.row, file.centre[1] - place.column) if file.centre else None
        unit = np.percentile(truth[valid], 99)
        for level in levels:
            scaled = truth * np.float32(level / unit)
            yield RealPatch(
                file.source,
                place.file,
                place.row,
                place.column,
                split,
                hits,
                float(level),
                scaled,
                scaled + background,
                valid,
                frames,
                seed,
                centre,
            )


def _open_hits(folder: Path, hits: str) -> Sr90Hits | CosmicHits:
    noise = folder / "saxs" / "noise"
    tracks = read_sr90_hits(noise / _SR90_FILE)
    return read_cosmic_hits(noise / _COSMIC_FILE, tracks.clusters_per_frame) if hits == "cosmic" else tracks


def _draw_background(
    reader: Sr90Hits | CosmicHits, seed: tuple[int, ...], split: str, hits: str, shape: tuple[int, int]
) -> tuple[Image, int]:
    rng = np.random.default_rng(seed)
    low, high = _FRAMES[hits]
    frames = int(rng.integers(low, high + 1))
    deposited = reader.draw(rng, frames, validation=split == "validation", shape=shape)
    read_noise = rng.normal(0, READ_NOISE_KEV, shape).astype(np.float32)
    return deposited + read_noise, frames


@lru_cache(maxsize=1)
def _read_places() -> tuple[tuple[int, int], tuple[_Place, ...]]:
    table = json.loads(files("napari_bgremove.evaluation").joinpath("real_set.json").read_text(encoding="utf-8"))
    rows, columns = table["patch_shape"]
    return (rows, columns), tuple(_Place(item["file"], item["row"], item["column"]) for item in table["patches"])
