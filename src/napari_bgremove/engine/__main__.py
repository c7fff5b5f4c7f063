"""The engine on its own: `python -m napari_bgremove.engine`.

RUN                     do the job of a run folder
RUN --owner PID:START   the same, and end when that process is gone
--serve FOLDER          answer a viewer

Nobody listens: what happens goes to the events file, and so does a failure.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from napari_bgremove.engine.jobs import SeparateJob, TrainingJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.errors import ComputeError, ModelFileError, ReadError
from napari_bgremove.io.processes import is_alive

__all__ = ["main"]


def main(run: str) -> int:
    """Do the job in folder `run`; return the exit code."""
    folder = RunFolder(Path(run))
    try:
        do_job(folder, read_job(folder.job))
    except (ReadError, ModelFileError, ComputeError, ValueError, OSError) as error:
        folder.emit("failed", kind=type(error).__name__, message=str(error))
        return 1
    except SystemExit:
        folder.emit("stopped")
        raise
    except BaseException as error:
        # A bug, or a signal: the panel that follows the run has to learn of it.
        folder.emit("failed", kind=type(error).__name__, message=str(error), details=traceback.format_exc())
        raise
    return 0


def end_with(owner: str) -> None:
    """Leave, files in order, when asked to terminate or when the owner ("pid:start time") is gone."""

    def leave(number: int, frame: object) -> None:
        # An exception, and not an exit at once: half-written files are taken away on its way up.
        sys.exit(128 + number)

    def watch() -> None:
        pid, started = owner.split(":")
        while is_alive(int(pid), float(started)):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    threading.Thread(target=watch, daemon=True).start()


def do_job(folder: RunFolder, job: TrainingJob | SeparateJob) -> None:
    """Run a job, events going to the folder's events file."""
    if not isinstance(job, SeparateJob):
        from napari_bgremove.engine.train_run import run_training

        run_training(folder, job)
    else:
        from napari_bgremove.engine.separate_run import run_separation

        folder.occupy()
        try:
            run_separation(job, emit=folder.emit, should_stop=lambda: folder.stop_asked)
        finally:
            folder.release()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        from napari_bgremove.engine.server import serve

        serve(Path(sys.argv[2]))
    else:
        if sys.argv[2:3] == ["--owner"]:
            end_with(sys.argv[3])
        sys.exit(main(sys.argv[1]))
