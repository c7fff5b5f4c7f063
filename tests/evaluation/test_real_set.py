"""The real test set: it never changes, and tuning never sees what is tested on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_bgremove.errors import ReadError
from napari_bgremove.evaluation.hits import CosmicHits, Sr90Hits, read_cosmic_hits, read_sr90_hits
from napari_bgremove.evaluation.real_files import SIGNAL_FILES, SOURCES
from napari_bgremove.evaluation.real_set import RealPatch, iter_clean_images, iter_real_patches

SR90 = "saxs/noise/cernatschool_sr90_0-00mm_frame_x_y_tot.npz"
COSMIC = "saxs/noise/imsim_cosmic_rays_itl_2017.fits.gz"


@lru_cache(maxsize=1)
def patches_at_10_kev(folder: Path) -> tuple[RealPatch, ...]:
    return tuple(iter_real_patches(folder, levels=(10.0,)))


@pytest.fixture
def ten_frames() -> Sr90Hits:
    """Frame i has one lit pixel at (i, i) with i + 1 keV."""
    index = np.arange(10)
    return Sr90Hits(index, index, (index + 1).astype(np.float32), np.arange(11), 1.0)


@pytest.mark.parametrize(("validation", "seen"), [(True, {1, 2, 3, 4, 5}), (False, {6, 7, 8, 9, 10})])
def test_validation_and_test_never_share_a_frame(ten_frames: Sr90Hits, validation: bool, seen: set[int]) -> None:
    total = ten_frames.draw(np.random.default_rng(0), 5, validation=validation, shape=(256, 256))
    assert set(total[total > 0].astype(int)) == seen


def test_the_halves_of_the_footprints_are_never_mixed() -> None:
    hits = CosmicHits(tuple(np.full((1, 1), float(value), np.float32) for value in (1, 1, 1000, 1000)), 50.0)
    low = hits.draw(np.random.default_rng(0), 3, validation=True, shape=(64, 64))
    high = hits.draw(np.random.default_rng(0), 3, validation=False, shape=(64, 64))
    assert 0 < low.max() < 100
    assert high[high > 0].min() == 1000


def test_a_footprint_over_the_edge_is_cut_not_wrapped() -> None:
    hits = CosmicHits((np.ones((9, 9), np.float32),) * 2, 65536.0 / 64)
    total = hits.draw(np.random.default_rng(1), 1, validation=True, shape=(8, 8))
    assert total.sum() > 0
    assert total.shape == (8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "train"}, "'split' must be one of validation, test; found 'train'"),
        ({"hits": "muons"}, "'hits' must be one of sr90, cosmic, weak; found 'muons'"),
        ({"sources": ("cat",)}, "'source' must be one of gimap, .*; found 'cat'"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_read(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        iter_real_patches("/nowhere", **arguments)


@pytest.mark.parametrize(("reader", "extra"), [(read_sr90_hits, ()), (read_cosmic_hits, (1.0,))])
def test_absent_hits_are_named(tmp_path: Path, reader: object, extra: tuple[float, ...]) -> None:
    with pytest.raises(ReadError, match=r"'hits\.npz' must lie in the folder saxs/noise .* BGREMOVE_DATA"):
        reader(tmp_path / "hits.npz", *extra)


def test_without_astropy_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hits.fits").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "astropy.io", None)
    with pytest.raises(ReadError, match=r"'hits\.fits' is a FITS table and needs astropy, .* pip install astropy"):
        read_cosmic_hits(tmp_path / "hits.fits", 1.0)


def test_the_median_real_cluster_is_100_kev(shared_data: Path) -> None:
    hits = read_sr90_hits(shared_data / SR90)
    sums = []
    for begin, end in zip(hits.starts[:60], hits.starts[1:61], strict=True):
        image = np.zeros((256, 256))
        image[hits.row[begin:end], hits.column[begin:end]] = hits.kev[begin:end]
        labels, count = ndimage.label(image, np.ones((3, 3)))
        sums.extend(ndimage.sum(image, labels, range(1, count + 1)))
    assert len(hits.starts) == 601
    assert np.median(sums) == pytest.approx(100, rel=0.1)


def test_the_median_footprint_is_100_kev(shared_data: Path) -> None:
    pytest.importorskip("astropy", reason="astropy, an optional library, reads FITS tables")
    footprints = read_cosmic_hits(shared_data / COSMIC, 72.0).footprints
    assert len(footprints) == 1764  # imSim's own count
    assert np.median([footprint.sum() for footprint in footprints]) == pytest.approx(100, rel=1e-5)


def test_every_source_has_patches_and_they_are_the_same_every_time(shared_data: Path) -> None:
    first, second = patches_at_10_kev(shared_data), iter_real_patches(shared_data, levels=(10.0,))
    assert tuple(dict.fromkeys(patch.source for patch in first)) == SOURCES
    assert all(4 <= sum(patch.source == source for patch in first) <= 10 for source in SOURCES)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.measured, other.measured)


@pytest.mark.parametrize("hits", ["sr90", "weak"])
def test_a_patch_is_truth_plus_hits_plus_read_noise(shared_data: Path, hits: str) -> None:
    frames = {"sr90": (10, 60), "weak": (1, 4)}[hits]
    for patch in iter_real_patches(shared_data, levels=(10.0, 30.0), hits=hits, sources=("nipa", "cspad")):
        added = (patch.measured - patch.truth)[patch.valid]
        assert patch.truth.shape == (128, 128)
        assert patch.truth.dtype == patch.measured.dtype == np.float32
        assert np.percentile(patch.truth[patch.valid], 99) == pytest.approx(patch.level_kev, rel=1e-4)
        assert frames[0] <= patch.frames <= frames[1]
        # 0.3 keV read noise where nothing hit: the dark side of the distribution
        assert np.median(added) - np.percentile(added, 15.87) == pytest.approx(0.3, abs=0.15)
        np.testing.assert_array_equal(np.isfinite(patch.measured), patch.valid)


def test_a_patch_has_the_same_hits_at_every_level_and_others_in_validation(shared_data: Path) -> None:
    test = list(iter_real_patches(shared_data, levels=(10.0, 100.0), sources=("nipa",)))
    other = list(iter_real_patches(shared_data, levels=(10.0,), split="validation", sources=("nipa",)))
    low, high = test[0], test[1]
    np.testing.assert_allclose(low.measured - low.truth, high.measured - high.truth, atol=1e-3)
    np.testing.assert_allclose(low.truth, other[0].truth)
    assert not np.allclose(low.measured, other[0].measured, equal_nan=True)


def test_the_beam_centre_moves_with_the_patch(shared_data: Path) -> None:
    known = {file.name: file.centre for file in SIGNAL_FILES}
    for patch in patches_at_10_kev(shared_data):
        centre = known[patch.file]
        expected = None if centre is None else (centre[0] - patch.row, centre[1] - patch.column)
        assert patch.centre == expected


def test_every_patch_is_mostly_usable_and_not_empty(shared_data: Path) -> None:
    for patch in patches_at_10_kev(shared_data):
        assert patch.valid.mean() > 0.7
        assert (patch.truth[patch.valid] > 0).mean() > 0.7


def test_clean_images_are_whole_and_without_hits(shared_data: Path) -> None:
    images = list(iter_clean_images(shared_data))
    assert [image.file for image in images] == [file.name for file in SIGNAL_FILES]
    assert images[0].values.shape == (1679, 1475)
