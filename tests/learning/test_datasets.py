"""Laws of the on-the-fly pairs: a sample is a function of (seed, epoch, index), and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.images.pairs import combine_patches
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.learning.datasets import SyntheticSums

SIDE = 8


def _set(role: str, n: int, seed: int = 0) -> PatchSet:
    patches = np.random.default_rng(seed).random((n, SIDE, SIDE)).astype(np.float32) + 1
    return PatchSet(patches, role, np.zeros((n, 2)), np.zeros(n), np.zeros(n, int), ("shot",))


def _sums(**changes: object) -> SyntheticSums:
    options: dict[str, object] = {"seed": 3, "hit_free_share": 0.0} | changes
    return SyntheticSums(_set("signal", 7), _set("background", 50, 1), **options)  # type: ignore[arg-type]


class Recorder(SyntheticSums):
    """Samples whose parts say which patches were drawn: constant patches hold their own index."""

    def drawn(self, epoch: int, index: int) -> tuple[int, int]:
        pair = self.pair(epoch, index)
        total = pair.bounds.low + pair.measured * pair.bounds.scale
        return int(total.min() % 1000), int(total.min() // 1000)


def _recorder(signals: int, backgrounds: int, **changes: object) -> Recorder:
    """Signal i is the constant i, background j the constant 1000 j: the sum tells both."""
    signal = np.arange(signals, dtype=np.float32)[:, None, None] * np.ones((SIDE, SIDE), np.float32)
    background = 1000 * np.arange(backgrounds, dtype=np.float32)[:, None, None] * np.ones((SIDE, SIDE), np.float32)

    def as_set(patches: np.ndarray, role: str) -> PatchSet:
        n = len(patches)
        return PatchSet(patches, role, np.zeros((n, 2)), np.zeros(n), np.zeros(n, int), ("shot",))

    options: dict[str, object] = {"seed": 1, "hit_free_share": 0.0, "amplitude_decades": (0.0, 0.0)} | changes
    return Recorder(as_set(signal, "signal"), as_set(background, "background"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rot90", [False, True])
def test_a_sample_does_not_depend_on_what_was_drawn_before_or_beside_it(rot90: bool) -> None:
    one, two = _sums(rot90=rot90), _sums(rot90=rot90)
    for i in range(20):
        one.pair(4, i % 7)
    alone = two.batch(2, [5])
    together = one.batch(2, [0, 3, 5])
    assert set(alone) == {"measured", "signal", "background", "valid"}
    for name, array in alone.items():
        assert array.shape == (1, 1, SIDE, SIDE)
        assert array.dtype == np.float32
        assert_array_equal(array[0], together[name][2])


@pytest.mark.parametrize("other", [(3, 1, 0), (3, 0, 1), (4, 0, 0)])
def test_another_seed_epoch_or_index_is_another_sample(other: tuple[int, int, int]) -> None:
    seed, epoch, index = other
    assert (_sums(seed=seed).pair(epoch, index).measured != _sums().pair(0, 0).measured).any()


@pytest.mark.parametrize("samples", [None, 5, 23])
def test_every_signal_patch_comes_once_before_any_comes_twice(samples: int | None) -> None:
    data = _recorder(7, 3, samples=samples)
    assert len(data) == (samples or 7)
    drawn = [data.drawn(epoch, i)[0] for epoch in range(-(-70 // len(data))) for i in range(len(data))][:70]
    rounds = [tuple(drawn[i : i + 7]) for i in range(0, 70, 7)]
    assert all(sorted(r) == list(range(7)) for r in rounds)
    assert len(set(rounds)) > 5  # in a new order


def test_a_background_patch_is_drawn_afresh_and_uniformly_each_time_a_signal_patch_is_accessed() -> None:
    """Starke & Smid: "we randomly sampled a new noise patch each time a clean signal patch was accessed"."""
    data = _recorder(4, 10)
    drawn = np.array([data.drawn(epoch, i) for epoch in range(250) for i in range(4)])
    counts = np.bincount(drawn[:, 1], minlength=10)
    assert abs(counts - 100).max() < 40  # four standard deviations of a binomial draw
    for signal in range(4):
        assert len(set(drawn[drawn[:, 0] == signal, 1])) == 10


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_stated_share_of_samples_is_free_of_hits(share: float) -> None:
    data = _sums(hit_free_share=share, samples=800)
    free = np.mean([not data.pair(0, i).background.any() for i in range(800)])
    assert abs(free - share) <= 4 * np.sqrt(share * (1 - share) / 800)


def test_amplitudes_are_spread_evenly_over_the_decades() -> None:
    data = _recorder(2, 1, amplitude_decades=(-1.0, 3.0), samples=600)
    levels = np.log10([float(data.pair(0, i).bounds.low) for i in range(600) if float(data.pair(0, i).bounds.low) > 0])
    assert -1 <= levels.min() < -0.8
    assert 2.8 < levels.max() <= 3
    assert abs(levels.mean() - 1) < 0.25


def test_validation_samples_are_the_same_in_every_epoch() -> None:
    data = _sums(fixed=True)
    for index in range(7):
        assert_array_equal(data.pair(0, index).measured, data.pair(31, index).measured)
        assert_array_equal(data.pair(0, index).background, data.pair(31, index).background)


def test_turned_pairs_are_the_unturned_ones_by_a_common_quarter_turn() -> None:
    plain, turned = _sums(), _sums(rot90=True)
    seen = set()
    for index in range(7):
        for epoch in range(4):
            a, b = plain.pair(epoch, index), turned.pair(epoch, index)
            fits = [k for k in range(4) if np.array_equal(np.rot90(a.measured, k), b.measured)]
            assert len(fits) == 1
            assert_allclose(np.rot90(a.background, fits[0]), b.background, atol=2e-7)
            seen.add(fits[0])
    assert seen == {0, 1, 2, 3}


def test_without_the_control_nothing_is_turned_and_the_background_keeps_its_amplitude() -> None:
    data = _sums(amplitude_decades=(0.0, 0.0))
    pair = data.pair(0, 0)
    candidates = [combine_patches(s, b) for s in data.signal.patches for b in data.background.patches]
    assert any(
        np.array_equal(pair.measured, c.measured) and np.array_equal(pair.background, c.background) for c in candidates
    )


def test_drawing_leaves_the_patches_alone() -> None:
    data = _sums(rot90=True)
    before = data.signal.patches.copy(), data.background.patches.copy()
    data.batch(0, range(7))
    assert_array_equal(data.signal.patches, before[0])
    assert_array_equal(data.background.patches, before[1])


def test_the_parts_of_a_batch_add_up() -> None:
    batch = _sums(hit_free_share=0.3).batch(1, range(7))
    assert_allclose(batch["signal"] + batch["background"], batch["measured"], atol=2e-7)
    assert_array_equal(batch["valid"], 1)
