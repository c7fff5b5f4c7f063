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
import torch

from napari_bgremove.engine import train_run
from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.launch import start_detached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_plan import change_run, create_run
from napari_bgremove.engine.train_run import _Run, run_training
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.io.patch_sets import read_patch_set, write_patch_set
from napari_bgremove.learning import distributed
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import NetworkSpec, build_network
from napari_bgremove.learning.objectives.additive import AdditiveObjective
from napari_bgremove.learning.training import Training


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
    deadline = time.monotonic() + 180
    while not folder.model.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    read_model(folder.model)  # loads: whole, or not there
    assert folder.owner() is None  # the pid file of a dead process does not lock the run
    assert run_training(folder, train_job) == "finished"
    assert read_model(folder.model).sha256 == read_model(whole.model).sha256
    assert read_model(folder.best).sha256 == read_model(whole.best).sha256
    assert not list(folder.path.glob(".*.tmp"))


@pytest.mark.parametrize(
    "killed_at",
    [(_Run, "_checkpoint"), (train_run, "append_metrics"), (train_run, "drop_old_epochs")],
    ids=["checkpoint", "metrics", "old epochs"],
)
def test_a_kill_right_after_the_best_epoch_does_not_lose_it(
    tmp_path: Path, train_job: TrainJob, monkeypatch: pytest.MonkeyPatch, killed_at: tuple[object, str]
) -> None:
    """The first of three epochs is the best; the process ends at each place where it is being written."""
    losses = [0.1, 0.5, 0.4]
    monkeypatch.setattr(Training, "validate", lambda training: {"loss": losses[training.epoch]})
    folder = _new_run(tmp_path / "run", train_job)

    def kill(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*killed_at, kill)
        with pytest.raises(KeyboardInterrupt):
            run_training(folder, train_job)
    assert run_training(folder, train_job) == "finished"
    assert read_model(folder.best).sha256 == read_model(folder.epoch_model(0)).sha256
    assert read_model(folder.model).description.progress["best"] == 0.1


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


def test_a_paused_run_waits_and_goes_on_as_if_nothing_had_been(tmp_path: Path, train_job: TrainJob) -> None:
    whole = _new_run(tmp_path / "whole", train_job)
    run_training(whole, train_job)
    folder = _new_run(tmp_path / "paused", train_job)
    folder.ask_to_pause()
    start_detached(folder, threads=1, lower_priority=False)
    assert _wait_for(folder, "paused")
    time.sleep(1)
    assert folder.read_events()[0][-1]["event"] == "paused", "nothing happens meanwhile"
    read_model(folder.model)
    folder.ask_to_pause(on=False)
    assert _wait_for(folder, "continued")
    assert _wait_for(folder, "finished")
    _wait_until_free(folder)
    assert read_model(folder.model).sha256 == read_model(whole.model).sha256


def test_a_paused_run_can_be_stopped(tmp_path: Path, train_job: TrainJob) -> None:
    folder = _new_run(tmp_path / "run", train_job)
    folder.ask_to_pause()
    start_detached(folder, threads=1, lower_priority=False)
    assert _wait_for(folder, "paused")
    folder.ask_to_stop()
    assert _wait_for(folder, "stopped")
    _wait_until_free(folder)
    assert run_training(folder, train_job) == "finished", "a pause ends with the run that was asked for it"


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


def _other_model(path: Path) -> str:
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=3)
    write_model(path, network, ModelDescription(network=network.spec))
    return str(path)


def test_a_job_that_cannot_start_leaves_no_folder(tmp_path: Path, train_job: TrainJob) -> None:
    patches = read_patch_set(Path(train_job.background))
    single = str(write_patch_set(tmp_path / "single.npz", patches.of_shots([2])))
    wrong = {
        "must come from at least 2 shots": {"background": single},
        "'device' 'cuda:99' is not available": {"device": "cuda:99"},
        "holds another network than the recipe asks for": {"start_from": _other_model(tmp_path / "other")},
        "must be a file of signal patches": {"signal": train_job.background},
        "cannot be read": {"start_from": str(tmp_path / "nothing")},
    }
    folder = RunFolder(tmp_path / "run")
    for sentence, changes in wrong.items():
        with pytest.raises((ComputeError, ValueError), match=sentence):
            create_run(folder, train_job.model_copy(update=changes))
        assert not folder.path.exists()
    create_run(folder, train_job)
    assert read_job(folder.job) == train_job


def test_a_run_that_never_got_as_far_as_a_model_makes_room(tmp_path: Path, train_job: TrainJob) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create('{"kind": "train", "recipe": {"seed": -1}}')  # as an earlier version left it
    folder.emit("failed")
    create_run(folder, train_job)
    assert read_job(folder.job) == train_job
    assert folder.read_events()[0] == []
    folder.occupy()
    with pytest.raises(ReadError, match="already holds a run"):  # somebody works there
        create_run(folder, train_job)
    folder.release()
    run_training(folder, train_job, should_stop=lambda: True)
    with pytest.raises(ReadError, match="already holds a run; resume it"):
        create_run(folder, train_job)


def test_a_job_of_another_kind_is_never_replaced(tmp_path: Path, train_job: TrainJob) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create('{"kind": "separate", "inputs": [], "out": "o"}')
    with pytest.raises(ReadError, match="already holds a run"):
        create_run(folder, train_job)


def test_a_run_goes_on_longer_and_elsewhere_and_says_so(tmp_path: Path, train_job: TrainJob) -> None:
    """A job of a computer with a GPU, finished on one without; then two epochs more."""
    job = train_job.model_copy(update={"device": "cuda", "recipe": replace(train_job.recipe, epochs=1)})
    folder = _new_run(tmp_path / "run", job)
    job = change_run(folder, job, device="cpu")
    assert read_job(folder.job) == job
    assert run_training(folder, job) == "finished"
    longer = change_run(folder, job, epochs=3, threads=1)
    assert run_training(folder, longer) == "finished"
    whole = _new_run(tmp_path / "whole", train_job)
    run_training(whole, train_job)
    assert read_model(folder.model).sha256 == read_model(whole.model).sha256  # at a constant rate: as if at once
    changes = [e["changes"] for e in folder.read_events()[0] if e["event"] == "changed"]
    assert changes == [{"device": ["cuda", "cpu"]}, {"epochs": [1, 3]}]


def test_a_change_that_makes_no_sense_changes_nothing(tmp_path: Path, train_job: TrainJob) -> None:
    folder = _new_run(tmp_path / "run", train_job)
    with pytest.raises(ValueError, match="'epochs' of a run can only grow: it must be at least 3; found 2"):
        change_run(folder, train_job, epochs=2)
    with pytest.raises(ComputeError, match="'device' 'cuda:99' is not available"):
        change_run(folder, train_job, device="cuda:99")
    assert change_run(folder, train_job, epochs=3, device="cpu") == train_job
    assert read_job(folder.job) == train_job
    assert folder.read_events()[0] == []


def test_the_recipe_says_how_the_patches_were_really_cut(tmp_path: Path, train_job: TrainJob) -> None:
    told = {
        "signal": {"min_intensity": 7.5, "min_intensity_from": "option", "files": ["xray0.tif"], "seed": [3, 4]},
        "background": {"mask_threshold": 6.0, "mask_grow": [2, 3], "files": ["full0.tif"]},
    }
    files = {}
    for role, metadata in told.items():
        patches = replace(read_patch_set(Path(getattr(train_job, role))), metadata=metadata)
        files[role] = str(write_patch_set(tmp_path / f"told-{role}.npz", patches))
    job = train_job.model_copy(update={**files, "recipe": replace(train_job.recipe, epochs=1)})
    folder = _new_run(tmp_path / "run", job)
    run_training(folder, job)
    record = json.loads((folder.path / "run.json").read_text())
    for recipe in (record["recipe"], read_model(folder.model).description.recipe):
        used = {name: recipe[name] for name in ("patch", "signal_patches", "background_patches", "min_intensity")}
        assert used == {"patch": 32, "signal_patches": 24, "background_patches": 24, "min_intensity": 7.5}
        assert (recipe["mask_threshold"], recipe["mask_grow"]) == (6.0, None)  # two shots, two ways to grow
    assert record["patches"] == {role: {"patches": 24, **metadata} for role, metadata in told.items()}
    provenance = read_model(folder.best).description.provenance
    assert provenance["trained_on"] == (
        "24 signal patches of 4 shots (xray0.tif) and 24 background patches of 4 shots (full0.tif)"
    )
    (loss,) = [e["validation"]["loss"] for e in folder.read_events()[0] if e["event"] == "epoch"]
    assert provenance["validation_loss"] == loss


def test_a_batch_beyond_the_memory_is_an_event_and_the_run_goes_on(
    tmp_path: Path, train_job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_job.model_copy(update={"recipe": replace(train_job.recipe, epochs=1)})
    whole, small = _new_run(tmp_path / "whole", job), _new_run(tmp_path / "small", job)
    run_training(whole, job)
    plain = AdditiveObjective.__call__

    def limited(self: AdditiveObjective, network: torch.nn.Module, batch: dict) -> dict:
        if len(batch["measured"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(self, network, batch)

    monkeypatch.setattr(AdditiveObjective, "__call__", limited)
    assert run_training(small, job) == "finished"
    (said,) = [e for e in small.read_events()[0] if e["event"] == "memory"]
    assert (said["epoch"], said["step"], said["at_once"]) == (0, 1, 2)
    curves = [[e["loss"] for e in f.read_events()[0] if e["event"] == "step"] for f in (whole, small)]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)


def test_the_group_of_processes_is_left_whatever_happens(
    tmp_path: Path, train_job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []
    monkeypatch.setattr(distributed, "leave_ranks", lambda: left.append("left"))
    folder = _new_run(tmp_path / "run", train_job)
    run_training(folder, train_job, should_stop=lambda: True)
    with pytest.raises(ReadError):
        run_training(folder, train_job.model_copy(update={"signal": train_job.background}))
    assert left == ["left", "left"]


def test_who_hears_of_an_epoch_finds_its_files(tmp_path: Path, train_job: TrainJob) -> None:
    folder = _new_run(tmp_path / "run", train_job)
    found: list[bool] = []

    def look(event: dict) -> None:
        if event["event"] == "epoch":
            files = folder.best, folder.model, folder.preview(event["epoch"]), folder.epoch_model(event["epoch"])
            found.append(all(file.exists() for file in files))

    run_training(folder, train_job, listener=look)
    assert found == [True] * 3


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
