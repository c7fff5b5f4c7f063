"""A run is a folder; everything about it can be read while it grows.

job.json           what to do
events.jsonl       what happened, one JSON object per line
run.json           recipe, data hashes, versions, seed
metrics.csv        one line per epoch
preview/NNN.npz    the pinned validation pair, predicted after each epoch
model.safetensors  newest state, resumable
best.safetensors   smallest validation loss
epochs/NNN.safetensors   weights only: the last ten, and every tenth
stop               its presence asks the run to stop
pause              its presence asks a training to wait
pid                process and its start time, while it runs
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_bgremove._files import append_line, atomic_write, remove_stale_temporaries
from napari_bgremove.engine.jobs import TrainingJob, read_job
from napari_bgremove.errors import ReadError
from napari_bgremove.io.processes import start_time

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """Names and habits of a run folder."""

    path: Path

    @property
    def job(self) -> Path:
        """What to do."""
        return self.path / "job.json"

    @property
    def events(self) -> Path:
        """What happened."""
        return self.path / "events.jsonl"

    @property
    def model(self) -> Path:
        """The newest state, resumable."""
        return self.path / "model.safetensors"

    @property
    def best(self) -> Path:
        """The state of the smallest validation loss."""
        return self.path / "best.safetensors"

    @property
    def metrics(self) -> Path:
        """One line per epoch."""
        return self.path / "metrics.csv"

    def epoch_model(self, epoch: int) -> Path:
        """Weights after an epoch, counted from 0."""
        return self.path / "epochs" / f"{epoch:04d}.safetensors"

    def preview(self, epoch: int) -> Path:
        """The pinned pair, predicted after an epoch."""
        return self.path / "preview" / f"{epoch:04d}.npz"

    def create(self, job_json: str) -> None:
        """Make the folder and write the job.

        Raises
        ------
        ReadError
            When another run lives there already.
        """
        if self.job.exists():
            msg = f"'{self.path}' already holds a run; {self._how_to_resume()}choose another folder."
            raise ReadError(msg)
        self.path.mkdir(parents=True, exist_ok=True)
        atomic_write(self.job, job_json)

    def _how_to_resume(self) -> str:
        """Return the command that goes on with the training that lives here; nothing where there is none."""
        try:
            job = read_job(self.job)
        except ReadError:
            return ""
        return f"resume it ({job.command} --resume {self.path}) or " if isinstance(job, TrainingJob) else ""

    def create_once(self, job_json: str) -> None:
        """As `create`; of several processes started by torchrun only the first writes."""
        if int(os.environ.get("RANK", "0")) == 0:
            self.create(job_json)

    def emit(self, event: str, **values: Any) -> None:
        """Append an event."""
        append_line(self.events, json.dumps({"event": event, "time": time.time(), **values}))

    def read_events(self, *, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Return the events after `offset` bytes, and the offset to go on from.

        A last line without its end is left for the next time.
        """
        if not self.events.exists():
            return [], offset
        with open(self.events, "rb") as file:
            file.seek(offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines() if line.strip()], offset + len(whole)

    def ask_to_stop(self) -> None:
        """Ask the run to stop at its next step."""
        atomic_write(self.path / "stop", "")

    def withdraw_stop(self) -> None:
        """Forget that a run was to stop: for whoever starts one, and before it starts.

        The run itself must not: its first seconds go by with imports, and a
        person may have asked it to stop meanwhile.
        """
        (self.path / "stop").unlink(missing_ok=True)

    def ask_to_pause(self, *, on: bool = True) -> None:
        """Ask a training to wait after its step, or to go on."""
        if on:
            atomic_write(self.path / "pause", "")
        else:
            (self.path / "pause").unlink(missing_ok=True)

    @property
    def pause_asked(self) -> bool:
        """True while a training is asked to wait."""
        return (self.path / "pause").exists()

    @property
    def stop_asked(self) -> bool:
        """True when somebody asked the run to stop."""
        return (self.path / "stop").exists()

    def occupy(self) -> None:
        """Mark the folder as ours while this process runs.

        Raises
        ------
        ReadError
            When another living process works in it.
        """
        owner = self.owner()
        if owner is not None and owner != os.getpid():
            msg = f"'{self.path}' is in use by process {owner}; stop that run first."
            raise ReadError(msg)
        remove_stale_temporaries(self.path)
        atomic_write(self.path / "pid", json.dumps({"pid": os.getpid(), "started": start_time(os.getpid())}))

    def release(self) -> None:
        """Take the mark away, and the wishes to stop or wait that were fulfilled."""
        self.withdraw_stop()
        self.ask_to_pause(on=False)
        (self.path / "pid").unlink(missing_ok=True)

    def owner(self) -> int | None:
        """Return the living process that works here, or None."""
        try:
            mark = json.loads((self.path / "pid").read_text())
        except (OSError, ValueError):
            return None
        pid = int(mark["pid"])
        # The start time tells a living run from a process that got its number later.
        return pid if start_time(pid) == mark["started"] and mark["started"] is not None else None

    def write_preview(self, epoch: int, arrays: Mapping[str, Any]) -> None:
        """Write the pinned pair of an epoch."""
        import numpy as np

        def write(file: Any) -> None:
            np.savez_compressed(file, **arrays)

        atomic_write(self.preview(epoch), write)

    def kept_epochs(self) -> Iterator[int]:
        """Return the epochs whose weights are on disk, in order."""
        for file in sorted((self.path / "epochs").glob("*.safetensors")):
            yield int(file.stem)
