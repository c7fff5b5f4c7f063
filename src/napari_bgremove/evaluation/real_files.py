"""What is known about each real scattering image: its unit floor and its unusable pixels.

A truth image must not contain what no method should have to reproduce: hot
pixels, saturated spots, module gaps, beamstops, readout faults. Every rule
below was found by looking at the image; the comment says what is there.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import disk, polygon2mask

from napari_bgremove.errors import ReadError

__all__ = ["SIGNAL_FILES", "SOURCES", "SignalFile", "build_truth_mask", "load_signal_image"]

_SQUARE = np.ones((3, 3), bool)


@dataclass(frozen=True)
class SignalFile:
    """Rules that turn one file into a truth image and its valid mask.

    Attributes
    ----------
    name, source : str
        File name, and the experiment it belongs to: splits are by source.
    dataset : str
        HDF5 path of the image.
    pedestal : float
        Subtracted, in the unit of the file.
    negative_is_gap, zero_is_gap : bool
        Whether such values mean "not measured"; grown by `grow_gap` pixels.
    saturation : float or None
        Values at or above it are unusable, grown by `grow_saturation` pixels.
    pixels : tuple of (row, column)
        Hot pixels.
    boxes : tuple of (row, row end, column, column end)
        Readout faults, ends excluded.
    discs : tuple of (row, column, radius)
        Round beamstops, in pixels.
    polygons : tuple of ((row, column), ...)
        Other beamstops.
    centre : (row, column) or None
        Where the direct beam hits; None where nobody recorded it.
    """

    name: str
    source: str
    dataset: str = ""
    pedestal: float = 0.0
    negative_is_gap: bool = True
    zero_is_gap: bool = False
    grow_gap: int = 0
    saturation: float | None = None
    grow_saturation: int = 0
    pixels: tuple[tuple[int, int], ...] = ()
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    discs: tuple[tuple[float, float, float], ...] = ()
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    centre: tuple[float, float] | None = None


# Both exposures show the same seven isolated pixels, five of them at 1e6 to
# 4e6 counts (a fifth of all counts), one at 2e5, one at 200 beside 3; and the
# same two round beamstops (reflected and direct beam).
_GIMAP: dict[str, Any] = {
    "source": "gimap",
    "saturation": 2.0**20,
    "pixels": ((610, 1273), (822, 776), (822, 1271), (879, 10), (1065, 225), (1155, 724), (1239, 996)),
    "discs": ((1099.5, 810.5, 22.0), (1306.0, 795.5, 22.0)),
    "centre": (1306.0, 795.5),
}

SIGNAL_FILES: tuple[SignalFile, ...] = (
    SignalFile("gimap_gisaxs_4nm_00005.cbf", **_GIMAP),
    SignalFile("gimap_gisaxs_4nm_00033.cbf", **_GIMAP),
    # Zeros are rebinned bins that no detector pixel fell into; their
    # neighbours were interpolated from them.
    SignalFile(
        "sasview_33837rear_2D.h5",
        "sasview",
        dataset="sasentry01/sasdata/I",
        zero_is_gap=True,
        grow_gap=1,
        centre=(74.5, 74.5),
    ),
    # The smallest value, 1368.5, is the ADU floor; the first three columns
    # stand out even behind the beamstop, so they are readout.
    SignalFile(
        "skbeam_nipa_avg.npy",
        "nipa",
        pedestal=1368.0,
        boxes=((0, 150, 0, 3),),
        polygons=(
            (
                (70, -1),
                (73, 9),
                (79, 18),
                (84, 25),
                (89, 32),
                (94, 41),
                (99, 48),
                (104, 53),
                (109, 56),
                (114, 59),
                (119, 61),
                (124, 67),
                (129, 72),
                (134, 74),
                (139, 76),
                (151, 77),
                (151, -1),
            ),
        ),
        centre=(150.0, 0.0),
    ),
    # CCD: zeros outside the warped frame (with a falling rim), a saturated
    # streak and a saturated last row, shadow ticks along the right edge, a
    # beamstop with the direct beam in it. Spots above about 40 000 hold
    # wrapped-around pixels (52 beside 59 421), so those spots go as a whole.
    # 20 ADU are left in the darkest part of the beamstop.
    SignalFile(
        "lunus_snc_newhead_00001.img",
        "lunus",
        pedestal=20.0,
        zero_is_gap=True,
        grow_gap=3,
        saturation=40000.0,
        grow_saturation=3,
        boxes=((279, 292, 184, 190), (993, 1024, 964, 992), (0, 1024, 995, 1024)),
        discs=((493.5, 531.0, 25.0),),
        centre=(499.0, 532.0),
    ),
    # Photon counting, no pedestal: about 5 counts everywhere are air scatter.
    # Seven isolated pixels at 5 to 10 times their neighbours; a rotated
    # rectangular beamstop.
    SignalFile(
        "bornagain_galaxi_data.tif.gz",
        "galaxi",
        pixels=((53, 28), (55, 28), (718, 320), (718, 322), (815, 393), (908, 139), (962, 172)),
        polygons=(((745, 590), (705, 646), (694, 641), (677, 621), (704, 579), (720, 570)),),
        centre=(711.0, 597.0),
    ),
    # Pedestal-subtracted ADU: negative values are read noise, a measurement.
    # Columns 193 and 194 are the double-size pixels between two chips. Where
    # the beam hits is not recorded.
    SignalFile(
        "lcls2_cspad_cxitut13_r10_32_asic.npy",
        "cspad",
        negative_is_gap=False,
        boxes=((0, 185, 193, 195),),
    ),
)

SOURCES: tuple[str, ...] = tuple(dict.fromkeys(file.source for file in SIGNAL_FILES))
_BY_NAME = {file.name: file for file in SIGNAL_FILES}


def load_signal_image(data_folder: Path | str, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read one real scattering image as truth: pedestal off, unusable pixels NaN.

    Parameters
    ----------
    data_folder : path-like
        Folder that holds `saxs/signal`.
    name : str
        File name, one of `SIGNAL_FILES`.

    Returns
    -------
    values : ndarray, shape (rows, columns), float32
        In the unit of the file; NaN where not usable.
    valid : ndarray of bool, same shape

    Raises
    ------
    ReadError
        When the file is not part of the set, is absent or unreadable.
    """
    if name not in _BY_NAME:
        msg = f"'{name}' must be a signal file of the real test set; known are {', '.join(_BY_NAME)}."
        raise ReadError(msg)
    file = _BY_NAME[name]
    raw = _read(Path(data_folder) / "saxs" / "signal" / name, file.dataset)
    valid = build_truth_mask(raw, file)
    values = (np.asarray(raw, np.float64) - file.pedestal).astype(np.float32)
    values[~valid] = np.nan
    return values, valid


def build_truth_mask(raw: NDArray[Any], file: SignalFile) -> NDArray[np.bool_]:
    """Apply the rules of `file` to its raw values; True where the pixel is usable."""
    numbers = np.asarray(raw, np.float64)
    valid = np.isfinite(numbers)
    valid &= ~_grown(_find_gaps(numbers, file), file.grow_gap)
    if file.saturation is not None:
        valid &= ~_grown(numbers >= file.saturation, file.grow_saturation)
    valid &= ~_draw_shapes(numbers.shape, file)
    return valid


def _find_gaps(numbers: NDArray[np.float64], file: SignalFile) -> NDArray[np.bool_]:
    gaps = np.isin(numbers, (2.0**22 - 1, 2.0**32 - 1))
    if file.negative_is_gap:
        gaps |= numbers < 0
    if file.zero_is_gap:
        gaps |= numbers == 0
    return gaps


def _grown(region: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    return ndimage.binary_dilation(region, _SQUARE, iterations=pixels) if pixels else region


def _draw_shapes(shape: tuple[int, ...], file: SignalFile) -> NDArray[np.bool_]:
    drawn = np.zeros(shape, bool)
    for row, column in file.pixels:
        drawn[row, column] = True
    for top, bottom, left, right in file.boxes:
        drawn[top:bottom, left:right] = True
    for *middle, radius in file.discs:
        drawn[disk(middle, radius, shape=shape)] = True
    for corners in file.polygons:
        drawn |= polygon2mask(shape, np.asarray(corners, float))
    return drawn


def _read(path: Path, dataset: str) -> NDArray[Any]:
    if not path.is_file():
        msg = f"'{path.name}' must lie in the folder saxs/signal of the real data; it is not there. Set BGREMOVE_DATA."
        raise ReadError(msg)
    if path.suffix in (".cbf", ".img"):
        import fabio

        with fabio.open(path) as image:
            return np.asarray(image.data)
    if path.suffix == ".gz":
        import tifffile

        with gzip.open(path) as packed:
            return np.asarray(tifffile.imread(io.BytesIO(packed.read())))
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "r") as file:
            return np.asarray(file[dataset])
    return np.asarray(np.load(path, allow_pickle=False))
