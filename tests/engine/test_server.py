"""The warm engine answers, supersedes, survives bad questions, and ends when nobody asks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine.client import EngineClient
from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.mailbox import Letter, Mailbox
from napari_bgremove.engine.server import _Answers, serve
from napari_bgremove.learning import inference
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import read_model


@pytest.fixture
def client() -> Iterator[EngineClient]:
    client = EngineClient()
    yield client
    client.close()


def wait(client: EngineClient, seconds: float = 60) -> list[Letter]:
    deadline = time.monotonic() + seconds
    replies: list[Letter] = []
    while client.is_waiting and time.monotonic() < deadline:
        replies += client.poll()
        time.sleep(0.02)
    return replies


def test_letters_arrive_whole_and_once(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    arrays = {"image": np.arange(12, dtype=">f4").reshape(3, 4)}
    mailbox.request(Letter(7, "separate", {"device": "cpu"}, arrays))
    (letter,) = mailbox.take_requests()
    assert (letter.number, letter.kind, letter.values) == (7, "separate", {"device": "cpu"})
    assert_array_equal(letter.arrays["image"], arrays["image"])
    assert mailbox.take_requests() == []


def test_the_engine_gives_what_this_process_gives(client: EngineClient, model_file: Path) -> None:
    image = np.random.default_rng(0).poisson(5, (50, 70)).astype(np.float32)
    client.ask("separate", arrays={"image": image}, model=str(model_file), device="cpu")
    (reply,) = wait(client)
    assert reply.kind == "separate", reply.values
    model = read_model(model_file)
    expected = separate_image(model.network, image, options=options_of(model))
    assert_allclose(reply.arrays["signal"], expected.signal, rtol=1e-5, atol=1e-5)
    assert reply.values["ledger"]["measured"] == pytest.approx(expected.ledger()["measured"])
    client.ask("devices")
    client.ask("model", model=str(model_file))
    replies = {letter.kind: letter.values for letter in wait(client)}
    assert replies["devices"]["devices"]["cpu"].startswith("CPU (")
    assert replies["model"]["sha256"] == model.sha256


def test_a_bad_question_is_one_sentence_and_the_engine_goes_on(client: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "not.safetensors").write_bytes(b"no model")
    client.ask("model", model=str(tmp_path / "not.safetensors"))
    (reply,) = wait(client)
    assert reply.kind == "failed"
    assert reply.values["error"] == "ModelFileError"
    client.ask("devices")
    assert wait(client)[0].kind == "devices"


@pytest.fixture
def answers() -> _Answers:
    """The engine without its process."""
    return _Answers()


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, *, room: int) -> None:
    forward = inference._forward

    def limited(network: Any, tiles: Any, options: Any) -> Any:
        if len(tiles) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(network, tiles, options)

    monkeypatch.setattr(inference, "_forward", limited)


def test_a_batch_beyond_the_memory_is_said_with_the_result(
    answers: _Answers, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = {"image": np.random.default_rng(0).poisson(5, (50, 70)).astype(np.float32)}
    run_out_of_memory(monkeypatch, room=4)
    reply = answers.answer(Letter(1, "separate", {"model": str(model_file), "device": "cpu"}, image))
    assert reply.values["notes"] == ["out of memory: going on with a batch of 4"]
    run_out_of_memory(monkeypatch, room=0)
    reply = answers.answer(Letter(2, "separate", {"model": str(model_file), "device": "cpu"}, image))
    assert reply.kind == "failed"
    assert reply.values["message"].startswith("Out of memory with a single tile; use the CPU")


def test_memory_that_ends_where_nothing_can_be_halved_is_a_sentence(
    answers: _Answers, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(*_: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(inference, "separate_image", run_out)
    reply = answers.answer(Letter(1, "separate", {"model": str(model_file)}, {"image": np.ones((9, 9))}))
    assert (reply.kind, reply.values["error"]) == ("failed", "ComputeError")
    assert "--" not in reply.values["message"], "a person in front of a window types no options"


def test_a_bug_is_an_answer_with_its_traceback_and_the_engine_goes_on(
    answers: _Answers, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "separate_image", lambda *_, **_options: 1 / 0)
    reply = answers.answer(Letter(1, "separate", {"model": str(model_file)}, {"image": np.ones((9, 9))}))
    assert reply.kind == "failed"
    assert "(ZeroDivisionError); nothing was changed." in reply.values["message"]
    assert "division by zero" in reply.values["details"]
    assert answers.answer(Letter(2, "no such question")).kind == "failed"
    assert answers.answer(Letter(3, "devices")).kind == "devices"


def test_the_card_of_a_model_says_what_its_self_test_found_here(answers: _Answers, model_file: Path) -> None:
    values = answers.answer(Letter(1, "model", {"model": str(model_file)})).values
    assert 0 <= values["self_test"] < 1e-4
    assert values["card"]["network"]["family"] == read_model(model_file).description.network.family


def test_the_time_of_a_run_is_told_once_there_are_patches(answers: _Answers, train_job: TrainJob) -> None:
    job = train_job.model_copy(update={"samples_per_epoch": None, "validation_samples": 4})
    told = answers.answer(Letter(1, "estimate", {"job": job.model_dump(mode="json")})).values
    steps_and_validation = 5 + 1 / 3  # 24 patches but 15 %, by 4
    assert told["seconds"] == pytest.approx(3 * steps_and_validation * told["seconds_per_step"])
    nowhere = job.model_copy(update={"signal": "nowhere.npz"})
    told = answers.answer(Letter(2, "estimate", {"job": nowhere.model_dump(mode="json")})).values
    assert told["seconds"] is None


def test_of_many_previews_the_newest_is_answered(tmp_path: Path, model_file: Path) -> None:
    mailbox = Mailbox(tmp_path / "box")
    mailbox.own()
    for number in range(1, 4):
        image = np.full((32, 32), number, np.float32)
        image[0, 0] = 0
        mailbox.request(Letter(number, "separate", {"model": str(model_file), "device": "cpu"}, {"image": image}))
    thread = Thread(target=serve, args=(tmp_path / "box",), kwargs={"idle_seconds": 1.0})
    thread.start()
    thread.join()
    replies = mailbox.take_replies()
    assert [reply.number for reply in replies] == [3]
    assert replies[0].arrays["measured"].max() == 3


def test_an_engine_that_is_killed_is_said_and_started_again(client: EngineClient, model_file: Path) -> None:
    client.ask("devices")
    wait(client)
    assert client._process is not None
    client._process.kill()
    client._process.wait()
    client._mailbox.request(Letter(99, "devices"))
    client._open[99] = Letter(99, "devices")
    (reply,) = wait(client)
    assert reply.values["error"] == "EngineLost"
    client.ask("devices")
    assert wait(client)[0].kind == "devices"


ORPHAN = """
import os, sys, time
from napari_bgremove.engine.client import EngineClient
client = EngineClient()
client.ask("devices")
while client.is_waiting:
    client.poll()
    time.sleep(0.05)
print(client._process.pid, flush=True)
os._exit(9)
"""


def test_the_engine_ends_when_the_viewer_was_killed() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=False, timeout=120)
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the engine lives on"
        time.sleep(0.1)
