"""What a training starts from, settled before anything is computed: its data, recipe and folder."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TRAINING_KINDS, TrainingJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.trainee import prepare_training
from napari_bgremove.errors import ReadError

AnyJob = TypeVar("AnyJob", bound=TrainingJob)

__all__ = ["change_job", "change_run", "check_training", "create_run"]


def check_training(job: TrainingJob) -> None:
    """Raise unless a run of this job could start.

    Raises
    ------
    ComputeError
        When the device is not there, the data do not suffice to learn from
        (patches of a single shot, spectra of two targets), or the initial
        model is of another network.
    ReadError, ModelFileError
        When a file of the data or the initial model cannot be used.
    """
    from napari_bgremove.learning.devices import pick_device

    pick_device(job.device)
    trainee = prepare_training(job)
    if job.start_from is not None:
        trainee.load(Path(job.start_from))


def create_run(folder: RunFolder, job: TrainingJob) -> None:
    """Make the folder of a run that could start; of several processes started by torchrun only the first does.

    A folder in which a training was asked for, but never got as far as a
    model, is made anew.

    Raises
    ------
    ReadError
        When another run lives there already; and as `check_training`.
    """
    check_training(job)
    if _is_first() and _is_abandoned(folder):
        for left in (folder.job, folder.events, folder.path / "run.json"):
            left.unlink(missing_ok=True)
    folder.create_once(job.model_dump_json(indent=1))


def change_run(folder: RunFolder, job: AnyJob, **changes: Any) -> AnyJob:
    """Change how a run goes on, once its device is known to be there; otherwise as `change_job`.

    Raises
    ------
    ComputeError
        When the device is not there; and as `change_job`.
    """
    from napari_bgremove.learning.devices import pick_device

    pick_device(changes.get("device", job.device))
    return change_job(folder, job, **changes)


def change_job(folder: RunFolder, job: AnyJob, **changes: Any) -> AnyJob:
    """Write the changed job of a run and an event that says so; needs no torch.

    Parameters
    ----------
    folder : RunFolder
    job : TrainingJob
        As it stands in the folder.
    **changes
        Fields of the job, and `epochs` of its recipe; what is equal to the
        old value is no change.

    Returns
    -------
    TrainingJob
        To give to `run_training`.

    Raises
    ------
    ReadError
        When a living process works in the folder.
    ValueError
        When `epochs` is less than the job says.
    """
    epochs = changes.pop("epochs", job.recipe.epochs)
    if epochs < job.recipe.epochs:
        msg = f"'epochs' of a run can only grow: it must be at least {job.recipe.epochs}; found {epochs}."
        raise ValueError(msg)
    recipe = dataclasses.replace(job.recipe, epochs=epochs)
    old = {name: getattr(job, name) for name in type(job).model_fields}
    changed = type(job)(**{**old, **changes, "recipe": recipe})
    if changed == job or not _is_first():
        return changed
    owner = folder.owner()
    if owner is not None and owner != os.getpid():
        msg = f"'{folder.path}' is in use by process {owner}; stop that run first."
        raise ReadError(msg)
    said = {name: [old[name], value] for name, value in changes.items() if old[name] != value}
    if epochs != job.recipe.epochs:
        said["epochs"] = [job.recipe.epochs, epochs]
    atomic_write(folder.job, changed.model_dump_json(indent=1))
    folder.emit("changed", changes=said)
    return changed


def _is_first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _is_abandoned(folder: RunFolder) -> bool:
    """Return True for a training job without a model, without an epoch, and without a living process."""
    if not folder.job.exists() or folder.owner() is not None:
        return False
    results = (folder.model, folder.best, folder.metrics, folder.path / "epochs")
    return not any(path.exists() for path in results) and _is_training(folder.job)


def _is_training(job: Path) -> bool:
    # Also a job that is refused today, as one with a negative seed.
    try:
        content = json.loads(job.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("kind") in TRAINING_KINDS
