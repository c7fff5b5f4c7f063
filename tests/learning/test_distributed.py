"""Laws of several processes: each its own GPU, the right way to talk, one sentence where it cannot be."""

from __future__ import annotations

import pytest
import torch
from torch import distributed

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.distributed import Ranks, join_ranks, local_device


@pytest.fixture
def second_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_each_process_takes_the_gpu_of_its_number(second_of_three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert local_device(torch.device("cuda")) == torch.device("cuda:1")
    assert local_device(torch.device("cpu")) == torch.device("cpu")


def test_alone_the_device_stays_as_it_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    for name in ("cuda", "cuda:2", "cpu"):
        assert local_device(torch.device(name)) == torch.device(name)


def test_one_gpu_for_several_processes_is_refused(second_of_three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ComputeError, match=r"'device' must be cuda for several processes.*; found cuda:0"):
        local_device(torch.device("cuda:0"))
    with pytest.raises(ComputeError, match="'nproc-per-node' must not exceed the number of GPUs, 1; found process 2"):
        local_device(torch.device("cuda"))


@pytest.mark.parametrize(("device", "backend", "current"), [("cuda:1", "nccl", ["cuda:1"]), ("cpu", "gloo", [])])
def test_gpus_talk_by_nccl_and_processors_by_gloo_wherever_a_gpu_lies_idle(
    second_of_three: None, monkeypatch: pytest.MonkeyPatch, device: str, backend: str, current: list[str]
) -> None:
    chosen: list[str] = []
    joined: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda d: chosen.append(str(d)))
    monkeypatch.setattr(distributed, "init_process_group", joined.append)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    assert join_ranks(torch.device(device)) == Ranks(1, 3)
    assert (joined, chosen) == ([backend], current)
