"""Events of a training in; status, remarks, curve and a calm canvas out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.widgets.training_view import TrainingView

LONG_AGO = 1_000_000.0


@pytest.fixture
def view(qtbot: Any) -> TrainingView:
    view = TrainingView()
    qtbot.addWidget(view)
    return view


@pytest.fixture
def shown(view: TrainingView) -> list[int]:
    shown: list[int] = []
    view.epoch_shown.connect(shown.append)
    return shown


def started(*, epoch: int = 0, device: str = "A GPU (14.0 of 16.0 GiB free)") -> dict[str, Any]:
    return {"event": "started", "epoch": epoch, "epochs": 10, "steps": 4, "device": device, "time": LONG_AGO}


def step(epoch: int, number: int) -> dict[str, Any]:
    time = LONG_AGO + 30 * (4 * epoch + number)
    return {
        "event": "step", "epoch": epoch, "step": number, "steps": 4, "loss": 0.5, "samples_per_second": 9.0,
        "time": time,
    }  # fmt: skip


def epoch(number: int) -> dict[str, Any]:
    return {"event": "epoch", "epoch": number, "training": {"loss": 1.0}, "validation": {"loss": 2.0}, "time": 0.0}


def test_who_attaches_late_is_told_the_device_and_the_true_time_left(view: TrainingView) -> None:
    view.show_events([started(), *(step(e, s) for e in range(5) for s in range(1, 5))])
    assert view.remarks.text() == "On A GPU (14.0 of 16.0 GiB free)."
    assert view.status.text() == "epoch 5/10, step 4/4, loss 0.5000, 9.0 patches/s, 10 min left"


def test_a_batch_that_was_split_is_said_until_the_run_starts_again(view: TrainingView) -> None:
    view.show_events([started(), {"event": "memory", "epoch": 1, "step": 3, "at_once": 2, "time": 0.0}, step(1, 3)])
    assert "The memory does not suffice for a batch: 2 samples at a time from epoch 2 on" in view.remarks.text()
    assert view.status.text().startswith("epoch 2/10, step 3/4")
    view.show_events([started(epoch=1, device="CPU")])
    assert view.remarks.text() == "On CPU."


def test_stopping_is_said_until_it_has_stopped(view: TrainingView) -> None:
    view.show_events([started(), step(0, 1)])
    view.say("Stopping...", stays=True)
    view.show_events([step(0, 2)])
    assert view.status.text() == "Stopping..."
    view.say("Training stopped.")
    assert view.status.text() == "Training stopped."


def test_an_epoch_that_is_repeated_counts_once_and_one_that_was_lost_is_a_gap(view: TrainingView) -> None:
    view.show_events([started(), epoch(0), epoch(1), started(epoch=1), epoch(1), epoch(3)])
    x, y = view.plot.curves["training"]
    assert_array_equal(x, [1, 2, 3, 4])
    assert_array_equal(y, [1, 1, np.nan, 1])


def test_an_epoch_asks_for_the_canvas_once(view: TrainingView, shown: list[int]) -> None:
    view.show_events([started(), epoch(0)])
    assert shown == [0]
    assert view.epoch_text.text() == "epoch 1"


def test_scrubbing_draws_the_first_epoch_at_once_and_then_only_the_newest(
    qtbot: Any, view: TrainingView, shown: list[int]
) -> None:
    view.epoch_slider.setMaximum(99)
    for number in range(1, 100):
        view.epoch_slider.setValue(number)
    assert shown == [1]
    qtbot.waitUntil(lambda: len(shown) > 1, timeout=5000)
    assert shown == [1, 99]
    assert view._throttler.timeout() * 5 == 1000, "five times a second"


def test_the_slider_follows_the_newest_epoch_unless_a_person_holds_it_back(
    view: TrainingView, flush: Callable[[], None]
) -> None:
    view.show_events([started(), epoch(0), epoch(1)])
    assert view.epoch_slider.value() == 1
    view.epoch_slider.setValue(0)
    view.show_events([epoch(2)])
    assert (view.epoch_slider.value(), view.epoch_slider.maximum()) == (0, 2)


def layered_epoch(number: int) -> dict[str, Any]:
    """An epoch of a run that also removes the background of hidden layers."""
    terms = {"loss": 3.0 - number, "task_loss": 1.0 - 0.1 * number, "layer_background": 40.0, "layer_snr": 2.5}
    training = {**terms, "small_units": 0.125}
    return {"event": "epoch", "epoch": number, "training": training, "validation": {"loss": 2.0}, "time": 0.0}


def test_without_a_term_for_layers_there_is_nothing_to_choose(view: TrainingView) -> None:
    view.show_events([started(), epoch(0)])
    assert view.term.isHidden()
    assert view.layers.isHidden()
    assert set(view.plot.curves) == {"training", "validation"}


def test_the_terms_of_hidden_layers_are_said_and_can_be_drawn(view: TrainingView) -> None:
    view.show_events([started(), layered_epoch(0), layered_epoch(1)])
    assert view.layers.text() == (
        "Task 0.9, layer background R 40, layer SNR 2.5; 12.5 % of the hidden units are below 1 % of the rms."
    )
    assert view.term.currentData() == "task_loss", "the loss of a training has R in it, that of a validation has not"
    assert_array_equal(view.plot.curves["training"][1], [1.0, 0.9])
    assert_array_equal(view.plot.curves["validation"][1], [2.0, 2.0])
    view.term.setCurrentIndex(view.term.findData("layer_background"))
    assert {name: list(curve[1]) for name, curve in view.plot.curves.items()} == {"training": [40.0, 40.0]}
    view.show_events([layered_epoch(2)])
    assert view.term.currentData() == "layer_background", "what a person has chosen stays"
    assert len(view.plot.curves["training"][1]) == 3
    view.start_anew()
    assert view.term.isHidden()
    assert view.layers.isHidden()


def test_epochs_that_a_killed_run_repeats_are_forgotten(view: TrainingView) -> None:
    view.show_events([started(), *(epoch(number) for number in range(4)), started(epoch=2), epoch(2)])
    assert len(view.plot.curves["training"][1]) == 3
