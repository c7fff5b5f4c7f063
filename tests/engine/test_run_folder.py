"""A run folder that is taken says how to go on with what lives there, by the command of its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bgremove.engine.jobs import SeparateJob, TrainingJob, TrainJob, TrainSignalsJob, TrainSpectraJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.errors import ReadError

TRAININGS = (
    (TrainJob(signal="s.npz", background="b.npz"), "bgremove train"),
    (TrainSpectraJob(source=SpectraSource(paths=("set.npz",))), "bgremove spectra train"),
    (TrainSignalsJob(), "bgremove signals train"),
)
every_training = pytest.mark.parametrize(("job", "command"), TRAININGS, ids=[job.kind for job, _ in TRAININGS])


@every_training
def test_a_training_is_resumed_by_the_command_of_its_kind(tmp_path: Path, job: TrainingJob, command: str) -> None:
    run = RunFolder(tmp_path / "run")
    run.create(job.model_dump_json())
    with pytest.raises(ReadError) as caught:
        run.create("{}")
    assert str(caught.value) == (
        f"'{run.path}' already holds a run; resume it ({command} --resume {run.path}) or choose another folder."
    )


@pytest.mark.parametrize("there", [SeparateJob(inputs=[], out="o").model_dump_json(), "damaged"])
def test_what_cannot_be_resumed_is_not_said_to_be(tmp_path: Path, there: str) -> None:
    run = RunFolder(tmp_path / "run")
    run.create(there)
    with pytest.raises(ReadError) as caught:
        run.create("{}")
    assert str(caught.value) == f"'{run.path}' already holds a run; choose another folder."
    assert run.job.read_text() == there


@every_training
def test_what_it_learns_from_and_its_command_are_no_part_of_the_file(job: TrainingJob, command: str) -> None:
    assert not {"command", "samples"} & set(job.model_dump())
