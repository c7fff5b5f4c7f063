"""A training in a run folder: checkpoints, metrics and previews around the loop."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove.engine.jobs import TrainingJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.run_record import append_metrics, drop_old_epochs, write_run_record
from napari_bgremove.engine.trainee import build_loop, prepare_training

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.training import EpochDone, Training

__all__ = ["run_training"]

PAUSE_SECONDS = 0.2  # between two looks whether a pause is over
# A step-exact checkpoint at least this often, so that a kill loses little.
CHECKPOINT_SECONDS = 30.0
Listener = Callable[[dict[str, Any]], None]


def run_training(
    folder: RunFolder,
    job: TrainingJob,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> str:
    """Train until the last epoch or until asked to stop; resume where it was.

    Parameters
    ----------
    folder : RunFolder
        With `job.json` written. A `model.safetensors` in it is continued.
    job : TrainingJob
    should_stop : callable
        Asked after every step, besides the folder's stop file.
    listener : callable, optional
        Gets every event as it is written.

    Returns
    -------
    str
        "finished" or "stopped"; the newest model is loadable in both cases.

    Raises
    ------
    ComputeError
        When a sample alone does not fit into the memory, or training fails.
    ReadError, ModelFileError
        When the patches or the model cannot be used, or another process
        works in the folder.
    """
    from napari_bgremove.learning.devices import explain_out_of_memory, limited_threads, pick_device
    from napari_bgremove.learning.distributed import join_ranks, leave_ranks, local_device

    with ExitStack() as stack:
        stack.enter_context(limited_threads(job.threads))
        device = local_device(pick_device(job.device))
        ranks = join_ranks(device)
        stack.callback(leave_ranks)
        if ranks.is_first:
            folder.occupy()
            stack.callback(folder.release)
        stack.enter_context(explain_out_of_memory())
        run = _Run(folder, job, ranks, device, listener)
        outcome = run.go(should_stop)
        ranks.wait_for_all()  # not after a failure: who failed may never come
        return outcome


@dataclass
class _Run:
    folder: RunFolder
    job: TrainingJob
    ranks: Ranks
    device: torch.device
    listener: Listener | None

    def __post_init__(self) -> None:
        from napari_bgremove.learning.devices import describe_device

        self.trainee = prepare_training(self.job)
        if self.job.start_from is not None:
            self.trainee.provenance["started_from"] = Path(self.job.start_from).name
        self.best = float("inf")
        restored = self._read_checkpoint()
        self.training: Training = build_loop(self.trainee, self.job, self.device, self.ranks)
        if restored is not None:
            self.training.restore(*restored)
        self.emit(
            "started",
            device=describe_device(self.device),
            epoch=self.training.epoch,
            step=self.training.step,
            epochs=self.trainee.epochs,
            steps=self.training.steps,
            resumed=restored is not None,
        )
        if self.ranks.is_first:
            term = self.job.layer_background
            more = {} if term is None else {"layer_background": dataclasses.asdict(term)}
            write_run_record(self.folder, {**self.trainee.record(), **more}, processes=self.ranks.size)

    def go(self, should_stop: Callable[[], bool]) -> str:
        """Iterate the training and write what happens."""
        from napari_bgremove.learning.training import BatchSplit, EpochDone

        saved = time.monotonic()
        for progress in self.training.run():
            if isinstance(progress, EpochDone):
                self._finish_epoch(progress)
                saved = time.monotonic()
            elif isinstance(progress, BatchSplit):
                self.emit("memory", **dataclasses.asdict(progress))
                continue  # the step it belongs to comes next
            else:
                self.emit(
                    "step",
                    epoch=progress.epoch,
                    step=progress.step,
                    steps=progress.steps,
                    samples_per_second=round(progress.samples_per_second, 2),
                    **_rounded(progress.terms),
                )
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self._checkpoint()
                    saved = time.monotonic()
            if self._agree_to_stop(should_stop):
                self._checkpoint()
                self.emit("stopped", epoch=self.training.epoch, step=self.training.step)
                return "stopped"
        self.emit("finished", epoch=self.training.epoch)
        return "finished"

    def emit(self, event: str, **values: Any) -> None:
        """Write an event, from the first process only."""
        if not self.ranks.is_first:
            return
        self.folder.emit(event, **values)
        if self.listener is not None:
            self.listener({"event": event, **values})

    def _agree_to_stop(self, should_stop: Callable[[], bool]) -> bool:
        """Wait while a pause is asked for; return whether to stop."""
        paused = False
        while True:
            # All processes must wait and leave the loop at the same step.
            wish = {"stop": should_stop() or self.folder.stop_asked, "pause": self.folder.pause_asked}
            agreed = self.ranks.sum_values({name: float(value) for name, value in wish.items()})
            if agreed["stop"] or not agreed["pause"]:
                break
            if not paused:
                paused = True
                self._checkpoint()
                self.emit("paused", epoch=self.training.epoch, step=self.training.step)
            time.sleep(PAUSE_SECONDS)
        if paused and not agreed["stop"]:
            self.emit("continued", epoch=self.training.epoch, step=self.training.step)
        return agreed["stop"] > 0

    def _finish_epoch(self, done: EpochDone) -> None:
        if not self.ranks.is_first:
            return
        loss = done.validation.get("loss", done.training["loss"])
        self.trainee.provenance["validation_loss"] = float(f"{loss:.6g}")
        if loss < self.best:
            # Before the checkpoint that knows of it: a kill between the two
            # repeats the epoch, and loses no best model.
            self.best = loss
            self._write(self.folder.best)
        self._checkpoint()
        self._write(self.folder.epoch_model(done.epoch))
        drop_old_epochs(self.folder, done.epoch, keep_every=self.job.keep_every)
        append_metrics(self.folder, done)
        self.folder.write_preview(done.epoch, self.trainee.preview(self.device))
        # Last: who hears of an epoch finds its files.
        self.emit(
            "epoch",
            epoch=done.epoch,
            epochs=done.epochs,
            seconds=round(done.seconds, 2),
            training=_rounded(done.training),
            validation=_rounded(done.validation),
        )

    def _checkpoint(self) -> None:
        if not self.ranks.is_first:
            return
        tensors, numbers = self.training.state()
        self._write(self.folder.model, training=tensors, progress={**numbers, "best": min(self.best, 1e30)})

    def _write(self, path: Path, *, training: Any = None, progress: dict[str, float] | None = None) -> None:
        from napari_bgremove.learning.model_file import write_model

        description = self.trainee.describe(
            epochs_done=self.training.epoch, steps_per_epoch=self.training.steps, written=time.time()
        )
        if progress:
            description = description.model_copy(update={"progress": progress})
        write_model(path, self.trainee.network, description, training=training)

    def _read_checkpoint(self) -> tuple[Any, dict[str, float]] | None:
        resumed = self.folder.model.exists()
        source = self.folder.model if resumed else self.job.start_from
        if source is None:
            return None
        loaded = self.trainee.load(Path(source))
        if not resumed:
            return None
        if "validation_loss" in loaded.description.provenance:
            self.trainee.provenance["validation_loss"] = loaded.description.provenance["validation_loss"]
        numbers = dict(loaded.description.progress)
        self.best = numbers.pop("best", float("inf"))
        return loaded.training, numbers


def _rounded(terms: Any) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in terms.items()}
