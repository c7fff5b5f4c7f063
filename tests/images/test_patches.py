"""Laws of the training patches: real pixels only, uniform, bright enough, and no shot on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from napari_bgremove.errors import ComputeError
from napari_bgremove.images import patches as patches_module
from napari_bgremove.images.masks import free_positions
from napari_bgremove.images.patch_set import PatchSet, join_patch_sets
from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches

PATCH = 16
EVERYTHING = -1e30  # a threshold every patch passes


def _sampled_coordinates(shape: tuple[int, int], seed: int) -> tuple[PatchSet, np.ndarray]:
    """Cut the same patches from an image of row numbers and one of column numbers."""
    rows, columns = (axis.astype(np.float32) for axis in np.indices(shape))
    cuts = [
        extract_signal_patches(image, count=40, seed=seed, patch=PATCH, min_intensity=EVERYTHING)
        for image in (rows, columns)
    ]
    return cuts[0], np.stack([c.patches for c in cuts], axis=-1)


def _expected_coordinates(patches: PatchSet) -> np.ndarray:
    """Closed form: the patch grid turned about its centre, the angle counter-clockwise."""
    half = (PATCH - 1) / 2
    down, across = np.indices((PATCH, PATCH)) - half
    angle = np.deg2rad(patches.angles)[:, None, None]
    rows = patches.positions[:, 0, None, None] + np.cos(angle) * down + np.sin(angle) * across
    columns = patches.positions[:, 1, None, None] - np.sin(angle) * down + np.cos(angle) * across
    return np.stack([rows, columns], axis=-1)


@pytest.mark.parametrize("shape", [(23, 23), (24, 40), (64, 30)])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_any_angle_patch_samples_its_turned_grid_and_never_leaves_the_image(
    shape: tuple[int, int], seed: int
) -> None:
    patches, sampled = _sampled_coordinates(shape, seed)
    assert_allclose(sampled, _expected_coordinates(patches), atol=2e-3)  # clamped corners would differ
    assert _expected_coordinates(patches).min() >= -1e-9
    assert (_expected_coordinates(patches) <= np.array(shape) - 1 + 1e-9).all()
    assert len(set(patches.angles)) == len(patches)


def test_a_frame_of_missing_pixels_is_never_filled_in() -> None:
    """A patch with a NaN anywhere has touched the frame; one without has not, and holds only ones."""
    image = np.full((60, 60), np.nan, np.float32)
    image[10:50, 10:50] = 1
    patches = extract_signal_patches(image, count=60, seed=2, patch=PATCH, min_intensity=1)
    finite = np.isfinite(patches.patches)
    assert_allclose(patches.patches[finite], 1, rtol=1e-6)
    assert finite.mean(axis=(1, 2)).min() >= 0.95


@pytest.mark.parametrize("shape", [(16, 16), (16, 22), (22, 16), (40, 22), (70, 50)])
def test_a_right_angle_patch_is_a_crop_turned_pixel_by_pixel(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    patches = extract_signal_patches(image, count=50, seed=3, patch=PATCH, any_angle=False)
    assert set(patches.angles) == {0.0, 90.0, 180.0, 270.0}
    for cut, centre, angle in zip(patches.patches, patches.positions, patches.angles, strict=True):
        r, c = (centre - (PATCH - 1) / 2).astype(int)
        assert_array_equal(cut, np.rot90(image[r : r + PATCH, c : c + PATCH], int(angle // 90)))


def test_an_image_smaller_than_the_turning_disc_falls_back_to_right_angles_and_says_so() -> None:
    """The disc of a 128 patch is 181 pixels wide: 127 sqrt(2) between corner centres, and one."""
    assert extract_signal_patches(np.ones((181, 181), np.float32), count=3, seed=0).metadata["remark"] == ""
    small = extract_signal_patches(np.ones((180, 400), np.float32), count=3, seed=0)
    assert small.metadata["remark"] == "turned by multiples of 90 degrees: 180 x 400 pixels hold no disc of 181"
    assert set(small.angles) <= {0.0, 90.0, 180.0, 270.0}


def _chi_square_p(counts: np.ndarray) -> float:
    return float(stats.chisquare(counts).pvalue)


def test_right_angle_positions_are_uniform_over_the_image() -> None:
    image = np.ones((PATCH + 3, PATCH + 4), np.float32)
    patches = extract_signal_patches(image, count=4000, seed=5, patch=PATCH, any_angle=False)
    corner = (patches.positions - (PATCH - 1) / 2).astype(int)
    assert _chi_square_p(np.bincount(corner[:, 0] * 5 + corner[:, 1], minlength=20)) > 1e-3


def test_angles_are_uniform_over_the_circle() -> None:
    patches = extract_signal_patches(np.ones((30, 30), np.float32), count=1500, seed=6, patch=8)
    assert _chi_square_p(np.histogram(patches.angles, bins=12, range=(0, 360))[0]) > 1e-3


def test_only_patches_above_the_threshold_are_kept() -> None:
    image = np.zeros((80, 80), np.float32)
    image[:, 40:] = 1
    patches = extract_signal_patches(image, count=60, seed=7, patch=PATCH, min_intensity=100.0)
    assert patches.patches.sum((1, 2)).min() > 100
    assert patches.metadata["tries"] > len(patches)
    low = extract_signal_patches(image, count=60, seed=7, patch=PATCH, min_intensity=EVERYTHING)
    assert low.patches.sum((1, 2)).min() < 100


def test_every_try_is_kept_too_dark_or_not_usable_and_dark_places_are_really_dark() -> None:
    image = np.zeros((80, 80), np.float32)
    image[:, 40:] = 1
    found = extract_signal_patches(image, count=60, seed=7, patch=PATCH, any_angle=False, min_intensity=100.0)
    assert len(found) + len(found.too_dark) == found.metadata["tries"]
    for row, column, _ in found.too_dark:
        r, c = (int(x - (PATCH - 1) / 2) for x in (row, column))
        assert image[r : r + PATCH, c : c + PATCH].sum() <= 100
    assert len(join_patch_sets([found, found]).too_dark) == 0


def test_the_default_threshold_is_a_tenth_of_an_average_patch() -> None:
    image = np.random.default_rng(1).random((40, 40)).astype(np.float32)
    patches = extract_signal_patches(image, count=2, seed=0, patch=PATCH)
    assert patches.metadata["min_intensity"] == pytest.approx(0.1 * image.mean(dtype=float) * PATCH**2, rel=1e-5)


def test_the_threshold_does_not_punish_bad_pixels() -> None:
    """3 % missing pixels of a flat image leave its integrated intensity as it was."""
    image = np.ones((64, 64), np.float32)
    image[::8, ::4] = np.nan
    patches = extract_signal_patches(image, count=20, seed=0, patch=PATCH, any_angle=False, min_intensity=255.9)
    assert len(patches) == 20


def test_fewer_patches_than_asked_for_are_announced() -> None:
    image = np.zeros((160, 160), np.float32)
    image[70:74, 70:74] = 1
    patches = extract_signal_patches(image, count=30, seed=1, patch=PATCH, min_intensity=15.5, any_angle=False)
    assert 0 < len(patches) < 30
    assert patches.metadata["remark"].startswith(f"{len(patches)} of 30 patches: no more of 1500 tries")


@pytest.mark.parametrize("extract", ["signal", "background"])
def test_extraction_is_repeatable_and_leaves_the_image_alone(extract: str) -> None:
    image = np.random.default_rng(2).random((60, 50)).astype(np.float32)
    before = image.copy()

    def cut(seed: int) -> PatchSet:
        if extract == "signal":
            return extract_signal_patches(image, count=9, seed=seed, patch=PATCH)
        return extract_background_patches(image, np.zeros(image.shape, bool), count=9, seed=seed, patch=PATCH)

    assert_array_equal(cut(1).patches, cut(1).patches)
    assert (cut(1).patches != cut(2).patches).any()
    assert_array_equal(image, before)
    assert not np.shares_memory(cut(1).patches, image)


def test_an_image_below_the_patch_size_is_refused() -> None:
    with pytest.raises(
        ComputeError, match=r"'patch' 128 does not fit the image \(96 x 512 pixels\); choose 96 or less."
    ):
        extract_signal_patches(np.ones((96, 512), np.float32), count=1, seed=0)


def test_no_patch_above_the_threshold_is_refused_with_the_brightest_found() -> None:
    with pytest.raises(
        ComputeError, match=r"'min_intensity' is 1000, the brightest of 150 patches of 'shot 7' holds 256"
    ):
        extract_signal_patches(
            np.ones((40, 40), np.float32), count=3, seed=0, patch=PATCH, min_intensity=1e3, name="shot 7"
        )


@pytest.mark.parametrize(
    ("pixels", "options", "sentence"),
    [
        ([0.0, 0.0], {}, "none of its usable pixels is above zero. Leave this shot out."),
        ([0.0, -3.0], {"min_intensity": 5.0}, "none of its usable pixels is above zero. Leave this shot out."),
        ([1.0, -3.0], {}, "the mean of its usable pixels must be above zero, found -1. Leave this shot out, or choose"),
    ],
)
def test_a_dark_image_is_refused_before_a_single_try(
    pixels: list[float], options: dict[str, float], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lowering the threshold could not help, so it is not advised."""
    monkeypatch.setattr(patches_module, "_cut", None)
    dark = np.resize(np.array(pixels, np.float32), (40, 40))
    dark[0, 0] = np.nan
    with pytest.raises(ComputeError, match=f"'shot 7' must show signal: {sentence}"):
        extract_signal_patches(dark, count=3, seed=0, patch=PATCH, name="shot 7", **options)


def test_an_image_of_missing_pixels_is_refused_by_its_cause() -> None:
    with pytest.raises(ComputeError, match=r"all 150 patches tried in 'image' have more than 5% unusable pixels"):
        extract_signal_patches(np.full((40, 40), np.nan, np.float32), count=3, seed=0, patch=PATCH)


def _half_masked() -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(3).random((60, 70)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[20:30, 25:40] = True
    return image, mask


def test_a_background_patch_is_a_literal_crop_clear_of_the_signal_mask() -> None:
    image, mask = _half_masked()
    patches = extract_background_patches(image, mask, count=200, seed=0, patch=PATCH, name="full 3")
    assert patches.shot_names == ("full 3",)
    assert_array_equal(patches.angles, 0)
    for cut, centre in zip(patches.patches, patches.positions, strict=True):
        r, c = (centre - (PATCH - 1) / 2).astype(int)
        assert_array_equal(cut, image[r : r + PATCH, c : c + PATCH])
        assert not mask[r : r + PATCH, c : c + PATCH].any()


@pytest.mark.parametrize("repeating", [True, False])
def test_background_positions_are_uniform_over_all_free_positions(repeating: bool) -> None:
    image = np.zeros((12, 14), np.float32)
    mask = np.zeros(image.shape, bool)
    mask[5, 6] = True
    positions = free_positions(~mask, 5)
    seeds, count = ([0], 6000) if repeating else (range(700), 8)
    drawn = [extract_background_patches(image, mask, count=count, seed=s, patch=5) for s in seeds]
    corner = np.concatenate([d.positions - 2 for d in drawn]).astype(int)
    index = {tuple(p): i for i, p in enumerate(positions.tolist())}
    counts = np.bincount([index[tuple(p)] for p in corner.tolist()], minlength=len(positions))
    assert _chi_square_p(counts) > 1e-3


def test_background_positions_do_not_repeat_while_free_ones_are_left() -> None:
    image, mask = _half_masked()
    n = len(free_positions(~mask, PATCH))
    patches = extract_background_patches(image, mask, count=n, seed=1, patch=PATCH)
    assert len(np.unique(patches.positions, axis=0)) == n == patches.metadata["free_positions"]


def test_background_patches_hold_at_most_a_twentieth_of_missing_pixels() -> None:
    image, mask = _half_masked()
    image[:, 50:54] = np.nan
    patches = extract_background_patches(image, mask, count=400, seed=1, patch=PATCH)
    assert np.isnan(patches.patches).mean((1, 2)).max() <= 0.05


def test_no_free_position_is_refused_with_the_largest_free_rectangle() -> None:
    mask = np.ones((64, 700), bool)
    mask[20:31, 5:645] = False
    mask[0:9, 0:9] = False
    with pytest.raises(
        ComputeError,
        match=r"No patch position left: the signal mask of 'shot' leaves 11 x 640 free pixels, a patch needs 16 x 16.",
    ):
        extract_background_patches(np.ones(mask.shape, np.float32), mask, count=1, seed=0, patch=PATCH, name="shot")


@pytest.mark.parametrize(
    ("mask", "size"),
    [
        (np.ones((40, 40), bool), "0 x 0"),
        # a ring whose bounding box would hold a patch: the sentence must not contradict itself
        (np.pad(np.ones((30, 30), bool), 5), "40 x 5"),
    ],
)
def test_the_rectangle_in_the_refusal_is_really_free(mask: np.ndarray, size: str) -> None:
    size = f"({size}|{' x '.join(reversed(size.split(' x ')))})"
    with pytest.raises(ComputeError, match=f"leaves {size} free pixels, a patch needs 16 x 16"):
        extract_background_patches(np.ones(mask.shape, np.float32), mask, count=1, seed=0, patch=PATCH)


def test_missing_pixels_are_named_when_they_and_not_the_mask_leave_no_position() -> None:
    image = np.ones((40, 40), np.float32)
    image[::4] = np.nan
    with pytest.raises(ComputeError, match="the signal mask with the unusable pixels of 'image' leaves 3 x 40 free"):
        extract_background_patches(image, np.zeros(image.shape, bool), count=1, seed=0, patch=PATCH)


def _patch_set(shots: list[int], *, role: str = "signal", side: int = 4) -> PatchSet:
    n = len(shots)
    patches = np.arange(n, dtype=np.float32)[:, None, None] * np.ones((side, side), np.float32)
    names = tuple(f"shot {i}" for i in range(max(shots) + 1))
    return PatchSet(patches, role, np.zeros((n, 2)), np.zeros(n), np.array(shots), names)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 8), min_size=2, max_size=30), st.floats(0, 1), st.integers(0, 99))
def test_no_shot_is_on_both_sides_of_the_split_and_no_patch_is_lost(shots: list[int], share: float, seed: int) -> None:
    patches = _patch_set(shots)
    if len(set(shots)) < 2:
        with pytest.raises(
            ComputeError, match=r"'signal patches' must come from at least 2 shots.*found 1. Add a shot."
        ):
            patches.split_by_shot(share, seed=seed)
        return
    training, held = patches.split_by_shot(share, seed=seed)
    assert len(training) > 0
    assert len(held) > 0
    assert not set(training.shots) & set(held.shots)
    together = np.concatenate([training.patches, held.patches])[:, 0, 0]
    assert_array_equal(np.sort(together), np.arange(len(shots)))


def test_the_split_holds_out_the_share_of_shots_and_is_repeatable() -> None:
    patches = _patch_set([i % 20 for i in range(100)])
    training, held = patches.split_by_shot(0.15, seed=4)
    assert len(set(held.shots)) == 3
    assert_array_equal(held.shots, patches.split_by_shot(0.15, seed=4)[1].shots)
    assert len(training) == 85


def test_joined_sets_keep_their_shots_apart_and_their_order() -> None:
    one, two = _patch_set([0, 1, 1]), _patch_set([0, 0])
    joined = join_patch_sets([one, two])
    assert joined.shots.tolist() == [0, 1, 1, 2, 2]
    assert joined.shot_names == ("shot 0", "shot 1", "shot 0")
    assert_array_equal(joined.patches, np.concatenate([one.patches, two.patches]))


def test_joined_sets_keep_every_remark_once() -> None:
    small = extract_signal_patches(np.ones((20, 20), np.float32), count=2, seed=0, patch=PATCH)
    assert join_patch_sets([small, small]).metadata["remark"] == small.metadata["remark"] != ""


def test_joined_sets_keep_how_they_were_cut() -> None:
    image = np.ones((20, 20), np.float32)
    one, two = (
        extract_signal_patches(image, count=2, seed=seed, patch=PATCH, min_intensity=1.5, any_angle=False)
        for seed in (3, 4)
    )
    metadata = join_patch_sets([one, two]).metadata
    expected = {"patch": PATCH, "count": 2, "seed": [3, 4], "any_angle": False, "min_intensity": 1.5, "sets": 2}
    assert {name: metadata[name] for name in expected} == expected
    assert metadata["min_intensity_from"] == "option"
    automatic = extract_signal_patches(image, count=2, seed=0, patch=PATCH)
    assert automatic.metadata["min_intensity_from"] == "a tenth of an average patch"
    background = extract_background_patches(image, np.zeros((20, 20), bool), count=3, seed=1, patch=PATCH)
    assert {name: background.metadata[name] for name in ("patch", "count", "seed")} == {
        "patch": PATCH, "count": 3, "seed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"count": 0}, "'count' must be above zero; found 0"),
        ({"patch": -5}, "'patch' must be above zero; found -5 pixels"),
        ({"seed": -1}, "'seed' must lie between 0 and inf; found -1"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes: dict[str, int], sentence: str) -> None:
    image, numbers = np.ones((20, 20), np.float32), {"count": 2, "seed": 0, "patch": PATCH, **changes}
    with pytest.raises(ValueError, match=sentence):
        extract_signal_patches(image, **numbers)
    with pytest.raises(ValueError, match=sentence):
        extract_background_patches(image, np.zeros((20, 20), bool), **numbers)


@pytest.mark.parametrize(
    ("sets", "found"),
    [
        ([_patch_set([0]), _patch_set([0], role="background")], "background of 4 pixels, signal of 4 pixels"),
        ([_patch_set([0]), _patch_set([0], side=5)], "signal of 4 pixels, signal of 5 pixels"),
        ([], "none"),
    ],
)
def test_sets_of_different_kinds_do_not_join(sets: list[PatchSet], found: str) -> None:
    with pytest.raises(ValueError, match=f"'sets' must hold patches of one role and one size; found {found}"):
        join_patch_sets(sets)


def test_a_patch_set_checks_its_role_and_lengths() -> None:
    zero = np.zeros((2, 4, 4), np.float32)
    with pytest.raises(ValueError, match="'role' must be one of signal, background; found 'noise'"):
        PatchSet(zero, "noise", np.zeros((2, 2)), np.zeros(2), np.zeros(2, int), ("a",))
    with pytest.raises(ValueError, match=r"one position, angle and shot each; found 2 x 4 x 4"):
        PatchSet(zero, "signal", np.zeros((2, 2)), np.zeros(3), np.zeros(2, int), ("a",))
