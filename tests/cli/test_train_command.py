"""Laws of `bgremove train`: refused before anything is made, resumable anywhere, stopped without loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.bundled import BUNDLED_MODEL, BUNDLED_MODELS
from napari_bgremove.io.patch_sets import read_patch_set, write_patch_set
from napari_bgremove.learning.model_file import read_description, read_model
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

TINY = ["--preset", "tiny", "--epochs", 1, "--batch-size", 4, "--device", "cpu", "--threads", 1]


def _job(folder: Path) -> TrainJob:
    job = read_job(folder / "job.json")
    assert isinstance(job, TrainJob)
    return job


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--seed", -1], 1, "bgremove: 'seed' must lie between 0 and 4294967295; found -1."),
        (["--latents", 0], 1, "bgremove: 'latents' must lie between 1 and 256; found 0."),
        (["--weight-decay", -1], 1, "bgremove: 'weight_decay' must not be negative; found -1.0."),
        (["--amplitude-decades", 1, 400], 1, "'amplitude_decades' must lie between -12 and 12; found 400.0."),
        (["--percentiles", 99, 1], 1, "'percentiles' must rise, between 0 and 100; found 99.0 1.0."),
        (["--device", "cuda:99"], 1, "'device' 'cuda:99' is not available on this computer"),
        (["--schedule", "linear"], 2, "'linear' is not one of 'constant', 'cosine'"),
        (["--merge", "max"], 2, "'max' is not one of 'weighted', 'median', 'mean'"),
        (["--guides", "3;5"], 2, "'3;5' must be whole numbers between commas, as 3,5,9, or 'none'."),
        (["--guides", "4"], 1, "'guides' must be at most 8 odd sizes between 3 and 33 pixels; found 4."),
    ],
)
def test_what_is_refused_leaves_nothing_and_the_repeat_succeeds(
    bgremove: Any, patch_files: list[object], tmp_path: Path, options: list[object], code: int, sentence: str
) -> None:
    run = tmp_path / "run"
    called = bgremove("train", *patch_files, "--out", run, *TINY, *options)
    assert called.code == code
    assert sentence in called.err
    assert "http" not in called.err
    assert not run.exists()


def test_patches_of_a_single_shot_leave_nothing_and_the_repeat_succeeds(
    bgremove: Any, patch_files: list[object], tmp_path: Path
) -> None:
    single = write_patch_set(tmp_path / "single.npz", read_patch_set(tmp_path / "signal.npz").of_shots([0]))
    run = tmp_path / "run"
    refused = bgremove("train", *patch_files, "--signal", single, "--out", run, *TINY)
    assert refused.code == 1
    assert "'signal patches' must come from at least 2 shots" in refused.err
    assert not run.exists()
    assert bgremove("train", *patch_files, "--out", run, *TINY).code == 0


def test_guides_are_numbers_between_commas(bgremove: Any, patch_files: list[object], tmp_path: Path) -> None:
    assert bgremove("train", *patch_files, "--out", tmp_path / "run", *TINY, "--guides", "3,5,9").code == 0
    assert read_model(tmp_path / "run" / "model.safetensors").network.spec.guides == (3, 5, 9)
    assert bgremove("train", *patch_files, "--out", tmp_path / "none", *TINY, "--guides", "none").code == 0
    assert _job(tmp_path / "none").recipe.guides == ()


@pytest.mark.parametrize("word", ["bundled", "fast"])
def test_the_bundled_models_are_trained_on_without_a_further_option(
    bgremove: Any, patch_files: list[object], tmp_path: Path, word: str
) -> None:
    run = tmp_path / "run"
    few = ["--epochs", 1, "--samples-per-epoch", 2, "--batch-size", 2, "--device", "cpu", "--learning-rate", 1e-12]
    called = bgremove("train", *patch_files, "--out", run, "--start-from", word, *few)
    assert called.code == 0, called.err
    bundled, trained = read_model(BUNDLED_MODELS[word]), read_model(run / "model.safetensors")
    assert trained.network.spec == bundled.network.spec
    assert trained.description.percentiles == bundled.description.percentiles
    weights = bundled.network.state_dict()
    assert all(value.allclose(weights[name], atol=1e-6) for name, value in trained.network.state_dict().items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--latents", 8], "--latents must be 16 as in 'saxs-small.safetensors' (--start-from); found 8."),
        (["--preset", "tiny"], "--preset must be small as in 'saxs-small.safetensors' (--start-from); found tiny."),
        (["--guides", "none"], "--guides must be 3,5,9 as in 'saxs-small.safetensors' (--start-from); found none."),
    ],
)
def test_an_option_that_contradicts_the_model_to_start_from_is_refused(
    bgremove: Any, patch_files: list[object], tmp_path: Path, options: list[object], sentence: str
) -> None:
    called = bgremove("train", *patch_files, "--out", tmp_path / "run", "--start-from", BUNDLED_MODEL, *options)
    assert called.code == 2
    assert sentence in called.err
    assert not (tmp_path / "run").exists()


def test_padded_goes_into_the_model(bgremove: Any, patch_files: list[object], tmp_path: Path) -> None:
    assert bgremove("train", *patch_files, "--out", tmp_path / "run", *TINY, "--padded", "false").code == 0
    assert read_description(tmp_path / "run" / "model.safetensors").padded is False


def test_a_run_of_a_gpu_goes_on_without_one_and_longer(
    bgremove: Any, patch_files: list[object], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    recipe = SaxsUnetRecipe(preset="tiny", epochs=1, batch_size=4)
    job = TrainJob(recipe=recipe, signal=str(patch_files[1]), background=str(patch_files[3]), device="cuda:99")
    RunFolder(run).create(job.model_dump_json())
    assert bgremove("train", "--resume", run).code == 1
    changed = bgremove("train", "--resume", run, "--device", "cpu", "--epochs", 2, "--threads", 1)
    assert changed.code == 0, changed.err
    expected = job.model_copy(update={"device": "cpu", "threads": 1, "recipe": replace(recipe, epochs=2)})
    assert _job(run) == expected
    events = RunFolder(run).read_events()[0]
    assert events[0]["changes"] == {"device": ["cuda:99", "cpu"], "threads": [None, 1], "epochs": [1, 2]}
    assert sum(e["event"] == "epoch" for e in events) == 2


@pytest.mark.parametrize(
    "options", [["--seed", 0], ["--preset", "paper"], ["--signal", "signal.npz"], ["--samples-per-epoch", 5]]
)
def test_a_resumed_run_takes_no_other_option_not_even_one_that_repeats_a_default(
    bgremove: Any, patch_files: list[object], tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = bgremove("train", "--resume", tmp_path, *options)
    assert called.code == 2
    assert (
        "--resume goes on with the run's own job, of which only --device, --precision, --threads, --epochs can change; "
        f"leave out {options[0]}."
    ) in called.err


def test_the_json_holds_the_printed_figures(bgremove: Any, patch_files: list[object], tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    called = bgremove("train", *patch_files, "--out", tmp_path / "run", *TINY, "--epochs", 2, "--json", target)
    figures = json.loads(target.read_text())
    assert (figures["outcome"], called.code) == ("finished", 0)
    assert f"Training on {figures['device']}" in called.out
    assert figures["seconds"] > 0
    assert [e["epoch"] for e in figures["epochs"]] == [0, 1]
    for epoch in figures["epochs"]:
        assert epoch["seconds"] > 0
        assert (
            f"loss: training {epoch['training']['loss']:.5f}, validation {epoch['validation']['loss']:.5f}"
            in called.out
        )
    for name in ("model", "best"):
        read_model(figures[name])


def test_memory_that_ends_is_said_once(
    bgremove: Any, patch_files: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from napari_bgremove.learning.objectives.additive import AdditiveObjective

    plain = AdditiveObjective.__call__

    def limited(self: AdditiveObjective, network: torch.nn.Module, batch: Any) -> Any:
        if len(batch["measured"]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(self, network, batch)

    monkeypatch.setattr(AdditiveObjective, "__call__", limited)
    room = 1
    called = bgremove("train", *patch_files, "--out", tmp_path / "run", *TINY, "--samples-per-epoch", 8)
    assert called.code == 0
    assert called.out.count("The memory does not suffice for a batch: 1 samples at once from here on.") == 1
    room = 0
    called = bgremove("train", *patch_files, "--out", tmp_path / "none", *TINY)
    assert called.code == 1
    assert called.err.startswith("bgremove: Out of memory with a single sample; use the CPU")
    assert len(called.err.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_a_model_says_how_to_go_on_and_ends_with_130(patch_files: list[object], tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    arguments = ["train", *patch_files, "--out", run.path, *TINY, "--epochs", 100_000]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_bgremove", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not any(e["event"] == "step" for e in run.read_events()[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert f"Stopped: the newest model is {run.model}" in out
    assert f"Go on with: bgremove train --resume {run.path}" in out
    assert "Traceback" not in err
    assert read_model(run.model).training  # resumable: with the moments of the optimizer
    assert run.owner() is None
