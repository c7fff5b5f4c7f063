"""Layer background removal in the forms of both trainings: off by default, its numbers are those of the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtWidgets import QCheckBox
from superqt import QCollapsible

from napari_bgremove.engine.scripts import as_command
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.spectra.layer_background import LayerBackground
from napari_bgremove.widgets.spectra_train_form import SpectraTrainForm
from napari_bgremove.widgets.train_form import TrainForm

Tick = Callable[[QCheckBox], None]


@pytest.fixture
def form(qtbot: Any) -> TrainForm:
    form = TrainForm(patches="here", device="cpu")
    qtbot.addWidget(form)
    form.show()
    return form


def test_it_is_off_by_default_and_its_numbers_are_folded_away(form: TrainForm) -> None:
    assert form.job.layer_background is None
    assert not form.layer_background.field("strength").native.isVisible()
    assert "--layer" not in as_command(form.job, out="run")


def test_a_tick_switches_it_on_with_the_numbers_that_are_filled_in(form: TrainForm, tick: Tick) -> None:
    tick(form.layer_background.tick)
    assert form.layer_background.field("strength").native.isVisible()
    more = form.layer_background.findChild(QCollapsible)
    assert not more.isExpanded()
    assert more.isAncestorOf(form.layer_background.field("e0").native)
    assert form.job.layer_background == LayerBackground()
    form.layer_background.field("strength").value = 0.005
    form.layer_background.field("gate").value = "shirley"
    form.layer_background.field("ramp_end").value = 0.3
    assert form.job.layer_background == LayerBackground(strength=0.005, gate="shirley", ramp_end=0.3)
    assert "--layer-background 0.005 --layer-gate shirley --layer-ramp-end 0.3" in as_command(form.job, out="run")
    tick(form.layer_background.tick)
    assert form.job.layer_background is None


def test_a_number_out_of_range_is_refused_in_a_sentence(form: TrainForm, tick: Tick) -> None:
    tick(form.layer_background.tick)
    form.layer_background.field("gamma").value = 0.0
    with pytest.raises(ValueError, match="'gamma' must be above zero; found 0"):
        _ = form.job


def test_a_training_on_spectra_has_it_too(qtbot: Any, tick: Tick) -> None:
    form = SpectraTrainForm(device="cpu")
    qtbot.addWidget(form)
    form.show()
    source = SpectraSource(paths=("set.npz",))
    assert form.make_job(source).layer_background is None
    tick(form.layer_background.tick)
    assert form.make_job(source).layer_background == LayerBackground()


def test_every_number_says_what_it_means(form: TrainForm) -> None:
    numbers = form.layer_background._numbers._widgets
    assert set(numbers) == set(LayerBackground.__dataclass_fields__)
    assert all(widget.tooltip for widget in numbers.values())
