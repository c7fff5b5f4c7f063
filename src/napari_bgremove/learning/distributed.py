"""Several processes on one run: who computes which samples, and the sum of gradients."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import distributed, nn

from napari_bgremove.errors import ComputeError

__all__ = ["Ranks", "join_ranks", "leave_ranks", "local_device"]


@dataclass(frozen=True)
class Ranks:
    """One process among `size` that share every batch."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """True for the one process that writes files and prints."""
        return self.rank == 0

    def share(self, batch: Sequence[int]) -> Sequence[int]:
        """Return the samples of a batch that this process computes."""
        return batch[self.rank :: self.size]

    def sum_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by its sum over all processes."""
        if self.size == 1:
            return
        for parameter in network.parameters():
            if parameter.grad is None:  # an empty share still takes part
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)

    def sum_values(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the sum of named numbers over all processes."""
        if self.size == 1:
            return dict(values)
        names = sorted(values)
        tensor = torch.tensor([values[n] for n in names], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        distributed.all_reduce(tensor)
        return dict(zip(names, tensor.tolist(), strict=True))

    def wait_for_all(self) -> None:
        """Return once every process has come here: one that leaves early would break the connection of the others."""
        if self.size > 1:
            distributed.barrier()


def local_device(device: torch.device) -> torch.device:
    """Return the device of this process: of several under torchrun, each takes the GPU of its own number.

    Raises
    ------
    ComputeError
        When a single GPU was named for all of them, or there are too few.
    """
    if _size() == 1 or device.type != "cuda":
        return device
    index, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if device.index is not None:
        msg = f"'device' must be cuda for several processes, each takes a GPU of its own; found {device}."
        raise ComputeError(msg)
    if index >= gpus:
        msg = f"'nproc-per-node' must not exceed the number of GPUs, {gpus}; found process {index + 1}. Start fewer."
        raise ComputeError(msg)
    return torch.device("cuda", index)


def join_ranks(device: torch.device = torch.device("cpu")) -> Ranks:
    """Join the processes torchrun has started; alone, return the one rank there is.

    Parameters
    ----------
    device : torch.device
        What this process computes on, from `local_device`: GPUs talk by NCCL,
        processors by gloo.
    """
    if _size() == 1:
        return Ranks()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Ranks(distributed.get_rank(), _size())


def leave_ranks() -> None:
    """Leave the process group, if one was joined."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1
