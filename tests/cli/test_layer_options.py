"""--layer-background and what goes with it, on every command that trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.scripts import as_command, as_python
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.spectra.layer_background import LayerBackground

Call = Callable[..., Any]
QUICK = ["--epochs", 1, "--batch-size", 8, "--device", "cpu", "--threads", 1]
TERM = ["--layer-background", 0.05, "--layer-gate", "gaussian", "--layer-units", "weights", "--layer-ramp-start", 0]
EXPECTED = LayerBackground(strength=0.05, gate="gaussian", units="weights", ramp_start=0.0)


@pytest.fixture
def commands(patch_files: list[object], spectra_file: Path) -> dict[str, list[object]]:
    """A training of each sort, without --out."""
    return {
        "images": ["train", *patch_files, "--preset", "tiny", *QUICK],
        "spectra": ["spectra", "train", spectra_file, "--depth", 4, "--features", 2, *QUICK],
        "signals": ["signals", "train", "--on", "spectra", "--width", 1, "--pairs", 16, *QUICK],
    }


@pytest.mark.parametrize("subject", ["images", "spectra", "signals"])
def test_every_training_takes_the_term_and_says_what_becomes_of_the_layers(
    bgremove: Call, commands: dict[str, list[object]], tmp_path: Path, subject: str
) -> None:
    run = tmp_path / "run"
    called = bgremove(*commands[subject], "--out", run, *TERM, "--json", tmp_path / "figures.json")
    assert called.code == 0, called.err
    job = read_job(run / "job.json")
    assert job.layer_background == EXPECTED  # type: ignore[union-attr]
    (epoch,) = json.loads((tmp_path / "figures.json").read_text())["epochs"]
    said = epoch["training"]
    assert f"layer background R {said['layer_background']:.4g}, layer SNR {said['layer_snr']:.3g}" in called.out
    assert bgremove(commands[subject][0], *commands[subject][1:], "--out", tmp_path / "off").code == 0
    assert read_job(tmp_path / "off" / "job.json").layer_background is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--layer-gate", "shirley"], 2, "--layer-gate needs --layer-background, which switches the term on."),
        (["--layer-background", -1], 2, "-1.0 is not in the range x>=0."),
        (["--layer-background", 1, "--layer-gate", "hard"], 2, "'hard' is not one of 'lorentzian', 'gaussian'"),
        (["--layer-background", 1, "--layer-gamma", 0], 1, "'gamma' must be"),
        (["--layer-background", 1, "--layer-ramp-start", 0.5], 1, "'ramp_start' must lie between 0 and 0.4"),
    ],
)
def test_what_is_refused_leaves_nothing(
    bgremove: Call, commands: dict[str, list[object]], tmp_path: Path, options: list[object], code: int,
    sentence: str,
) -> None:  # fmt: skip
    called = bgremove(*commands["signals"], "--out", tmp_path / "run", *options)
    assert called.code == code
    assert sentence in called.err
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_its_term(bgremove: Call, commands: dict[str, list[object]], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert bgremove(*commands["signals"], "--out", run, *TERM).code == 0
    called = bgremove("signals", "train", "--resume", run, "--layer-background", 1)
    assert called.code == 2
    assert "leave out --layer-background." in called.err
    called = bgremove("signals", "train", "--resume", run, "--epochs", 2)
    assert "layer SNR" in called.out, called.err


def test_the_command_and_the_python_of_a_job_have_the_term(
    bgremove: Call, patch_files: list[object], tmp_path: Path
) -> None:
    recipe = SaxsUnetRecipe(preset="tiny", epochs=1, batch_size=4)
    job = TrainJob(
        recipe=recipe, signal=str(patch_files[1]), background=str(patch_files[3]), device="cpu", threads=1,
        samples_per_epoch=4, layer_background=EXPECTED,
    )  # fmt: skip
    words = as_command(job, out=str(tmp_path / "run")).split()
    assert bgremove(*words[1:]).code == 0
    assert read_job(RunFolder(tmp_path / "run").job).layer_background == EXPECTED  # type: ignore[union-attr]
    said: dict[str, Any] = {}
    exec(as_python(job, out="").partition("folder =")[0], said)  # noqa: S102
    assert said["job"].layer_background == EXPECTED
