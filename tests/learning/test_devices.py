"""Laws of the devices: the truth about what is there, and half the batch when memory ends."""

from __future__ import annotations

import pytest
import torch

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.devices import (
    describe_device,
    explain_out_of_memory,
    halve_on_out_of_memory,
    limited_threads,
    pick_device,
)


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_takes_the_cpu_where_there_is_nothing_else(no_accelerator: None) -> None:
    assert pick_device() == pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps")])
def test_auto_prefers_a_gpu(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "tpu", "", "cpu:x", "cuda:-1"])
def test_a_device_that_is_not_there_is_refused_with_what_is(no_accelerator: None, name: str) -> None:
    with pytest.raises(
        ComputeError, match=f"'device' '{name}' is not available on this computer; choose one of auto, cpu."
    ):
        pick_device(name)


def test_a_gpu_number_beyond_those_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ComputeError, match="'device' 'cuda:1' is not available"):
        pick_device("cuda:1")


def test_the_description_of_the_cpu_says_how_many_threads_compute() -> None:
    with limited_threads(1):
        assert describe_device(torch.device("cpu")).startswith("CPU (1 of ")


def test_the_number_of_threads_is_restored_even_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError, match="inside"), limited_threads(1):
        raise KeyError("inside")
    assert torch.get_num_threads() == before


MEMORY_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory."),
    # what torch 2.13 raises for torch.empty(2**60) on the CPU
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    ),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=["gpu", "cpu"])
def test_the_batch_is_halved_until_it_fits_and_each_time_it_is_said(error: RuntimeError) -> None:
    tried: list[int] = []
    said: list[str] = []

    def compute(batch: int) -> str:
        tried.append(batch)
        if batch > 3:
            raise error
        return f"done with {batch}"

    assert halve_on_out_of_memory(compute, 13, report=said.append) == ("done with 3", 3)
    assert tried == [13, 6, 3]
    assert said == ["out of memory: going on with a batch of 6", "out of memory: going on with a batch of 3"]


def test_a_real_allocation_beyond_the_memory_is_recognised() -> None:
    def compute(batch: int) -> int:
        return 1 if batch == 1 else torch.empty(2**56 * batch, dtype=torch.uint8).numel()

    assert halve_on_out_of_memory(compute, 4) == (1, 1)


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=["gpu", "cpu"])
def test_no_memory_for_one_tile_is_refused_with_the_remedy(error: RuntimeError) -> None:
    def compute(batch: int) -> None:
        raise error

    with pytest.raises(ComputeError, match="Out of memory with a single tile; use the CPU"):
        halve_on_out_of_memory(compute, 8)


def test_the_batch_that_worked_is_remembered_for_its_network_alone() -> None:
    tried: list[int] = []
    said: list[str] = []

    def compute(batch: int) -> None:
        tried.append(batch)
        if batch > 4:
            raise MEMORY_ERRORS[0]

    network, other = torch.nn.Identity(), torch.nn.Identity()
    for key in (network, network, other):
        assert halve_on_out_of_memory(compute, 8, report=said.append, key=key) == (None, 4)
    assert tried == [8, 4, 4, 8, 4]
    assert len(said) == 2
    assert halve_on_out_of_memory(compute, 2, key=network) == (None, 2)  # never more than was asked for


def test_a_batch_of_what_is_said() -> None:
    def compute(batch: int) -> None:
        raise MEMORY_ERRORS[0]

    with pytest.raises(ComputeError, match="Out of memory with a single sample; use the CPU"):
        halve_on_out_of_memory(compute, 8, what="sample")


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=["gpu", "cpu"])
def test_memory_that_ends_anywhere_else_is_one_sentence(error: RuntimeError) -> None:
    with pytest.raises(ComputeError, match="Out of memory; close what else uses the device"), explain_out_of_memory():
        raise error
    with pytest.raises(RuntimeError, match="shape mismatch"), explain_out_of_memory():
        raise RuntimeError("shape mismatch")


def test_any_other_error_passes_through() -> None:
    def compute(batch: int) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        halve_on_out_of_memory(compute, 8)
