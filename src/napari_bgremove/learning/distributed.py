"""Several processes on one run: who computes which samples, and the sum of gradients."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import distributed, nn

__all__ = ["Ranks", "join_ranks", "leave_ranks"]


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


def join_ranks() -> Ranks:
    """Join the processes torchrun has started; alone, return the one rank there is."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        return Ranks()
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Ranks(distributed.get_rank(), size)


def leave_ranks() -> None:
    """Leave the process group, if one was joined."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
