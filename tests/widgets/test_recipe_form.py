"""The form of a recipe: every field tells what it means and where it comes from."""

from __future__ import annotations

from typing import Any

from napari_bgremove.widgets.train_form import TrainForm


def test_every_field_names_its_section_of_the_paper_or_says_that_it_is_ours(qtbot: Any) -> None:
    form = TrainForm(patches="", device="auto")
    qtbot.addWidget(form)
    tips = {name: widget.tooltip for name, widget in form._recipe._widgets.items()}
    assert {"preset", "epochs", "seed", "warmup_steps"} <= tips.keys()
    assert [
        name for name, tip in tips.items() if "Section" not in tip and "section" not in tip and "Ours" not in tip
    ] == []


def test_the_form_makes_the_job(qtbot: Any) -> None:
    form = TrainForm(patches="here", device="cpu")
    qtbot.addWidget(form)
    form.field("epochs").value = 7
    form.precision.setCurrentText("bfloat16")
    job = form.job
    assert (job.signal, job.recipe.epochs, job.device, job.precision) == ("here/signal.npz", 7, "cpu", "bfloat16")
