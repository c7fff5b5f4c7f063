"""Laws of `bgremove patches` and `bgremove mask`: pixels, numbers and pairs are what they are said to be."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.cli.patches_command import command
from napari_bgremove.images import gate
from napari_bgremove.io.images import read_image
from napari_bgremove.io.patch_sets import read_patch_set
from napari_bgremove.io.results import write_image
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

FEW = ["--patch", 16, "--signal-patches", 8, "--background-patches", 8]


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Three pairs of 64 x 80 pixels: a bright stripe on the left."""
    rng = np.random.default_rng(0)
    for i in range(3):
        stripe = np.zeros((64, 80))
        stripe[:, :16] = 50
        np.save(
            tmp_path / f"xray-only-{i}.npy", (rng.poisson(stripe) + rng.normal(0, 0.3, (64, 80))).astype(np.float32)
        )
        np.save(tmp_path / f"full-{i}.npy", rng.poisson(stripe + 1).astype(np.float32))
    return tmp_path


def _patches(shots: Path, *options: object, full: str = "full-*.npy") -> list[object]:
    return ["patches", "--xray-only", shots / "xray-only-*", "--full", shots / full, "--out", shots / "p", *options]


def test_the_default_numbers_are_those_of_the_recipe() -> None:
    recipe, defaults = SaxsUnetRecipe(), {option.name: option.default for option in command.params}
    assert {name: defaults[name] for name in ("patch", "signal_patches", "background_patches", "seed")} == {
        "patch": recipe.patch,
        "signal_patches": recipe.signal_patches,
        "background_patches": recipe.background_patches,
        "seed": recipe.seed,
    }
    assert (defaults["threshold"], defaults["grow"]) == (recipe.mask_threshold, recipe.mask_grow)


def test_the_files_say_how_they_were_made(bgremove: Any, shots: Path) -> None:
    numbers = ["--threshold", 6, "--grow", 3, "--min-intensity", 5, "--seed", 7, "--saturation", 1e5]
    called = bgremove(*_patches(shots, *FEW, *numbers))
    assert called.code == 0, called.err
    signal, background = (read_patch_set(shots / "p" / f"{role}.npz").metadata for role in ("signal", "background"))
    expected = {"patch": 16, "count": 3, "seed": [7, 8, 9], "min_intensity": 5.0, "min_intensity_from": "option"}
    assert {name: signal[name] for name in expected} == expected
    assert signal["files"] == [str(shots / f"xray-only-{i}.npy") for i in range(3)]
    expected = {"patch": 16, "count": 3, "seed": [7, 8, 9], "mask_threshold": 6.0, "mask_grow": 3, "signal_mask": None}
    assert {name: background[name] for name in expected} == expected
    assert background["files"] == [str(shots / f"full-{i}.npy") for i in range(3)]
    assert background["gate"] == {"gap_values": None, "saturation": 1e5, "valid_mask": None}


def test_with_a_mask_of_ones_own_no_threshold_is_claimed(bgremove: Any, shots: Path) -> None:
    np.save(shots / "mask.npy", np.arange(80)[None].repeat(64, 0) < 20)
    called = bgremove(*_patches(shots, *FEW, "--mask", shots / "mask.npy"))
    assert called.code == 0, called.err
    assert "Signal masks: 'mask.npy' for all 3 full shots." in called.out
    metadata = read_patch_set(shots / "p" / "background.npz").metadata
    assert metadata["mask_threshold"] is metadata["mask_grow"] is None
    assert metadata["signal_mask"] == str(shots / "mask.npy")


def test_which_shots_belong_together_is_said(bgremove: Any, shots: Path) -> None:
    called = bgremove(*_patches(shots, *FEW, "--json", shots / "f.json"))
    assert "each of the 3 full shots has that of its own x-ray-only shot, in the order given." in called.out
    called = bgremove(*_patches(shots, *FEW, "--json", shots / "g.json", full="full-0.npy"))
    assert "3 x-ray-only and 1 full shots do not correspond one to one, so one mask, of the mean of" in called.out
    assert json.loads((shots / "g.json").read_text())["pairing"].startswith("3 x-ray-only and 1 full")


@pytest.mark.parametrize("full", ["full-*.npy", "full-[12].npy"])
def test_shapes_that_do_not_meet_are_said_with_the_names_of_the_files(bgremove: Any, shots: Path, full: str) -> None:
    np.save(shots / "full-2.npy", np.ones((64, 70), np.float32))
    called = bgremove(*_patches(shots, *FEW, full=full))
    assert called.code == 1
    reference = "xray-only-2.npy" if full == "full-*.npy" else "xray-only-0.npy"
    assert called.err == f"bgremove: 'full-2.npy' must have the shape of '{reference}' (64 x 80); found 64 x 70.\n"
    assert not (shots / "p").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--patch", 0], "'patch' must lie between 8 and 4096; found 0."),
        (["--patch", 20], "'patch' must be a multiple of 8 pixels; found 20."),
        (["--signal-patches", 0], "'signal_patches' must lie between 1 and 1000000000; found 0."),
        (["--background-patches", -3], "'background_patches' must lie between 1 and 1000000000; found -3."),
        (["--seed", -1], "'seed' must lie between 0 and 4294967295; found -1."),
        (["--threshold", "nan"], "'mask_threshold' must be a finite number; found nan."),
    ],
)
def test_numbers_that_make_no_sense_are_one_sentence(
    bgremove: Any, shots: Path, options: list[object], sentence: str
) -> None:
    called = bgremove(*_patches(shots, *options))
    assert (called.code, called.err) == (1, f"bgremove: {sentence}\n")


@pytest.mark.parametrize("option", [["--patch", 0], ["--patch", -5], ["--window", 0], ["--threshold", 0]])
def test_numbers_of_a_mask_that_make_no_sense_are_one_sentence(
    bgremove: Any, shots: Path, option: list[object]
) -> None:
    called = bgremove("mask", shots / "xray-only-0.npy", "--out", shots, *option)
    assert called.code == 2
    assert f"Invalid value for '{option[0]}': {option[1]}" in called.err.replace(".0 ", " ")
    assert "is not in the range x>" in called.err


def test_no_more_than_a_few_frames_are_in_memory(bgremove: Any, shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every frame that passes the gate, the earlier ones are gone when a later one comes."""
    frames: list[weakref.ref[Any]] = []
    most = 0
    plain = gate.gate_image

    def watched(*arguments: Any, **options: Any) -> Any:
        nonlocal most
        gc.collect()
        most = max(most, sum(frame() is not None for frame in frames))
        gated = plain(*arguments, **options)
        frames.append(weakref.ref(gated.values))
        return gated

    monkeypatch.setattr(gate, "gate_image", watched)
    for i in range(3, 9):
        for kind in ("xray-only", "full"):
            np.save(shots / f"{kind}-{i}.npy", np.load(shots / f"{kind}-{i - 3}.npy"))
    assert bgremove(*_patches(shots, *FEW)).code == 0
    assert len(frames) == 27  # each x-ray-only shot twice: for its patches and for its mask
    assert most <= 2


@pytest.fixture
def dark(shots: Path) -> Path:
    """An x-ray-only shot without signal, but not at zero: read noise on a pedestal."""
    noise = np.random.default_rng(1).normal(10, 0.3, (64, 80)).astype(np.float32)
    np.save(shots / "xray-only-1.npy", noise)
    return shots / "xray-only-1.npy"


NO_SIGNAL = (
    "'xray-only-1.npy' must show signal: nothing of 64 pixels or more is left above the local background by 4 times "
    "its scatter. Lower the threshold, or leave this shot out."
)


def test_a_dark_image_gives_no_mask(bgremove: Any, shots: Path, dark: Path) -> None:
    called = bgremove("mask", dark, "--out", shots / "m")
    assert (called.code, called.err) == (1, f"bgremove: {NO_SIGNAL}\n")
    assert not (shots / "m").exists()
    shrunk = bgremove("mask", shots / "xray-only-0.npy", "--out", shots / "m", "--grow", -40)
    assert "'xray-only-0.npy' must show signal: nothing of 64 pixels or more is left when shrunk by 40" in shrunk.err


def test_one_dark_image_does_not_cost_the_masks_of_the_others(bgremove: Any, shots: Path, dark: Path) -> None:
    called = bgremove("mask", shots / "xray-only-*.npy", "--out", shots / "m", "--json", shots / "f.json")
    assert (called.code, called.err) == (
        1, f"bgremove: 1 of 3 images gave no mask, the others are written. {NO_SIGNAL}\n",
    )  # fmt: skip
    names = ["xray-only-0-signal-mask.tif", "xray-only-2-signal-mask.tif"]
    assert sorted(path.name for path in (shots / "m").iterdir()) == names
    assert [Path(line["mask"]).name for line in json.loads((shots / "f.json").read_text())["masks"]] == names
    assert "xray-only-2.npy: signal covers" in called.out


def test_a_dark_x_ray_only_shot_masks_no_full_shot(bgremove: Any, shots: Path, dark: Path) -> None:
    """All signal of its full shot would be learnt as background."""
    called = bgremove(*_patches(shots, *FEW))
    assert (called.code, called.err) == (1, f"bgremove: {NO_SIGNAL}\n")
    assert not (shots / "p").exists()
    np.save(dark, np.zeros((64, 80), np.float32))
    assert "'xray-only-1' must show signal: none of its usable pixels" in bgremove(*_patches(shots, *FEW)).err


def test_the_mean_of_dark_shots_masks_no_full_shot(bgremove: Any, shots: Path, dark: Path) -> None:
    for i in (0, 2):
        np.save(shots / f"xray-only-{i}.npy", np.load(dark))
    called = bgremove(*_patches(shots, *FEW, full="full-0.npy"))
    assert called.err.startswith("bgremove: 'mean of the x-ray-only shots' must show signal")


def test_how_much_a_mask_covers_is_said_of_each_full_shot(bgremove: Any, shots: Path) -> None:
    called = bgremove(*_patches(shots, *FEW, "--json", shots / "f.json"))
    coverage = json.loads((shots / "f.json").read_text())["mask_coverage"]
    assert [file for file, _ in coverage] == [f"full-{i}.npy" for i in range(3)]
    for file, share in coverage:
        assert 0.2 <= share <= 0.4  # the stripe, grown by 8 pixels
        assert f"  {file}: signal mask covers {share:.1%}\n" in called.out


@pytest.mark.parametrize("command", ["mask", "separate"])
def test_two_inputs_never_become_one_file(bgremove: Any, shots: Path, command: str) -> None:
    for folder in "ab":
        (shots / folder).mkdir()
        shutil.copy(shots / "xray-only-0.npy", shots / folder / "x.npy")
    result = "x-signal-mask.tif" if command == "mask" else "x-signal.tif"
    called = bgremove(command, shots / "a" / "x.npy", shots / "b" / "x.npy", "--out", shots / "m")
    assert (called.code, called.err) == (
        1,
        f"bgremove: '{shots / 'b' / 'x.npy'}' and '{shots / 'a' / 'x.npy'}' would both be written as '{result}'; "
        "write them into different folders.\n",
    )
    assert not (shots / "m").exists()


def test_a_mask_never_overwrites_an_input(bgremove: Any, shots: Path) -> None:
    inputs = [write_image(shots / name, np.ones((64, 80)), provenance={}) for name in ("x.tif", "x-signal-mask.tif")]
    before = inputs[1].read_bytes()
    called = bgremove("mask", *inputs, "--out", shots)
    assert called.code == 1
    assert "would overwrite the input 'x-signal-mask.tif'; choose another folder" in called.err
    assert inputs[1].read_bytes() == before


def _mask_of(shots: Path, name: str) -> np.ndarray:
    return read_image(shots / "m" / f"{name}-signal-mask.tif") != 0


@pytest.mark.parametrize("kind", ["gap", "saturation", "valid_mask", "file"])
def test_pixels_that_are_not_usable_make_no_signal(bgremove: Any, shots: Path, kind: str) -> None:
    """A block of bright wrong pixels on the right: signal, unless the options or the file say what they are."""
    image = np.load(shots / "xray-only-0.npy")
    image[20:40, 50:70] = 5000
    (shots / "xray-only-0.npy").unlink()
    wrong = write_image(shots / "xray-only-0.tif", image, provenance={})
    np.save(shots / "usable.npy", image != 5000)
    mask = ["mask", wrong, "--out", shots / "m", "--grow", 0]
    assert bgremove(*mask).code == 0
    assert _mask_of(shots, "xray-only-0")[30, 60]
    if kind == "file":
        write_image(wrong, image, provenance={"saturation": 5000.0})
    options = {
        "gap": ["--gap", -7, "--gap", 5000],
        "saturation": ["--saturation", 5000],
        "valid_mask": ["--valid-mask", shots / "usable.npy"],
        "file": [],
    }[kind]
    assert bgremove(*mask, *options).code == 0
    assert not _mask_of(shots, "xray-only-0")[30, 60]
    called = bgremove(*_patches(shots, *FEW, "--min-intensity", 0, *options))
    assert called.code == 0, called.err
    assert np.nanmax(read_patch_set(shots / "p" / "signal.npz").patches) < 200


def test_a_valid_mask_of_another_shape_or_meaning_is_refused(bgremove: Any, shots: Path) -> None:
    np.save(shots / "small.npy", np.ones((64, 70), bool))
    mask = ["mask", shots / "xray-only-0.npy", "--out", shots / "m"]
    called = bgremove(*mask, "--valid-mask", shots / "small.npy")
    assert called.code == 1
    assert "64 x 80" in called.err
    assert "64 x 70" in called.err
    assert bgremove(*mask).code == 0
    signal_mask = shots / "m" / "xray-only-0-signal-mask.tif"
    called = bgremove(*mask, "--valid-mask", signal_mask)
    assert called.code == 1
    assert "marks signal regions; a mask of usable pixels is needed here" in called.err
    assert bgremove(*_patches(shots, *FEW, "--mask", signal_mask)).code == 0


def test_a_shot_without_usable_pixels_is_named(bgremove: Any, shots: Path) -> None:
    called = bgremove(*_patches(shots, *FEW, "--saturation", -100))
    assert called.code == 1
    assert called.err.startswith("bgremove: 'xray-only-0.npy' must have usable pixels; all 5120 are gaps")


def test_long_work_shows_how_far_it_is(bgremove: Any, shots: Path) -> None:
    stack = np.stack([np.load(shots / f"xray-only-{i}.npy") for i in range(3)])
    write_image(shots / "stack.tif", stack, provenance={})
    assert "averaging stack.tif" in bgremove("mask", shots / "stack.tif", "--out", shots / "m").out
    assert "signal masks" in bgremove("mask", shots / "xray-only-*.npy", "--out", shots / "m").out
    said = bgremove(*_patches(shots, *FEW)).out
    assert "signal patches" in said
    assert "background patches" in said
