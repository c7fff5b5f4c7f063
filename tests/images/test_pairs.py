"""Laws of the synthetic sums: labels that add up, physical parts that come back, missing pixels that do not count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.images.normalization import measure_percentile_range, undo_normalization
from napari_bgremove.images.pairs import combine_patches, measure_hit_share

EPS = float(np.finfo(np.float32).eps)


def _parts(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = (3 + 10 * rng.random((24, 24))).astype(np.float32)
    hits = np.where(rng.random((24, 24)) < 0.1, 200 * rng.exponential(size=(24, 24)), 0).astype(np.float32)
    return signal, hits


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_conserving_labels_add_up_to_the_input_and_lie_in_the_unit_interval(seed: int) -> None:
    pair = combine_patches(*_parts(seed))
    assert_allclose(pair.signal + pair.background, pair.measured, atol=EPS)
    for part in (pair.measured, pair.signal, pair.background):
        assert part.min() >= 0
        assert part.max() <= 1


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_a_perfect_conserving_prediction_gives_the_physical_parts_back(seed: int) -> None:
    """Also above the upper bound; only a signal below the lower bound loses to it."""
    signal, hits = _parts(seed)
    pair = combine_patches(signal, hits)
    back_signal, back_hits = undo_normalization(pair.signal, pair.background, signal + hits, pair.bounds)
    known = signal >= float(pair.bounds.low)
    assert known.mean() > 0.9
    assert_allclose(back_signal[known], signal[known], rtol=2e-5, atol=2e-3)
    assert_allclose(back_hits[known], hits[known], rtol=2e-5, atol=2e-3)


def test_literal_labels_are_each_shifted_by_the_lower_bound_and_clipped() -> None:
    """Starke & Smid, "Neural network": the same bounds, from the noisy patch, for all three."""
    signal, hits = _parts(1)
    pair = combine_patches(signal, hits, normalization="literal")
    low, high = np.percentile(signal + hits, (1, 99.95))
    for part, label in ((signal + hits, pair.measured), (signal, pair.signal), (hits, pair.background)):
        assert_allclose(label, np.clip((part - low) / (high - low), 0, 1), atol=1e-6)


@pytest.mark.parametrize("normalization", ["conserving", "literal"])
def test_a_pair_without_hits_asks_for_nothing(normalization: str) -> None:
    signal, hits = _parts(2)
    pair = combine_patches(signal, np.zeros_like(hits), normalization=normalization)
    assert_array_equal(pair.background, 0)
    assert_allclose(pair.signal, pair.measured, atol=EPS)


def test_negative_read_noise_in_the_background_is_no_background() -> None:
    signal, hits = _parts(3)
    hits[5, 5] = -4
    assert combine_patches(signal, hits).background[5, 5] == 0


def test_read_noise_is_no_background_but_hits_above_it_are() -> None:
    """0.3 keV Gaussian: nothing of it reaches the label, and all of the hits do."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, (128, 128)).astype(np.float32)
    signal = np.full_like(noise, 5.0)
    empty = combine_patches(signal, noise)
    assert_array_equal(empty.background, 0)
    hits = np.where(rng.random(noise.shape) < 0.2, rng.uniform(5, 50, noise.shape), 0).astype(np.float32)
    pair = combine_patches(signal, noise + hits)
    labelled = float(pair.background.sum() * pair.bounds.scale)
    assert labelled == pytest.approx(float(hits.sum()), rel=0.01)


@pytest.mark.parametrize("normalization", ["conserving", "literal"])
@pytest.mark.parametrize("where", ["signal", "background"])
def test_a_missing_pixel_is_finite_marked_and_does_not_move_the_bounds(normalization: str, where: str) -> None:
    signal, hits = _parts(4)
    gap = signal if where == "signal" else hits
    gap[7, 8] = np.nan
    pair = combine_patches(signal, hits, normalization=normalization)
    assert not pair.valid[7, 8]
    assert pair.valid.sum() == pair.valid.size - 1
    for part in (pair.measured, pair.signal, pair.background):
        assert np.isfinite(part).all()
        assert part.dtype == np.float32
    expected = measure_percentile_range((signal + hits)[pair.valid][:, None])
    assert pair.bounds == expected


def test_adding_leaves_the_patches_alone() -> None:
    signal, hits = _parts(5)
    before = signal.copy(), hits.copy()
    combine_patches(signal, hits)
    assert_array_equal(signal, before[0])
    assert_array_equal(hits, before[1])


def test_patches_of_different_shapes_do_not_add() -> None:
    with pytest.raises(ValueError, match=r"'background' must have the shape of 'signal' \(4 x 4\); found 4 x 5"):
        combine_patches(np.ones((4, 4), np.float32), np.ones((4, 5), np.float32))


def test_an_unknown_normalization_is_refused() -> None:
    one = np.ones((4, 4), np.float32)
    with pytest.raises(ValueError, match="'normalization' must be one of conserving, literal; found 'minmax'"):
        combine_patches(one, one, normalization="minmax")


def test_the_hit_share_is_that_of_the_densest_patches() -> None:
    """Closed form: one patch of a quarter hit pixels among many of none; gaps do not count."""
    rng = np.random.default_rng(0)
    patches = rng.normal(0, 0.1, (50, 16, 16)).astype(np.float32)
    assert measure_hit_share(patches) == 0
    patches[:, :4] += 20.0
    patches[7, 8:] = np.nan
    assert 0.3 < measure_hit_share(patches) <= 0.5
    assert measure_hit_share(np.delete(patches, 7, axis=0)) == 0.25
    assert measure_hit_share(np.full((2, 8, 8), np.nan, np.float32)) == 0
