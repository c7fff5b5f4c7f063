"""Which device computes, said truthfully, and what to do when its memory ends."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch

from napari_bgremove.errors import ComputeError

__all__ = [
    "DEVICES",
    "describe_device",
    "describe_software",
    "explain_out_of_memory",
    "halve_on_out_of_memory",
    "limited_threads",
    "list_devices",
    "pick_device",
]

DEVICES = ("auto", "cuda", "mps", "cpu")
Result = TypeVar("Result")
# The batch that fits, for each key whose batch was ever halved.
_fitting: MutableMapping[Hashable, int] = WeakKeyDictionary()


def pick_device(name: str = "auto") -> torch.device:
    """Return the device to compute on.

    Parameters
    ----------
    name : {"auto", "cuda", "cuda:N", "mps", "cpu"}
        "auto" takes a GPU where there is one.

    Raises
    ------
    ComputeError
        When the device asked for is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind, _, index = name.partition(":")
    there = available.get(kind, False)
    if index:
        there = there and index.isdecimal() and int(index) < (torch.cuda.device_count() if kind == "cuda" else 1)
    if not there:
        usable = ", ".join(k for k, present in available.items() if present)
        msg = f"'device' {name!r} is not available on this computer; choose one of auto, {usable}."
        raise ComputeError(msg)
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Return the device's name and its free memory or threads, for a person to read."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)} ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"
    if device.type == "mps":
        return "Apple GPU (mps)"
    return f"CPU ({torch.get_num_threads()} of {os.cpu_count()} threads)"


def list_devices() -> dict[str, str]:
    """Return every device there is, by the name that `pick_device` takes, with its description."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    return {name: describe_device(torch.device(name)) for name in [*names, "cpu"]}


def describe_software() -> dict[str, str]:
    """Return the versions and the number of threads that decide rounding."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": str(torch.get_num_threads()),
    }


def halve_on_out_of_memory(
    compute: Callable[[int], Result],
    batch: int,
    *,
    report: Callable[[str], None] | None = None,
    what: str = "tile",
    key: Hashable | None = None,
) -> tuple[Result, int]:
    """Call `compute(batch)`, with half the batch each time the memory does not suffice.

    Parameters
    ----------
    compute : callable
        Takes the number of things to compute at once.
    batch : int
    report : callable, optional
        Told each time the batch is halved.
    what : str
        What a batch consists of, for the error.
    key : hashable and weakly referenced, optional
        Such as the network. With a key, the size that worked is remembered as
        long as the key lives: the next call with it starts there and has
        nothing to report.

    Returns
    -------
    result, batch
        The batch size that worked.

    Raises
    ------
    ComputeError
        When even a batch of one does not fit.
    """
    if key is not None:
        batch = min(batch, _fitting.get(key, batch))
    while True:
        try:
            return compute(batch), batch
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if batch == 1:
                msg = f"Out of memory with a single {what}; use the CPU (device cpu) or a smaller network."
                raise ComputeError(msg) from error
        torch.cuda.empty_cache()  # outside the except block: the traceback holds the tensors
        batch //= 2
        if key is not None:
            _fitting[key] = batch
        if report is not None:
            report(f"out of memory: going on with a batch of {batch}")


@contextmanager
def explain_out_of_memory() -> Iterator[None]:
    """Say in one sentence that the memory did not suffice, where no smaller batch would help.

    Raises
    ------
    ComputeError
        For an error of the device's memory inside the block.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        msg = "Out of memory; close what else uses the device, use the CPU (device cpu) or a smaller network."
        raise ComputeError(msg) from error


def _is_out_of_memory(error: RuntimeError) -> bool:
    # The CPU allocator and mps raise a bare RuntimeError.
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "DefaultCPUAllocator" in text
        or "MPS backend out of memory" in text
    )


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Compute with this many CPU threads, and restore the number afterwards."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
