"""Start a run in a process of its own that outlives whoever started it."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.processes import start_time

__all__ = ["end_process", "start_attached", "start_detached", "start_server"]

# A Popen object that is thrown away while its process lives complains; these
# are kept, and forgotten once their process has ended.
_started: list[subprocess.Popen[bytes]] = []


@atexit.register
def _let_go() -> None:
    """At the end of this process the others go on, as they should: nothing to warn of."""
    for process in _started:
        process.returncode = process.poll() or 0


def start_detached(folder: RunFolder, *, threads: int | None = None, lower_priority: bool = True) -> int:
    """Start the engine on a run folder and return its process number.

    The child gets a session of its own and no pipes: a child that writes to
    the pipe of a parent that is gone dies of it.

    Parameters
    ----------
    folder : RunFolder
        With its `job.json` written.
    threads : int, optional
        CPU threads of the numerical libraries.
    lower_priority : bool
        Leave the processor to the person in front of the screen.
    """
    folder.withdraw_stop()
    _started[:] = [process for process in _started if process.poll() is None]
    process = _start(str(folder.path), threads=threads)
    _started.append(process)
    if lower_priority:
        _lower_priority(process.pid)
    return process.pid


def start_attached(folder: RunFolder, *, threads: int | None = None) -> subprocess.Popen[bytes]:
    """Start the engine on a run folder, in a process that ends with this one.

    Parameters
    ----------
    folder : RunFolder
        With its `job.json` written.
    threads : int, optional
        CPU threads; by default one less than there are cores.
    """
    folder.withdraw_stop()
    me = os.getpid()
    owner = f"{me}:{start_time(me)}"
    process = _start(str(folder.path), "--owner", owner, threads=threads or max(1, (os.cpu_count() or 2) - 1))
    _lower_priority(process.pid)
    return process


def end_process(process: subprocess.Popen[bytes], *, seconds: float = 2.0) -> None:
    """End an engine: ask first, so that it takes half-written files away; after `seconds` by force."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_server(folder: Path, *, threads: int | None = None) -> subprocess.Popen[bytes]:
    """Start the warm engine of a viewer; it ends with the viewer.

    Parameters
    ----------
    folder : Path
        Of its mailbox.
    threads : int, optional
        CPU threads; by default one less than there are cores, so that the
        window stays responsive.
    """
    cores = os.cpu_count() or 2
    process = _start("--serve", str(folder), threads=threads or max(1, cores - 1))
    _lower_priority(process.pid)
    return process


def _start(*arguments: str, threads: int | None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
    else:
        options["start_new_session"] = True
    return subprocess.Popen(
        [sys.executable, "-m", "napari_bgremove.engine", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, **options,
    )  # fmt: skip


def _lower_priority(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).nice(10 if sys.platform != "win32" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    except psutil.Error:
        return  # already gone: its events say why
