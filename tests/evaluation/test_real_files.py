"""Truth masks: every rule on a made image, and every real file as it was looked at."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.evaluation.real_files import (
    SIGNAL_FILES,
    SOURCES,
    SignalFile,
    build_truth_mask,
    load_signal_image,
)

# Reading and masking the large images takes most of the time here.
load_once = lru_cache(maxsize=None)(load_signal_image)
NAMES = [file.name for file in SIGNAL_FILES]


def _invalid(file: SignalFile, raw: np.ndarray) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in np.argwhere(~build_truth_mask(raw, file))}


def test_gap_marks_and_non_finite_values_are_never_truth() -> None:
    raw = np.ones((4, 4))
    raw[0, 0], raw[0, 1], raw[0, 2], raw[0, 3] = np.nan, np.inf, 2.0**22 - 1, 2.0**32 - 1
    assert _invalid(SignalFile("a", "a"), raw) == {(0, 0), (0, 1), (0, 2), (0, 3)}


def test_negative_values_are_gaps_only_where_the_file_says_so() -> None:
    raw = np.ones((3, 3))
    raw[1, 1] = -2
    assert _invalid(SignalFile("a", "a"), raw) == {(1, 1)}
    assert not _invalid(SignalFile("a", "a", negative_is_gap=False), raw)


def test_gaps_and_saturation_grow_apart() -> None:
    raw = np.ones((9, 9))
    raw[0, 0], raw[6, 6] = 0, 100
    file = SignalFile("a", "a", zero_is_gap=True, grow_gap=0, saturation=50, grow_saturation=1)
    assert _invalid(file, raw) == {(0, 0)} | {(row, column) for row in (5, 6, 7) for column in (5, 6, 7)}


def test_shapes_are_drawn_where_they_are_given() -> None:
    file = SignalFile(
        "a",
        "a",
        pixels=((0, 7),),
        boxes=((2, 3, 0, 2),),
        discs=((6, 6, 1.1),),
        polygons=(((5, 0), (5, 2), (7, 2), (7, 0)),),
    )
    invalid = _invalid(file, np.ones((8, 8)))
    assert {(0, 7), (2, 0), (2, 1), (6, 6), (5, 6), (6, 5), (7, 6), (6, 7), (6, 1)} <= invalid
    assert {(3, 0), (5, 5), (0, 6)}.isdisjoint(invalid)


def test_a_foreign_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"'cat\.tif' must be a signal file of the real test set; known are gimap"):
        load_signal_image(tmp_path, "cat.tif")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"'skbeam_nipa_avg\.npy' must lie in the folder saxs/signal .* BGREMOVE_DATA"):
        load_signal_image(tmp_path, "skbeam_nipa_avg.npy")


def test_there_are_six_sources() -> None:
    assert SOURCES == ("gimap", "sasview", "nipa", "lunus", "galaxi", "cspad")


@pytest.mark.parametrize("name", NAMES)
def test_a_real_image_is_float32_with_nan_exactly_where_invalid(shared_data: Path, name: str) -> None:
    values, valid = load_once(shared_data, name)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(values), valid)
    assert valid.mean() > 0.75


# (file, pixel, usable): read off the images, see the comments in real_files.py
LOOKED_AT = [
    ("gimap_gisaxs_4nm_00005.cbf", (879, 10), False),  # 4 194 300 beside 0
    ("gimap_gisaxs_4nm_00005.cbf", (1239, 996), False),  # 205 beside 3
    ("gimap_gisaxs_4nm_00005.cbf", (1099, 810), False),  # beamstop
    ("gimap_gisaxs_4nm_00005.cbf", (1170, 792), True),  # the brightest real spot
    ("gimap_gisaxs_4nm_00005.cbf", (1050, 700), False),  # module gap
    ("sasview_33837rear_2D.h5", (74, 74), False),  # behind the beamstop
    ("sasview_33837rear_2D.h5", (77, 80), True),  # the brightest bin
    ("skbeam_nipa_avg.npy", (140, 20), False),  # beamstop
    ("skbeam_nipa_avg.npy", (20, 1), False),  # bright first columns
    ("skbeam_nipa_avg.npy", (95, 44), True),  # the brightest speckle
    ("lunus_snc_newhead_00001.img", (285, 186), False),  # saturated streak
    ("lunus_snc_newhead_00001.img", (531, 551), False),  # 52 in the middle of 59 421: wrapped around
    ("lunus_snc_newhead_00001.img", (499, 532), False),  # direct beam in the beamstop
    ("lunus_snc_newhead_00001.img", (530, 531), True),  # a spot of 6 674 that is whole
    ("bornagain_galaxi_data.tif.gz", (557, 597), True),  # 247 736: specular peak, wide
    ("bornagain_galaxi_data.tif.gz", (53, 28), False),  # 82 beside 11
    ("bornagain_galaxi_data.tif.gz", (711, 607), False),  # beamstop
    ("bornagain_galaxi_data.tif.gz", (300, 490), False),  # module gap
    ("lcls2_cspad_cxitut13_r10_32_asic.npy", (50, 193), False),  # double-size column
    ("lcls2_cspad_cxitut13_r10_32_asic.npy", (59, 112), True),  # Bragg spot
]


@pytest.mark.parametrize(("name", "pixel", "usable"), LOOKED_AT)
def test_the_mask_is_what_was_seen(shared_data: Path, name: str, pixel: tuple[int, int], usable: bool) -> None:
    assert load_once(shared_data, name)[1][pixel] == usable


def test_only_the_pedestal_subtracted_detector_keeps_negative_values(shared_data: Path) -> None:
    for file in SIGNAL_FILES:
        values, valid = load_once(shared_data, file.name)
        assert (values[valid].min() < 0) == (file.source == "cspad")
