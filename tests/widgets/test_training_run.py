"""One training after another: which folders a panel takes, and what it says of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.jobs import (
    SeparateJob,
    TrainingJob,
    TrainJob,
    TrainSignalsJob,
    TrainSpectraJob,
    read_job,
)
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.widgets import training_run
from napari_bgremove.widgets.training_run import TrainingRun

JOBS: dict[type[TrainingJob], TrainingJob] = {
    TrainJob: TrainJob(signal="s.npz", background="b.npz"),
    TrainSpectraJob: TrainSpectraJob(source=SpectraSource(paths=("set.npz",))),
    TrainSignalsJob: TrainSignalsJob(),
}
every_kind = pytest.mark.parametrize("kind", JOBS, ids=lambda kind: kind.__name__)


def make_run(tmp_path: Path, job: TrainingJob | SeparateJob) -> RunFolder:
    run = RunFolder(tmp_path / "night")
    run.create(job.model_dump_json())
    return run


@every_kind
def test_a_run_of_its_kind_is_taken(qtbot: Any, tmp_path: Path, kind: type[TrainingJob]) -> None:
    run = make_run(tmp_path, JOBS[kind])
    training = TrainingRun(kind)
    assert training.attach(run.path) == JOBS[kind]
    assert training.folder == run


@pytest.mark.parametrize(
    ("kind", "found", "sentence"),
    [
        (TrainJob, TrainSpectraJob, "'night' learns from triplets, which .*; attach to it in the panel Spectra"),
        (TrainSpectraJob, TrainJob, "'night' learns from patches, which .*; attach to it in the panel Model"),
        (
            TrainJob,
            TrainSignalsJob,
            "'night' learns from signals, .* 'bgremove signals train --resume .*night', or drop",
        ),
        (
            TrainSpectraJob,
            TrainSignalsJob,
            "'night' learns from signals, .* by 'bgremove signals train --resume .*night'",
        ),
    ],
)
def test_a_run_of_another_kind_is_refused_with_its_place(
    qtbot: Any, tmp_path: Path, kind: type[TrainingJob], found: type[TrainingJob], sentence: str
) -> None:
    training = TrainingRun(kind)
    with pytest.raises(ValueError, match=sentence):
        training.attach(make_run(tmp_path, JOBS[found]).path)
    assert training.folder is None


def test_a_separation_is_no_training(qtbot: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'night' is no training"):
        TrainingRun().attach(make_run(tmp_path, SeparateJob(inputs=[], out="o")).path)


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (JOBS[TrainJob], "'s.npz' is not there: extract patches"),
        (JOBS[TrainSpectraJob], "'set.npz' is not there: open the spectra again"),
        (
            TrainSignalsJob(recipe=DenoiserRecipe(signals="rows"), source=SpectraSource(paths=("rows.npz",))),
            "'rows.npz' is not there: open the spectra again",
        ),
    ],
)
def test_no_run_is_made_of_files_that_are_gone(qtbot: Any, tmp_path: Path, job: TrainingJob, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainingRun(type(job)).create(job, folder=None, place=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_generated_signals_need_no_files(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "start_detached", lambda run, threads: 1)
    training = TrainingRun(TrainSignalsJob)
    training.create(JOBS[TrainSignalsJob], folder=None, place=tmp_path)
    assert training.folder is not None
    assert read_job(training.folder.job) == JOBS[TrainSignalsJob]
