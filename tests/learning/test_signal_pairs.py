"""Laws of the signals a denoiser is trained on: any sample at any time, and nothing twice that was to be fresh."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.signal_pairs import FixedPairs, FreshPairs, MeasuredRows

ROWS = np.random.default_rng(0).normal(size=(6, 40))


def _make(rng: np.random.Generator) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    signal = rng.normal(size=20)
    return signal, signal + 0.1 * rng.normal(size=20)


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("data", [FreshPairs(_make, 9, seed=3), MeasuredRows(ROWS, 9, crop=20, seed=3)], ids=repr)
def test_a_sample_depends_on_seed_epoch_and_index_alone(data: Any) -> None:
    whole = data.batch(2, range(9))
    assert _same(whole, data.batch(2, range(9)))
    for index in (0, 8):
        assert _same(data.batch(2, [index]), {name: value[[index]] for name, value in whole.items()})
    assert not _same(whole, data.batch(3, range(9)))
    assert whole["measured"].dtype == np.float32
    assert whole["measured"].shape == (9, 20)
    assert len(data) == 9


def test_fresh_pairs_come_from_the_generator_and_never_twice() -> None:
    data = FreshPairs(_make, 5, seed=1)
    signal, measured = _make(np.random.default_rng([1, 4, 2]))
    batch = data.batch(4, [2])
    np.testing.assert_array_equal(batch["signal"][0], signal.astype(np.float32))
    np.testing.assert_array_equal(batch["measured"][0], measured.astype(np.float32))
    drawn = np.concatenate([data.batch(epoch, range(5))["signal"] for epoch in range(4)])
    assert len(np.unique(drawn, axis=0)) == 20


@pytest.mark.parametrize("data", [FreshPairs(_make, 5, fixed=True), MeasuredRows(ROWS, 5, fixed=True)], ids=repr)
def test_validation_is_the_same_in_every_epoch(data: Any) -> None:
    assert _same(data.batch(0, range(5)), data.batch(7, range(5)))


def test_fixed_pairs_are_what_was_given_and_stay_so() -> None:
    rows = ROWS.copy()
    data = FixedPairs(rows, rows + 1)
    assert len(data) == 6
    for epoch in (0, 3):
        batch = data.batch(epoch, [4, 1])
        np.testing.assert_array_equal(batch["signal"], ROWS[[4, 1]].astype(np.float32))
        np.testing.assert_array_equal(batch["measured"], (ROWS[[4, 1]] + 1).astype(np.float32))
    np.testing.assert_array_equal(rows, ROWS)


def test_a_split_holds_out_a_share_and_loses_no_pair() -> None:
    data = FixedPairs(np.repeat(np.arange(20.0)[:, None], 16, 1), np.zeros((20, 16)))
    training, validation = data.split(0.3, seed=5)
    assert (len(training), len(validation)) == (14, 6)
    assert sorted([*training.signal[:, 0], *validation.signal[:, 0]]) == list(range(20))
    assert np.array_equal(data.split(0.3, seed=5)[1].signal, validation.signal)
    with pytest.raises(ValueError, match="'share' must leave some of 20 pairs to train on; found 1"):
        data.split(1.0)


def test_rows_are_cropped_anywhere_and_hidden_samples_have_neighbours_that_are_not() -> None:
    data = MeasuredRows(np.arange(3 * 30.0).reshape(3, 30), 400, crop=16)
    batch = data.batch(0, range(400))
    starts = batch["measured"][:, 0]
    assert set(starts // 30) == {0, 1, 2}
    assert (starts % 30).min() == 0
    assert (starts % 30).max() == 14
    np.testing.assert_array_equal(batch["measured"] - starts[:, None], np.tile(np.arange(16), (400, 1)))
    assert not (batch["hidden"][:, 1:] & batch["hidden"][:, :-1]).any()
    np.testing.assert_allclose(batch["hidden"].mean(axis=0), 0.25, atol=0.1)  # each sample gets its turn
    assert MeasuredRows(ROWS, 2).batch(0, [0])["measured"].shape == (1, 40)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: FixedPairs(ROWS, ROWS[:3]), ValueError, "'measured' must have the shape of 'signal' .6 x 40"),
        (lambda: FixedPairs(ROWS[0], ROWS[0]), ValueError, "'signal' must be signals x samples, 16 .*; found 40"),
        (lambda: MeasuredRows(ROWS[:, :15], 4), ValueError, "'rows' must be signals x samples, 16 .* found 6 x 15"),
        (lambda: MeasuredRows(ROWS[:0], 4), ValueError, "'rows' must be .* found 0 x 40"),
        (lambda: MeasuredRows(ROWS, 4, crop=41), ValueError, "'crop' must lie between 16 and 40 samples; found 41"),
        (lambda: MeasuredRows(ROWS, 0), ValueError, "'samples' must be above zero; found 0"),
        (
            lambda: MeasuredRows(np.where(ROWS[4, 2] == ROWS, np.nan, ROWS), 4),
            ComputeError,
            "'rows' must be finite; row 4 is not",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
