"""What a separation will write, settled before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.io.images import open_images
from napari_bgremove.io.results import is_result
from napari_bgremove.io.targets import check_targets

__all__ = ["PlannedInput", "plan_separation"]

_SUFFIX = {"tiff": ".tif", "hdf5": ".h5"}


@dataclass(frozen=True)
class PlannedInput:
    """An input and the files it becomes, or why it cannot be opened."""

    path: str
    targets: dict[str, Path]
    failure: ReadError | None = None


def plan_separation(job: SeparateJob) -> list[PlannedInput]:
    """Open every input once and name its results.

    Raises
    ------
    ComputeError
        When results would overwrite each other, an input, or a file that no
        separation wrote.
    """
    plan = [_plan_one(job, path) for path in job.inputs]
    _check_targets(plan)
    return plan


def _plan_one(job: SeparateJob, path: str) -> PlannedInput:
    try:
        name = open_images(path, dataset=job.dataset).name
    except ReadError as error:
        return PlannedInput(path, {}, error)
    fields = ("signal", "background", "uncertainty") + (("residual",) if job.residual else ())
    targets = {field: Path(job.out) / f"{name}-{field}{_SUFFIX[job.format]}" for field in fields}
    return PlannedInput(path, {**targets, "ledger": Path(job.out) / f"{name}.json"})


def _check_targets(plan: Sequence[PlannedInput]) -> None:
    check_targets([(one.path, one.targets.values()) for one in plan])
    for target in (path.resolve() for one in plan for path in one.targets.values()):
        if target.exists() and not is_result(target):
            msg = (
                f"'{target}' exists and is no result of a separation; it would be overwritten. Choose another "
                "folder for the results."
            )
            raise ComputeError(msg)
