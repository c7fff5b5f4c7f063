"""One training after another: started, attached to, paused, stopped, resumed; it outlives the window."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bgremove.engine.end_run import end_run
from napari_bgremove.engine.jobs import TrainingJob, TrainJob, TrainSignalsJob, read_job
from napari_bgremove.engine.launch import start_detached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_plan import change_job
from napari_bgremove.preferences import read_preferences
from napari_bgremove.widgets.run_follower import RunFollower

__all__ = ["TrainingRun"]

GRACE_MS = 10_000  # for the step at hand and the model after it


class TrainingRun(QObject):
    """Knows the run a panel shows.

    Parameters
    ----------
    kind : type
        What the panel trains; runs of other kinds are refused, with the place where they are looked after.
    """

    grace_over = Signal()  # asked to stop, and still at it

    def __init__(self, kind: type[TrainingJob] = TrainJob, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kind = kind
        self._process: int | None = None
        self.folder: RunFolder | None = None
        self.follower = RunFollower(self)
        self._grace = QTimer(self)
        self._grace.setSingleShot(True)
        self._grace.setInterval(GRACE_MS)
        self._grace.timeout.connect(self._on_grace_over)
        self.follower.ended.connect(self._grace.stop)

    @property
    def is_going_on(self) -> bool:
        """True from the start until the run has ended."""
        return self.follower.is_following

    @property
    def is_paused(self) -> bool:
        """True while the run is asked to wait."""
        return self.is_going_on and self.folder is not None and self.folder.pause_asked

    def create(self, job: TrainingJob, *, folder: str | Path | None, place: Path) -> None:
        """Make the folder of a new run, in `place` unless it is named, and start the run.

        Raises
        ------
        ValueError
            When the patches or spectra are not there.
        ReadError
            When the folder holds a run already.
        """
        _check_data(job)
        run = RunFolder(Path(folder or _new_folder(place)))
        run.create(job.model_dump_json(indent=1))
        self._take(run, _start(run))

    def attach(self, path: str | Path) -> TrainingJob:
        """Take a run that is going on, or has ended; return its job.

        Raises
        ------
        ReadError, ValueError
            When there is no training in that folder, or one of another kind.
        """
        run = RunFolder(Path(path))
        job = self._read_training(run)
        self._take(run, None)
        return job

    def follow(self, *, from_start: bool = True) -> None:
        """Tell what happens in the run, and by default what happened so far."""
        assert self.folder is not None
        self.follower.follow(self.folder, from_start=from_start, process=self._process)

    def resume(self, **changes: Any) -> None:
        """Start it again from the newest model; device and precision may be others than before.

        Raises
        ------
        ReadError
            When another process works there.
        """
        assert self.folder is not None
        change_job(self.folder, self._read_training(self.folder), **changes)
        self._process = _start(self.folder)

    def pause(self) -> bool:
        """Let the run wait after its step, or go on; return whether it waits."""
        assert self.folder is not None
        waits = not self.folder.pause_asked
        self.folder.ask_to_pause(on=waits)
        return waits

    def stop(self) -> None:
        """Ask the run to stop after its step; a loadable model is kept."""
        assert self.folder is not None
        self.folder.ask_to_stop()
        self._grace.start()

    def end_now(self) -> None:
        """End the run at once; its newest checkpoint is kept."""
        assert self.folder is not None
        end_run(self.folder, process=self._process)

    def _take(self, run: RunFolder, process: int | None) -> None:
        self.follower.leave()
        self._grace.stop()
        self.folder, self._process = run, process

    def _read_training(self, run: RunFolder) -> TrainingJob:
        job = read_job(run.job)
        if isinstance(job, self._kind):
            return job
        name = run.path.name
        if isinstance(job, TrainingJob):
            msg = f"'{name}' learns from {job.samples}, which this panel cannot show; {_find_place(job, run)}"
        else:
            msg = f"'{name}' is no training."
        raise ValueError(msg)

    def _on_grace_over(self) -> None:
        if self.is_going_on:
            self.grace_over.emit()


def _check_data(job: TrainingJob) -> None:
    """Find the files before a process is started that would only say that they are not there."""
    if isinstance(job, TrainJob):
        files = [path for path in (job.signal, job.background) if not Path(path).is_file()]
        remedy = "extract patches and save them, or choose their folder."
    else:  # generated signals have no files
        paths = () if job.source is None else job.source.paths
        files, remedy = [path for path in paths if not Path(path).exists()], "open the spectra again."
    if files:
        msg = f"'{files[0]}' is not there: {remedy}"
        raise ValueError(msg)


def _find_place(job: TrainingJob, run: RunFolder) -> str:
    """Say where a training is looked after; one of signals has no panel that trains."""
    if isinstance(job, TrainSignalsJob):
        return f"go on with it by '{job.command} --resume {run.path}', or drop its model on the viewer."
    return f"attach to it in the panel {'Model' if isinstance(job, TrainJob) else 'Spectra'}."


def _start(run: RunFolder) -> int:
    """Start a run beside a window, which needs a core of its own."""
    return start_detached(run, threads=read_preferences().engine_threads)


def _new_folder(place: Path) -> Path:
    """Return a folder called after the time; two panels may start in the same second."""
    name = time.strftime("run-%Y%m%d-%H%M%S")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(folder for folder in (place / name for name in names) if not folder.exists())
