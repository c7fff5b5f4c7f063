"""A denoiser trained in a run folder: the same folder, the same resuming as any other training."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.jobs import TRAINING_KINDS, SeparateJob, TrainSignalsJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.engine.train_plan import change_run, create_run
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.errors import ComputeError, ModelFileError, ReadError
from napari_bgremove.learning.model_file import read_signal_model
from napari_bgremove.learning.signal_inference import denoise_signals
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.synthetic.signals import make_spectra


@pytest.fixture
def job() -> TrainSignalsJob:
    recipe = DenoiserRecipe.of_preset("spectra", width=2, pairs=48, epochs=3)
    return TrainSignalsJob(recipe=recipe, device="cpu", threads=1)


def _run(path: Path, job: TrainSignalsJob, **options: object) -> RunFolder:
    folder = RunFolder(path)
    if not folder.job.exists():
        create_run(folder, job)
    run_training(folder, job, **options)  # type: ignore[arg-type]
    return folder


def test_a_run_folder_holds_all_that_is_promised(tmp_path: Path, job: TrainSignalsJob) -> None:
    folder = _run(tmp_path / "run", job)
    assert read_job(folder.job) == job
    events = [e["event"] for e in folder.read_events()[0]]
    assert events == ["started"] + (["step"] * 3 + ["epoch"]) * 3 + ["finished"]
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert all(float(row["validation_rmse"]) > 0 for row in rows)
    preview = np.load(folder.preview(2), allow_pickle=False)
    assert set(preview) == {"axis", "measured", "signal", "predicted_signal", "predicted_background"}
    assert {preview[name].shape for name in preview} == {(128,)}
    np.testing.assert_allclose(preview["predicted_signal"] + preview["predicted_background"], preview["measured"])
    np.testing.assert_array_equal(np.load(folder.preview(0))["measured"], preview["measured"])
    record = json.loads((folder.path / "run.json").read_text())
    assert record["recipe"] == job.recipe.to_dict()
    assert record["signals"] == {"training": 48, "validation": 14}
    model = read_signal_model(folder.best)
    assert model.description.provenance["trained_on"] == "48 pairs of generated spectra, new ones in every epoch"
    assert model.description.provenance["validation_loss"] == min(
        e["validation"]["loss"] for e in folder.read_events()[0] if e["event"] == "epoch"
    )
    measured = make_spectra(3, 2).measured
    np.testing.assert_allclose(
        denoise_signals(model, measured).signal + denoise_signals(model, measured).background, measured
    )


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "sgd", "momentum": 0.9, "schedule": "staircase", "fresh": False}])
def test_a_stopped_run_resumes_bit_for_bit_in_the_middle_of_an_epoch(
    tmp_path: Path, job: TrainSignalsJob, recipe: dict[str, object]
) -> None:
    job = job.model_copy(update={"recipe": replace(job.recipe, **recipe)})  # type: ignore[arg-type]
    whole = _run(tmp_path / "whole", job)
    count = iter(range(4))
    parts = _run(tmp_path / "parts", job, should_stop=lambda: next(count, None) is None)
    assert parts.read_events()[0][-1]["event"] == "stopped"
    _run(tmp_path / "parts", job)
    assert read_signal_model(parts.model).sha256 == read_signal_model(whole.model).sha256


def test_rows_of_a_file_are_learnt_from_without_labels(tmp_path: Path, spectra_file: Path) -> None:
    job = TrainSignalsJob(
        recipe=DenoiserRecipe.of_preset("rows", width=2, pairs=32, epochs=1, crop=40),
        source=SpectraSource(paths=(str(spectra_file),)), device="cpu",
    )  # fmt: skip
    folder = _run(tmp_path / "run", job)
    assert read_job(folder.job) == job
    model = read_signal_model(folder.model)
    assert model.description.provenance["trained_on"] == "32 measured rows without labels (set.npz)"
    assert model.description.centred
    record = json.loads((folder.path / "run.json").read_text())
    assert [one["file"] for one in record["data"]] == ["set.npz"]
    assert set(np.load(folder.preview(0))) == {"axis", "measured", "predicted_signal", "predicted_background"}


def test_a_training_starts_from_the_weights_of_another(tmp_path: Path, job: TrainSignalsJob) -> None:
    first = _run(tmp_path / "first", job)
    second = job.model_copy(update={"start_from": str(first.best), "recipe": replace(job.recipe, epochs=1)})
    folder = _run(tmp_path / "second", second)
    assert read_signal_model(folder.model).description.provenance["started_from"] == "best.safetensors"
    losses = [[e["loss"] for e in f.read_events()[0] if e["event"] == "step"] for f in (first, folder)]
    assert losses[1][0] < losses[0][0]


def test_a_job_that_cannot_start_leaves_no_folder(
    tmp_path: Path, job: TrainSignalsJob, model_file: Path, spectra_file: Path
) -> None:
    other = _run(tmp_path / "other", job.model_copy(update={"recipe": replace(job.recipe, width=3, epochs=1)}))
    wrong = {
        "holds another network than the recipe asks for": {"start_from": str(other.best)},
        "must be a model for signals; found one for images": {"start_from": str(model_file)},
        "'rows' must be given for signals 'rows'": {"recipe": replace(job.recipe, signals="rows")},
        "found some, and signals 'spectra'": {"source": SpectraSource(paths=(str(spectra_file),))},
        "'device' 'cuda:99' is not available": {"device": "cuda:99"},
    }
    folder = RunFolder(tmp_path / "run")
    for sentence, changes in wrong.items():
        with pytest.raises((ComputeError, ReadError, ModelFileError, ValueError), match=sentence):
            create_run(folder, job.model_copy(update=changes))
        assert not folder.path.exists()


def test_an_abandoned_run_makes_room_and_a_finished_one_goes_on_longer(tmp_path: Path, job: TrainSignalsJob) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create('{"kind": "train_signals", "recipe": {"seed": -1}}')  # as it would never have started
    short = job.model_copy(update={"recipe": replace(job.recipe, epochs=1, schedule="constant")})
    create_run(folder, short)
    run_training(folder, short)
    longer = change_run(folder, short, epochs=2)
    assert run_training(folder, longer) == "finished"
    assert list(folder.kept_epochs()) == [0, 1]


def test_a_job_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text('{"kind": "train_signals", "recipe": {"width": "wide"}}')
    with pytest.raises(ReadError, match=r"is not a valid job: 'recipe.width' must be a valid integer"):
        read_job(path)
    path.write_text('{"kind": "train_signals", "precision": "float16"}')
    with pytest.raises(ReadError, match="is not a valid job: 'precision' must be"):
        read_job(path)
    path.write_text('{"kind": "train_signals"}')
    assert read_job(path) == TrainSignalsJob()


def test_every_kind_of_training_is_known() -> None:
    from napari_bgremove.engine.trainee import _TRAINEES

    assert {kind.model_fields["kind"].default for kind in _TRAINEES} == set(TRAINING_KINDS)
    assert SeparateJob.model_fields["kind"].default not in TRAINING_KINDS
