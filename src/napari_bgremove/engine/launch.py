"""Start a run in a process of its own that outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from napari_bgremove.engine.run_folder import RunFolder

__all__ = ["start_detached"]

# A Popen object that is thrown away while its process lives complains; these
# are kept, and forgotten once their process has ended.
_started: list[subprocess.Popen[bytes]] = []


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
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    arguments: dict[str, Any] = {}
    if sys.platform == "win32":
        arguments["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
    else:
        arguments["start_new_session"] = True
    _started[:] = [process for process in _started if process.poll() is None]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_bgremove.engine", str(folder.path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, **arguments,
    )  # fmt: skip
    _started.append(process)
    if lower_priority:
        _lower_priority(process.pid)
    return process.pid


def _lower_priority(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).nice(10 if sys.platform != "win32" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    except psutil.Error:
        return  # already gone: its events say why
