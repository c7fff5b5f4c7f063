"""What a job says of itself as text does the same again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.jobs import SeparateJob, TrainJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.scripts import as_command, as_python, as_python_for_image
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.io.bundled import FAST_MODEL
from napari_bgremove.io.images import read_image
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe


@pytest.fixture
def job(tmp_path: Path, model_file: Path) -> SeparateJob:
    stack = np.random.default_rng(0).poisson(4, (2, 40, 50)).astype(np.float32)
    np.save(tmp_path / "a stack.npy", stack)
    return SeparateJob(
        inputs=[str(tmp_path / "a stack.npy")], out=str(tmp_path / "first"), model=str(model_file), merge="median",
        padded=False, residual=True, kev_per_unit=2.5, gap_values=(-1.0, 7.0), saturation=11.0, device="cpu",
    )  # fmt: skip


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_command_of_a_separation_gives_the_same_pixels(job: SeparateJob, tmp_path: Path) -> None:
    run_separation(job, emit=lambda event, **values: None)
    again = job.model_copy(update={"out": str(tmp_path / "second")})
    words = shlex.split(as_command(again))
    assert words[0] == "bgremove"
    subprocess.run([sys.executable, "-m", "napari_bgremove", *words[1:]], check=True, capture_output=True)
    _assert_same(tmp_path)


def test_the_python_of_a_separation_gives_the_same_pixels(job: SeparateJob, tmp_path: Path) -> None:
    run_separation(job, emit=lambda event, **values: None)
    _python(as_python(job.model_copy(update={"out": str(tmp_path / "second")})))
    _assert_same(tmp_path)


def test_the_python_of_a_frame_gives_its_pixels(job: SeparateJob, tmp_path: Path) -> None:
    run_separation(job, emit=lambda event, **values: None)
    load = f"from napari_bgremove import read_image\nimage = read_image({job.inputs[0]!r}, frame=1)"
    code = as_python_for_image(load, job)
    _python(f"{code}\nimport numpy\nnumpy.save({str(tmp_path / 'frame.npy')!r}, signal)")
    np.testing.assert_array_equal(
        np.load(tmp_path / "frame.npy"), read_image(tmp_path / "first" / "a stack-signal.tif", frame=1)
    )


@pytest.mark.parametrize(("model", "word", "name"), [(FAST_MODEL, "fast", "FAST_MODEL"), (None, "", "BUNDLED_MODEL")])
def test_models_that_come_along_are_named_by_a_word(model: Path | None, word: str, name: str) -> None:
    job = SeparateJob(inputs=["a.npy"], out="out", model=model and str(model))
    words = shlex.split(as_command(job))
    assert words[-2:] == (["--model", word] if word else ["--out", "out"])
    code = as_python_for_image("image = ...", job)
    assert f"import {name}, read_model" in code
    assert f"read_model({name})" in code


def _assert_same(folder: Path) -> None:
    files = sorted((folder / "first").glob("*.tif"))
    assert len(files) == 4
    for file in files:
        for frame in range(2):
            np.testing.assert_array_equal(
                read_image(file, frame=frame), read_image(folder / "second" / file.name, frame=frame)
            )


def test_the_command_of_a_training_writes_the_same_job(patch_files: dict[str, str], tmp_path: Path) -> None:
    job = TrainJob(
        recipe=SaxsUnetRecipe(
            preset="tiny", patch=32, epochs=1, batch_size=4, guides=(3, 5), equivariant=False, rot90=True,
            amplitude_decades=(-0.5, 0.5), schedule="cosine", padded=False,
        ),
        **patch_files, samples_per_epoch=4, device="cpu", threads=1,
    )  # fmt: skip
    words = shlex.split(as_command(job, out=str(tmp_path / "run")))
    subprocess.run([sys.executable, "-m", "napari_bgremove", *words[1:]], check=True, capture_output=True)
    written = read_job(RunFolder(tmp_path / "run").job)
    assert isinstance(written, TrainJob)
    keep = {"signal_patches", "background_patches", "mask_threshold", "mask_grow", "min_intensity", "patch"}
    told, said = ({k: v for k, v in one.recipe.to_dict().items() if k not in keep} for one in (written, job))
    assert told == said


def test_the_python_of_a_training_runs(patch_files: dict[str, str], tmp_path: Path) -> None:
    recipe = SaxsUnetRecipe(preset="tiny", patch=32, epochs=1, batch_size=4)
    job = TrainJob(recipe=recipe, **patch_files, samples_per_epoch=4, validation_samples=2, device="cpu", threads=1)
    assert _python(as_python(job, out=str(tmp_path / "run"))).strip() == "finished"
    assert read_job(RunFolder(tmp_path / "run").job) == job
