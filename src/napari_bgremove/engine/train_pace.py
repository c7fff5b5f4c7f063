"""How long a training takes: before it starts from a measured step, while it runs from its own events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_bgremove.engine.jobs import TrainJob

__all__ = ["TrainPace", "estimate_training"]

# Forward alone costs about a third of forward and backward.
VALIDATION_COST = 1 / 3
# A pace measured over less is no pace.
FEWEST_SECONDS = 2.0


def estimate_training(job: TrainJob, *, signal_patches: int, seconds_per_step: float) -> float:
    """Return the seconds a run takes, from the time of one step.

    Parameters
    ----------
    job : TrainJob
        Where it leaves the samples of an epoch open, there is one for each
        signal patch that is not held out.
    signal_patches : int
        All that there are.
    seconds_per_step : float
        Measured, of a full batch.
    """
    recipe = job.recipe
    samples = job.samples_per_epoch or max(round(signal_patches * (1 - recipe.validation_share)), 1)
    steps = math.ceil(samples / recipe.batch_size)
    validation = VALIDATION_COST * job.validation_samples / recipe.batch_size
    return recipe.epochs * (steps + validation) * seconds_per_step


class TrainPace:
    """The time left of a run, from the times its events carry.

    Nothing depends on when the events are read, so that who attaches to a run
    in its third day is told the truth, and a pause does not count.
    """

    def __init__(self) -> None:
        self._epochs = self._steps = 0
        self._first: tuple[float, int] | None = None  # time and steps done, where the pace is measured from
        self._newest: tuple[float, int] | None = None
        self._seconds_per_step: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """From the newest step to the last one; None as long as there is no pace."""
        if self._newest is None or self._seconds_per_step is None:
            return None
        return (self._epochs * self._steps - self._newest[1]) * self._seconds_per_step

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take an event of the run in, in the order they were written."""
        kind = event["event"]
        if kind == "started":
            self._epochs, self._steps = event["epochs"], event["steps"]
            self._first = self._newest = self._seconds_per_step = None  # perhaps on another device
        elif kind in ("paused", "continued"):
            self._first = None
        elif kind == "step" and self._steps:
            self._newest = event["time"], event["epoch"] * self._steps + event["step"]
            self._first = self._first or self._newest  # the first step warms up: it counts as a start only
            seconds, steps = (new - old for new, old in zip(self._newest, self._first, strict=True))
            if steps and seconds >= FEWEST_SECONDS:
                self._seconds_per_step = seconds / steps
