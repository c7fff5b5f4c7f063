"""Laws of the triplets: three different targets, one crop within one block, and nothing but (seed, epoch, index)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.triplets import SpectraTriplets, measure_block_scales
from napari_bgremove.spectra.spectra_set import Block, SpectraSet, make_spectra_set

BLOCKS = (Block("UV", 0, 20), Block("VIO", 20, 32), Block("VNIR", 32, 60))
SCALES = (1.0, 1.0, 1.0)


def _spectra(counts: tuple[int, ...] = (3, 1, 40, 2)) -> SpectraSet:
    """Each value tells its row and channel: row + channel / 1000."""
    names = np.repeat([f"t{i}" for i in range(len(counts))], counts)
    values = np.arange(len(names))[:, None] + np.arange(60) / 1000
    return make_spectra_set(np.arange(60.0), values.astype(np.float32), targets=names, blocks=BLOCKS)


def _rows_and_channels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.floor(values[:, 0] + 5e-4).astype(int)
    return rows[:, 0], np.round((values[:, 0] - rows) * 1000).astype(int)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 1000), crop=st.sampled_from([None, 1, 5, 12]))
def test_three_targets_one_repeat_and_one_crop_within_one_block(seed: int, epoch: int, crop: int | None) -> None:
    spectra = _spectra()
    batch = SpectraTriplets(spectra, SCALES, seed=seed, crop=crop).batch(epoch, range(12))
    found = {role: _rows_and_channels(batch[role]) for role in ("measured", "second", "third", "repeat")}
    targets = {role: spectra.targets[rows] for role, (rows, _) in found.items()}
    assert (targets["measured"] != targets["second"]).all()
    assert (targets["measured"] != targets["third"]).all()
    assert (targets["second"] != targets["third"]).all()
    assert (targets["measured"] == targets["repeat"]).all()
    alone = targets["measured"] == "t1"
    assert ((found["measured"][0] == found["repeat"][0]) == alone).all()  # another shot, where there is one
    channels = found["measured"][1]
    for _, others in found.values():
        np.testing.assert_array_equal(others, channels)
    assert (np.diff(channels, axis=1) == 1).all()
    block_of = np.repeat(range(3), [len(block) for block in BLOCKS])[channels]
    np.testing.assert_array_equal(batch.pop("block"), block_of)
    if crop is not None:
        assert (block_of == block_of[:, :1]).all()
    assert {a.dtype for a in batch.values()} == {np.dtype(np.float32)}
    assert {a.shape for a in batch.values()} == {(12, 1, crop or 60)}


def test_a_sample_depends_on_nothing_but_seed_epoch_and_index() -> None:
    data = SpectraTriplets(_spectra(), SCALES, seed=3, crop=7)
    together = data.batch(2, [5, 0, 9])
    alone = [SpectraTriplets(_spectra(), SCALES, seed=3, crop=7).batch(2, [i]) for i in (5, 0, 9)]
    for name, values in together.items():
        np.testing.assert_array_equal(values, np.concatenate([one[name] for one in alone]))
    for other in (data.batch(3, [5, 0, 9]), replace(data, seed=4).batch(2, [5, 0, 9])):
        assert any((other[name] != together[name]).any() for name in together)


def test_validation_draws_the_same_in_every_epoch() -> None:
    data = SpectraTriplets(_spectra(), SCALES, fixed=True)
    first, later = data.batch(0, range(5)), data.batch(7, range(5))
    assert all((first[name] == later[name]).all() for name in first)


def test_targets_are_drawn_alike_however_many_spectra_they_have() -> None:
    """4000 draws of each role: every target a quarter within 5 standard deviations, of 40 spectra or of one."""
    spectra = _spectra()
    batch = SpectraTriplets(spectra, SCALES, crop=1).batch(0, range(4000))
    for role in ("measured", "second", "third"):
        rows, _ = _rows_and_channels(batch[role] - batch[role] % 1)
        shares = [float(np.mean(spectra.targets[rows] == target)) for target in spectra.distinct_targets]
        assert shares == pytest.approx([0.25] * 4, abs=5 * np.sqrt(0.25 * 0.75 / 4000))


def test_crops_begin_wherever_they_fit() -> None:
    """9 + 1 + 17 places for 12 channels in blocks of 20, 12 and 28."""
    batch = SpectraTriplets(_spectra(), SCALES, crop=12).batch(0, range(2000))
    _, channels = _rows_and_channels(batch["measured"])
    assert sorted(set(channels[:, 0].tolist())) == [*range(9), 20, *range(32, 49)]


def test_an_epoch_has_as_many_triplets_as_there_are_spectra() -> None:
    assert len(SpectraTriplets(_spectra(), SCALES)) == 46


def test_spectra_are_divided_block_by_block_and_stay_as_they_were() -> None:
    spectra = _spectra()
    before = spectra.spectra.copy()
    whole = SpectraTriplets(spectra, SCALES).batch(0, range(4))["measured"]
    scaled = SpectraTriplets(spectra, (2.0, 4.0, 8.0)).batch(0, range(4))["measured"]
    np.testing.assert_array_equal(scaled, whole / np.repeat([2, 4, 8], [20, 12, 28]).astype(np.float32))
    np.testing.assert_array_equal(spectra.spectra, before)


def test_marked_channels_are_not_free_in_whole_spectra_and_in_crops() -> None:
    marked = np.zeros(60, bool)
    marked[[3, 4, 25, 40]] = True
    for crop in (None, 12):
        batch = SpectraTriplets(_spectra(), SCALES, crop=crop, signal_channels=marked).batch(0, range(50))
        _, channels = _rows_and_channels(batch["measured"])
        np.testing.assert_array_equal(batch["free"][:, 0] == 0, marked[channels])


def test_a_lazy_set_gives_the_same_triplets() -> None:
    spectra = _spectra()
    lazy = replace(spectra, spectra=dask.array.from_array(spectra.spectra, chunks=(10, 60)))
    first, second = (SpectraTriplets(one, SCALES, crop=9).batch(0, range(6)) for one in (spectra, lazy))
    assert all((first[name] == second[name]).all() for name in first)
    assert measure_block_scales(lazy) == measure_block_scales(spectra)


def test_a_scale_is_the_percentile_of_a_whole_block() -> None:
    spectra = _spectra()
    expected = [np.percentile(spectra.spectra[:, b.start : b.stop], 99.9) for b in BLOCKS]
    assert measure_block_scales(spectra) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"crop": 13}, r"'crop' must fit into every block; the block 'VIO' has 12 channels, found 13\. Take a smaller"),
        ({"crop": 0}, "'crop' must be above zero; found 0"),
        ({"scales": (1.0,)}, r"'scales' must be one per block \(3\); found 1\."),
        ({"signal_channels": np.zeros(59, bool)}, "'signal_channels' must be 60 true or false; found 59 bool"),
        ({"signal_channels": np.arange(60) >= 32}, "must leave channels of each block free; found none in 'VNIR'"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SpectraTriplets(_spectra(), SCALES), **changes)


def test_two_targets_are_too_few() -> None:
    with pytest.raises(
        ComputeError, match=r"'spectra' must come from at least 3 targets to draw triplets; found 2\. Add"
    ):
        SpectraTriplets(_spectra((4, 4)), SCALES)


def test_a_block_without_light_and_a_gap_are_refused() -> None:
    spectra = _spectra()
    dark, gap = spectra.spectra.copy(), spectra.spectra.copy()
    dark[:, 20:32] = 0
    gap[7, 41] = np.nan
    with pytest.raises(ComputeError, match=r"The block 'VIO' must be bright somewhere; its 99.9th percentile is 0\."):
        measure_block_scales(spectra.with_spectra(dark))
    with pytest.raises(ComputeError, match=r"'spectra' must be finite; spectrum 7 is not, in the block 'VNIR'\."):
        measure_block_scales(spectra.with_spectra(gap))
