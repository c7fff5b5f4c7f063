from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.launch import start_detached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.errors import ReadError
from napari_bgremove.learning.model_file import read_model


def _new_run(path: Path, job: TrainJob) -> RunFolder:
    folder = RunFolder(path)
    folder.create(job.model_dump_json())
    return folder


def _stop_after(steps: int):
    count = iter(range(steps))
    return lambda: next(count, None) is None


def test_a_run_folder_holds_all_that_is_promised(tmp_path: Path, train_job: TrainJob) -> None:
    folder = _new_run(tmp_path / "run", train_job)
    assert run_training(folder, train_job) == "finished"
    assert read_job(folder.job) == train_job
    events = [e["event"] for e in folder.read_events()[0]]
    assert events == ["started"] + (["step"] * 3 + ["epoch"]) * 3 + ["finished"]
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert [int(r["epoch"]) for r in rows] == [0, 1, 2]
    assert all(float(r["validation_loss"]) > 0 for r in rows)
    assert list(folder.kept_epochs()) == [0, 1, 2]
    preview = np.load(folder.preview(2), allow_pickle=False)
    assert preview["predicted_signal"].shape == preview["measured"].shape == (32, 32)
    record = json.loads((folder.path / "run.json").read_text())
    assert record["recipe"]["batch_size"] == 4
    assert len(record["data"]["signal"]["sha256"]) == 64
    assert read_model(folder.model).description.tile == 32  # the side of the patches
    assert not (folder.path / "pid").exists()


def test_a_stopped_run_resumes_bit_for_bit_in_the_middle_of_an_epoch(tmp_path: Path, train_job: TrainJob) -> None:
    whole = _new_run(tmp_path / "whole", train_job)
    run_training(whole, train_job)
    parts = _new_run(tmp_path / "parts", train_job)
    assert run_training(parts, train_job, should_stop=_stop_after(4)) == "stopped"
    assert parts.read_events()[0][-1]["event"] == "stopped"
    assert run_training(parts, train_job) == "finished"
    assert read_model(parts.model).sha256 == read_model(whole.model).sha256
    timeless = [[row[:1] + row[2:] for row in csv.reader(f.metrics.read_text().splitlines())] for f in (parts, whole)]
    assert timeless[0] == timeless[1]  # all but the seconds


def test_kill_9_leaves_a_loadable_model_and_a_resumable_run(tmp_path: Path, train_job: TrainJob) -> None:
    whole = _new_run(tmp_path / "whole", train_job)
    run_training(whole, train_job)
    folder = _new_run(tmp_path / "killed", train_job)
    process = subprocess.Popen([sys.executable, "-m", "napari_bgremove.engine", str(folder.path)])
    deadline = time.monotonic() + 60
    while not folder.model.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    read_model(folder.model)  # loads: whole, or not there
    assert folder.owner() is None  # the pid file of a dead process does not lock the run
    assert run_training(folder, train_job) == "finished"
    assert read_model(folder.model).sha256 == read_model(whole.model).sha256
    assert not list(folder.path.glob(".*.tmp"))


def test_a_detached_run_stops_when_asked(tmp_path: Path, train_job: TrainJob) -> None:
    job = train_job.model_copy(update={"recipe": replace(train_job.recipe, epochs=100_000)})
    folder = _new_run(tmp_path / "run", job)
    pid = start_detached(folder, threads=1, lower_priority=False)
    assert _wait_for(folder, "epoch"), folder.read_events()
    assert folder.owner() == pid
    with pytest.raises(ReadError, match=f"is in use by process {pid}"):
        run_training(folder, job)
    folder.ask_to_stop()
    assert _wait_for(folder, "stopped")
    read_model(folder.model)
    _wait_until_free(folder)


def test_a_failure_in_the_detached_process_is_an_event(tmp_path: Path, train_job: TrainJob) -> None:
    job = train_job.model_copy(update={"signal": train_job.background})
    folder = _new_run(tmp_path / "run", job)
    start_detached(folder)
    (failure,) = _wait_for(folder, "failed")
    assert failure["kind"] == "ReadError"
    assert "must be a file of signal patches; found background patches" in failure["message"]


def test_a_folder_holds_one_run(tmp_path: Path, train_job: TrainJob) -> None:
    folder = _new_run(tmp_path / "run", train_job)
    with pytest.raises(ReadError, match="already holds a run; resume it"):
        folder.create("{}")


def test_only_the_last_ten_epochs_and_every_tenth_are_kept(tmp_path: Path, train_job: TrainJob) -> None:
    job = train_job.model_copy(update={"recipe": replace(train_job.recipe, epochs=22), "samples_per_epoch": 4})
    folder = _new_run(tmp_path / "run", job)
    run_training(folder, job)
    assert list(folder.kept_epochs()) == [9, *range(12, 22)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "is not a valid job"), ('{"kind": "train"}', "is not a valid job: .*signal"), ('{"kind": "x"}', "kind")],
)
def test_a_broken_job_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(ReadError, match=sentence):
        read_job(tmp_path / "job.json")


def test_events_are_read_as_they_come_and_a_torn_line_waits(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.emit("one", value=1)
    with folder.events.open("ab") as file:
        file.write(b'{"event": "tw')
    events, offset = folder.read_events()
    assert [e["event"] for e in events] == ["one"]
    with folder.events.open("ab") as file:
        file.write(b'o"}\n')
    events, _ = folder.read_events(offset=offset)
    assert [e["event"] for e in events] == ["two"]


def test_two_processes_learn_what_one_learns(tmp_path: Path, train_job: TrainJob) -> None:
    """torchrun with gloo: the same loss curve as one process with the whole batch."""
    alone = _new_run(tmp_path / "alone", train_job)
    run_training(alone, train_job)
    shared = _new_run(tmp_path / "shared", train_job)
    environment = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29541",
        "WORLD_SIZE": "2",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "napari_bgremove", "train", "--resume", str(shared.path)]
    processes = [subprocess.Popen(command, env={**environment, "RANK": r, "LOCAL_RANK": r}) for r in ("0", "1")]
    assert [p.wait(timeout=120) for p in processes] == [0, 0]
    curves = [[e["loss"] for e in f.read_events()[0] if e["event"] == "step"] for f in (alone, shared)]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-5)
    assert len(curves[0]) == 9


def _wait_until_free(folder: RunFolder) -> None:
    deadline = time.monotonic() + 30
    while folder.owner() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert folder.owner() is None


def _wait_for(folder: RunFolder, event: str, seconds: float = 120) -> list[dict]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [e for e in folder.read_events()[0] if e["event"] == event]
        if found:
            return found
        time.sleep(0.05)
    return []
