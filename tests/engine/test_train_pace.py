"""The time a training takes: foretold from one step, and read from the times of its own events."""

from __future__ import annotations

from typing import Any

import pytest

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.train_pace import TrainPace, estimate_training
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe


def steps(pace: TrainPace, start: float, first: int, last: int, *, seconds: float) -> None:
    """Ten steps an epoch, `seconds` each, the first of them done at `start`."""
    for number in range(first, last + 1):
        epoch, step = divmod(number - 1, 10)
        time = start + (number - first) * seconds
        pace.hear({"event": "step", "epoch": epoch, "step": step + 1, "time": time})


def started(time: float = 0.0) -> dict[str, Any]:
    return {"event": "started", "epochs": 10, "steps": 10, "time": time}


def test_the_time_left_is_that_of_the_steps_left() -> None:
    pace = TrainPace()
    pace.hear(started())
    assert pace.seconds_left is None
    steps(pace, 100.0, 1, 1, seconds=3)
    assert pace.seconds_left is None, "of one step, after all that loads before it, no pace is known"
    steps(pace, 103.0, 2, 40, seconds=3)
    assert pace.seconds_left == pytest.approx(60 * 3)


def test_a_pause_does_not_count() -> None:
    pace = TrainPace()
    pace.hear(started())
    steps(pace, 0.0, 1, 20, seconds=1)
    pace.hear({"event": "paused", "time": 21.0})
    assert pace.seconds_left == pytest.approx(80), "the pace before it is all that is known"
    pace.hear({"event": "continued", "time": 90_000.0})
    steps(pace, 90_001.0, 21, 30, seconds=1)
    assert pace.seconds_left == pytest.approx(70)


def test_a_run_that_was_resumed_elsewhere_has_the_pace_of_there() -> None:
    pace = TrainPace()
    pace.hear(started())
    steps(pace, 0.0, 1, 20, seconds=10)
    pace.hear(started(5000.0))
    assert pace.seconds_left is None
    steps(pace, 5001.0, 21, 50, seconds=0.5)
    assert pace.seconds_left == pytest.approx(25)


@pytest.mark.parametrize(("patches", "samples", "steps_of_an_epoch"), [(100, None, 22), (1, None, 1), (100, 9, 3)])
def test_a_run_takes_its_epochs_times_its_steps(patches: int, samples: int | None, steps_of_an_epoch: int) -> None:
    recipe = SaxsUnetRecipe(epochs=5, batch_size=4, validation_share=0.12)
    job = TrainJob(recipe=recipe, signal="", background="", samples_per_epoch=samples, validation_samples=12)
    seconds = estimate_training(job, signal_patches=patches, seconds_per_step=2.0)
    assert seconds == pytest.approx(5 * (steps_of_an_epoch + 1) * 2.0), "three batches that are only predicted cost one"
