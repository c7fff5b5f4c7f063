from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.cli import COMMANDS, main
from napari_bgremove.io.images import read_image
from napari_bgremove.io.results import write_image


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bgremove", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    code = exit_.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Four pairs of 96 x 160 pixels: a bright stripe on the left; hits everywhere in the full ones."""
    rng = np.random.default_rng(0)
    for i in range(4):
        stripe = np.zeros((96, 160), np.float32)
        stripe[:, :30] = 50
        xray = rng.poisson(stripe) + rng.normal(0, 0.3, stripe.shape)
        hits = (rng.random(stripe.shape) < 0.05) * rng.uniform(10, 90, stripe.shape)
        write_image(tmp_path / f"xray{i}.tif", xray, provenance={})
        write_image(tmp_path / f"full{i}.tif", rng.poisson(stripe) + hits, provenance={})
    return tmp_path


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_has_a_help_a_newcomer_can_read(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *([name] if name else []), "--help") == 0
    text = capsys.readouterr().out
    assert "Usage: bgremove" in text
    undocumented = [line for line in text.splitlines() if line.strip().startswith("--") and len(line.split()) < 2]
    assert len(undocumented) <= text.count("\n                   "), text  # a long option's help is on the next line


def test_from_shots_to_separated_images(
    shots: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of a user: mask, patches, train, separate."""
    assert (
        run(monkeypatch, "mask", shots / "xray0.tif", "--out", shots / "m", "--patch", 32, "--json", shots / "m.json")
        == 0
    )
    (figures,) = json.loads((shots / "m.json").read_text())["masks"]
    assert 30 / 160 <= figures["coverage"] <= 60 / 160  # the stripe, grown by 8 pixels
    assert figures["free_positions"] > 0
    patches = ["patches", "--xray-only", shots / "xray*.tif", "--full", shots / "full*.tif", "--out", shots / "p"]
    assert run(monkeypatch, *patches, "--patch", 32, "--signal-patches", 16, "--background-patches", 16) == 0
    train = [
        "train",
        "--signal",
        shots / "p/signal.npz",
        "--background",
        shots / "p/background.npz",
        "--out",
        shots / "run",
    ]
    recipe = ["--preset", "tiny", "--epochs", 1, "--batch-size", 4, "--device", "cpu"]
    assert run(monkeypatch, *train, *recipe) == 0
    model = shots / "run" / "model.safetensors"
    assert run(monkeypatch, "separate", shots / "full0.tif", "--out", shots / "s", "--model", model, "--residual") == 0
    parts = {n: read_image(shots / "s" / f"full0-{n}.tif") for n in ("signal", "background", "residual")}
    measured = read_image(shots / "full0.tif")
    np.testing.assert_allclose(parts["signal"] + parts["background"] + parts["residual"], measured, atol=1e-3)
    assert "residual" in capsys.readouterr().out


def test_a_resumed_run_takes_no_other_options(
    shots: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "train", "--resume", shots, "--seed", 3) == 2
    assert "--resume goes on with the run's own job" in capsys.readouterr().err


BAD_IMAGES = {
    "rgb": (lambda p: np.save(p, np.zeros((20, 30, 3), np.uint8)), "20 x 30 x 3"),
    "empty": (lambda p: np.save(p, np.zeros((0, 30))), "empty|0 x 30"),
    "all_nan": (lambda p: np.save(p, np.full((20, 30), np.nan)), "must have usable pixels"),
    "one_axis": (lambda p: np.save(p, np.zeros(30)), "30"),
    "complex": (lambda p: np.save(p, np.zeros((20, 30), complex)), "complex"),
    "cut": (lambda p: p.write_bytes(b"\x93NUMPY\x01\x00"), "cut|ends|damaged|truncated|incomplete|header"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_one_clear_line_and_a_failure(
    kind: str, tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write, words = BAD_IMAGES[kind]
    path = tmp_path / f"{kind}.npy"
    write(path)
    assert run(monkeypatch, "separate", path, "--out", tmp_path / "out", "--model", model_file) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("bgremove: ")
    import re

    assert re.search(words, lines[0], re.IGNORECASE), lines[0]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("fill", [0.0, 7.0, -3.0])
def test_constant_and_negative_images_are_separated_without_complaint(
    fill: float, tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "flat.npy", np.full((40, 50), fill, np.float32))
    assert run(monkeypatch, "separate", tmp_path / "flat.npy", "--out", tmp_path / "out", "--model", model_file) == 0
    signal, background = (read_image(tmp_path / "out" / f"flat-{n}.tif") for n in ("signal", "background"))
    np.testing.assert_allclose(signal + background, fill, atol=2)


def test_a_mask_of_another_shape_is_refused(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "image.npy", np.ones((40, 50), np.float32))
    np.save(tmp_path / "mask.npy", np.ones((40, 51), np.uint8))
    arguments = ["separate", tmp_path / "image.npy", "--valid-mask", tmp_path / "mask.npy", "--model", model_file]
    assert run(monkeypatch, *arguments, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "40 x 51" in error
    assert "40 x 50" in error


def test_no_free_patch_position_is_said_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    for name in ("xray", "full"):
        np.save(tmp_path / f"{name}.npy", rng.poisson(5, (64, 64)).astype(np.float32))
    np.save(tmp_path / "mask.npy", np.pad(np.zeros((10, 64), np.uint8), ((54, 0), (0, 0)), constant_values=1))
    arguments = ["patches", "--xray-only", tmp_path / "xray.npy", "--full", tmp_path / "full.npy", "--patch", 32]
    assert run(monkeypatch, *arguments, "--mask", tmp_path / "mask.npy", "--out", tmp_path / "p") == 1
    assert "leaves 10 x 64 free pixels, a patch needs 32 x 32" in capsys.readouterr().err


def test_a_damaged_model_is_said(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(model_file.read_bytes())
    content[-5] ^= 1
    model_file.write_bytes(content)
    np.save(tmp_path / "image.npy", np.ones((40, 50), np.float32))
    assert run(monkeypatch, "separate", tmp_path / "image.npy", "--model", model_file, "--out", tmp_path / "out") == 1
    assert "is damaged: its checksum does not match" in capsys.readouterr().err


def test_a_missing_image_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "separate", tmp_path / "nothing.tif", "--out", tmp_path) == 1
    assert "nothing.tif" in capsys.readouterr().err
