"""Sets of spectra: blocks follow the channels, labels follow the rows, and nothing inconsistent comes to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.spectra.blocks import Block, check_blocks, find_blocks, keep_in_blocks
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.joined_sets import join_spectra_sets
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

N_CHANNELS = 12
BLOCKS = (Block("UV", 0, 5), Block("VIO", 5, 12))
AXIS = np.concatenate([np.arange(5.0), 3 + np.arange(7.0)])  # the second block begins before the first ends


def make_set(n: int = 6, **changes: Any) -> SpectraSet:
    spectra = np.random.default_rng(n).normal(10, 1, (n, N_CHANNELS)).astype(np.float32)
    targets = [f"t{row // 4}" for row in range(n)]
    arguments = {"targets": targets, "locations": np.arange(n) // 2 % 2, "blocks": BLOCKS, **changes}
    return make_spectra_set(AXIS, spectra, **arguments)


# Laws


@given(st.lists(st.booleans(), min_size=N_CHANNELS, max_size=N_CHANNELS).filter(any))
def test_blocks_follow_the_channels_that_are_kept(kept: list[bool]) -> None:
    whole = make_set()
    part = whole.keep(np.array(kept))
    assert part.n_channels == sum(kept)
    for block in part.blocks:
        before = next(each for each in BLOCKS if each.name == block.name)
        rows = slice(before.start, before.stop)
        np.testing.assert_array_equal(part.axis[block.channels], whole.axis[rows][kept[rows]])
        np.testing.assert_array_equal(part.spectra[:, block.channels], whole.spectra[:, rows][:, kept[rows]])


@given(st.lists(st.booleans(), min_size=N_CHANNELS, max_size=N_CHANNELS).filter(any), st.data())
def test_keeping_twice_is_keeping_once(first: list[bool], data: st.DataObject) -> None:
    once = make_set().keep(np.array(first))
    second = np.array(data.draw(st.lists(st.booleans(), min_size=sum(first), max_size=sum(first)).filter(any)))
    both = np.zeros(N_CHANNELS, bool)
    both[np.flatnonzero(first)] = second
    assert once.keep(second).blocks == make_set().keep(both).blocks
    np.testing.assert_array_equal(once.keep(second).spectra, make_set().keep(both).spectra)


@pytest.mark.parametrize("rows", [[4, 1], np.array([True, False, True, False, False, True]), slice(1, None, 2)])
def test_labels_follow_the_rows(rows: Any) -> None:
    whole, part = make_set(), make_set().select(rows)
    for name in ("spectra", "targets", "locations", "shots"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows])


def test_selecting_and_averaging_leave_the_set_as_it_was() -> None:
    whole = make_set()
    before = whole.spectra.copy()
    part = whole.select([0, 1])
    part.spectra[:] = 0
    whole.mean_over_shots().spectra[:] = 0
    whole.keep(AXIS > 2).spectra[:] = 0
    np.testing.assert_array_equal(whole.spectra, before)


def test_the_mean_over_shots_is_the_mean_of_each_target_and_location() -> None:
    whole = make_set(11)
    mean = whole.mean_over_shots()
    for row in range(mean.n_spectra):
        same = (whole.targets == mean.targets[row]) & (whole.locations == mean.locations[row])
        expected = whole.spectra[same].astype(float).mean(axis=0)
        np.testing.assert_allclose(mean.spectra[row], expected, rtol=1e-6)
        assert mean.provenance["shots_averaged"][row] == same.sum()
    assert len(set(zip(mean.targets.tolist(), mean.locations.tolist(), strict=True))) == mean.n_spectra
    assert sum(mean.provenance["shots_averaged"]) == 11


def test_the_mean_of_means_is_the_mean() -> None:
    once = make_set().mean_over_shots()
    np.testing.assert_array_equal(once.mean_over_shots().spectra, once.spectra)


@given(st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_change_a_mean(order: list[int]) -> None:
    straight, mixed = make_set().mean_over_shots(), make_set().select(order).mean_over_shots()
    keys = {key: row for row, key in enumerate(zip(mixed.targets.tolist(), mixed.locations.tolist(), strict=True))}
    rows = [keys[key] for key in zip(straight.targets.tolist(), straight.locations.tolist(), strict=True)]
    np.testing.assert_allclose(mixed.spectra[rows], straight.spectra, rtol=1e-6)


def test_a_nan_stays_in_the_mean_of_its_channel() -> None:
    whole = make_set()
    whole.spectra[0, 3] = np.nan
    mean = whole.mean_over_shots().spectra
    assert np.isnan(mean[0, 3])
    assert np.isfinite(np.delete(mean.ravel(), 3)).all()


def test_a_lazy_set_stays_lazy_and_gives_the_same() -> None:
    whole = make_set()
    lazy = replace(whole, spectra=da.from_array(whole.spectra, chunks=(2, 5)))
    for change in (
        lambda spectra: spectra.select([3, 0]),
        lambda spectra: spectra.keep(AXIS > 1),
        SpectraSet.mean_over_shots,
        lambda spectra: join_spectra_sets([spectra, spectra]),
    ):
        found, expected = change(lazy), change(whole)
        assert isinstance(found.spectra, da.Array)
        np.testing.assert_array_equal(found.spectra.compute(), expected.spectra)


def test_other_values_keep_every_label() -> None:
    whole = make_set()
    other = whole.with_spectra(np.zeros((6, N_CHANNELS)))
    assert other.targets is whole.targets
    assert other.blocks == whole.blocks
    assert other.spectra.dtype == np.float64


@pytest.mark.parametrize(
    ("given_as", "kept_as"),
    [("u2", "f4"), ("i2", "f4"), ("u4", "f8"), ("i8", "f8"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4")],
)
def test_numbers_are_kept_exactly(given_as: str, kept_as: str) -> None:
    values = np.array([[0, 1, 2047, 30000]]).astype(given_as)
    found = make_spectra_set(np.arange(4), values, targets="a").spectra
    assert found.dtype == np.dtype(kept_as)
    np.testing.assert_array_equal(found, values)


# Making a set


def test_one_spectrum_is_a_set_of_one() -> None:
    assert make_spectra_set([1, 2, 3], [5, 6, 7], targets="a").spectra.shape == (1, 3)


def test_the_profiles_of_a_stack_are_repeats_of_one_target() -> None:
    from napari_bgremove.images.line_profiles import extract_profile

    stack = np.random.default_rng(0).normal(5, 1, (4, 16, 16))
    profile = extract_profile(stack, [(2, 1), (2, 12)], width=3)
    made = make_spectra_set(profile.position, profile.values, targets="Fe", axis_unit="px")
    np.testing.assert_array_equal(made.spectra, profile.values)
    assert made.distinct_targets == ("Fe",)
    np.testing.assert_array_equal(made.shots, range(4))


def test_shots_are_counted_within_target_and_location() -> None:
    made = make_spectra_set([1, 2], np.zeros((5, 2)), targets=list("aabba"), locations=[0, 1, 0, 0, 0])
    np.testing.assert_array_equal(made.shots, [0, 0, 0, 1, 1])


def test_targets_are_named_in_the_order_of_their_rows() -> None:
    made = make_spectra_set([1, 2], np.zeros((4, 2)), targets=["z", "a", "z", "m"])
    assert made.distinct_targets == ("z", "a", "m")


# Blocks


def test_the_blocks_of_chemcam_are_found(shared_data: Path) -> None:
    file = shared_data / "libs/chemcam/chemcam_bhvo2_loc1_spectrum.csv"
    axis = np.loadtxt(file, delimiter=",", skiprows=1, usecols=0)
    found = find_blocks(axis, names=("UV", "VIO", "VNIR"))
    assert found == (Block("UV", 0, 2048), Block("VIO", 2048, 4096), Block("VNIR", 4096, 6144))
    kept = channels_outside(axis, CHEMCAM_IGNORED_BANDS)
    assert find_blocks(axis[kept], names=("UV", "VIO", "VNIR")) == keep_in_blocks(found, kept)


def test_a_block_ends_where_the_axis_steps_back_or_jumps() -> None:
    axis = np.concatenate([np.arange(40), 20.5 + np.arange(30), 120 + np.arange(30)])
    assert [block.stop for block in find_blocks(axis)] == [40, 70, 100]


def test_steps_that_grow_slowly_are_no_gap() -> None:
    assert len(find_blocks(np.geomspace(1, 1000, 200))) == 1


@pytest.mark.parametrize("axis", [[5.0], [5.0, 7.0], [0.0, 1.0, 2.0]])
def test_a_short_axis_is_one_block(axis: list[float]) -> None:
    assert find_blocks(np.array(axis)) == (Block("block 1", 0, len(axis)),)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([Block("a", 0, 3), Block("b", 4, 6)], r"'b' must begin at channel 3, .* found \[4, 6\)"),
        ([Block("a", 0, 3), Block("b", 2, 6)], r"'b' must begin at channel 3, .* found \[2, 6\)"),
        ([Block("a", 0, 0), Block("b", 0, 6)], r"'a' must begin at channel 0, .* hold channels"),
        ([Block("a", 0, 5)], "'blocks' must cover all 6 channels; found 5"),
        ([], "'blocks' must cover all 6 channels; found 0"),
        ([Block("a", 0, 5), Block("a", 5, 6)], "'blocks' must have different names; found a, a"),
    ],
)
def test_blocks_that_do_not_cover_the_axis_are_refused(blocks: list[Block], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_blocks(blocks, 6)


# Compositions


def make_composition(*targets: str, names: tuple[str, ...] = ("SiO2", "MgO")) -> Composition:
    return Composition(targets, names, np.arange(len(targets) * len(names), dtype=float).reshape(-1, len(names)))


def test_rows_get_the_values_of_their_target_and_nan_without_one() -> None:
    rows = make_set(9, composition=make_composition("t1", "t0")).composition_of_rows()
    np.testing.assert_array_equal(rows[:4], [[2, 3]] * 4)
    np.testing.assert_array_equal(rows[4:8], [[0, 1]] * 4)
    assert np.isnan(rows[8]).all()


def test_a_set_without_a_composition_says_so() -> None:
    with pytest.raises(ValueError, match=r"'composition' must be given .* Read a composition table"):
        make_set().composition_of_rows()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ("a", "a")}, "'targets' of a composition must each occur once; found 'a' twice"),
        ({"names": ("x", "x")}, "'names' of a composition must each occur once; found 'x' twice"),
        ({"values": np.zeros((2, 3))}, r"targets x names \(2 x 2\); found 2 x 3"),
        ({"values": np.zeros((2, 2), int)}, "found 2 x 2 int64"),
    ],
)
def test_a_composition_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(make_composition("a", "b"), **changes)


# Joining


def test_joined_sets_are_their_rows_below_each_other() -> None:
    one, two = make_set(4, composition=make_composition("t0")), make_set(6, composition=make_composition("t1"))
    both = join_spectra_sets([one, two])
    np.testing.assert_array_equal(both.spectra, np.concatenate([one.spectra, two.spectra]))
    assert both.targets.tolist() == one.targets.tolist() + two.targets.tolist()
    assert both.composition is not None
    assert both.composition.targets == ("t0", "t1")
    assert len(both.provenance["parts"]) == 2


def test_a_set_joined_with_nothing_is_itself() -> None:
    one = make_set()
    assert join_spectra_sets([one]) is one


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_spectra_set(AXIS + 0.1, np.ones(12), targets="a", blocks=BLOCKS), "'axis' of set 2 .* found 12 from 0.1"),
        (make_set(blocks=(Block("a", 0, 5), Block("b", 5, 12))), "'blocks' of set 2 must be that of the first"),
        (make_set(value_unit="DN"), r"'value_unit' of set 2 must be that of the first \(counts\); found DN"),
        (make_set(composition=make_composition("t0")), "'targets' of a composition .* found 't0' twice"),
        (make_set(composition=make_composition("x", names=("CaO", "K2O"))), "found SiO2, MgO in wt% and CaO, K2O"),
    ],
)
def test_sets_that_do_not_belong_together_are_refused(other: SpectraSet, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        join_spectra_sets([make_set(composition=make_composition("t0")), other])


def test_no_set_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="'sets' must hold at least one set"):
        join_spectra_sets([])


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axis": AXIS[:5]}, "'spectra' must be a table of spectra x 5 channels of 'axis'; found 6 x 12"),
        ({"axis": AXIS[None]}, "'axis' must be 1-D, double precision; found 1 x 12 float64"),
        ({"spectra": np.ones((6, 12), int)}, "single or double precision; found dtype int64"),
        ({"spectra": np.ones((0, 12))}, "found 0 x 12"),
        ({"targets": np.array(["a"])}, "'targets' must give a text for each of the 6 spectra; found 1 <U1"),
        ({"targets": np.arange(6)}, "'targets' must give a text .* found 6 int64"),
        ({"locations": np.zeros(6)}, "'locations' must give a whole number .* found 6 float64"),
        ({"shots": np.zeros(5, int)}, "'shots' must give a whole number .* found 5 int64"),
        ({"axis": AXIS[::-1].copy()}, r"'axis' must ascend within block 'UV'; found 9 followed by 8 at channel 1"),
        ({"axis": np.where(AXIS == 9, np.inf, AXIS)}, "'axis' must be finite; found inf at channel 11"),
        ({"blocks": BLOCKS[:1]}, "'blocks' must cover all 12 channels; found 5"),
    ],
)
def test_an_inconsistent_set_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(make_set(), **changes)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (np.zeros(N_CHANNELS, bool), "'channels' must keep at least one channel; found none of 12"),
        (np.ones(5, bool), "'channels' must tell of each of the 12 channels .* found 5 bool"),
        (np.arange(N_CHANNELS), "found 12 int64"),
    ],
)
def test_channels_that_make_no_set_are_refused(channels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_set().keep(channels)


def test_selecting_no_row_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0 x 12"):
        make_set().select([])
