"""What a training is asked for with: patches, recipe, device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_bgremove._validation import describe_duration
from napari_bgremove.engine.jobs import TrainingJob, TrainJob
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.widgets.layer_background_form import LayerBackgroundForm
from napari_bgremove.widgets.parts.device_choice import DeviceChoice
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.recipe_form import RecipeForm

__all__ = ["ABOUT", "TrainForm", "describe_estimate"]

FIRST = ("preset", "topology", "epochs", "batch_size", "learning_rate", "seed")
# Decided when patches are cut, when the network is applied, or when units are taken out of it.
ELSEWHERE = ("patch", "signal_patches", "background_patches", "mask_grow", "merge", "padded", "hidden")
START = SaxsUnetRecipe(preset="tiny", epochs=20, batch_size=8, learning_rate=1e-3, warmup_steps=100)

ABOUT = """\
A network learns to take a measured image apart: <i>measured = signal + background</i>. It is shown sums of a signal \
patch and a background patch of yours, of which it knows both parts. The method is section "Neural network" of \
S. Starke and M. Smid, <i>Software: removal of bremsstrahlung background from SAXS signals with deep neural \
networks</i>, HZDR (2023), <a href="https://doi.org/10.14278/rodare.2586">doi:10.14278/rodare.2586</a>. Rest the mouse \
on a field to read what it means and which section it comes from.<br>Without patches of your own the bundled model, \
or one you load, separates at once."""


class TrainForm(QWidget):
    """Describes a training; starts none."""

    patches_requested = Signal()  # a folder to choose
    estimate_requested = Signal()

    def __init__(self, *, patches: str, device: str) -> None:
        super().__init__()
        self.patches = QLineEdit(patches)
        self.patches.setPlaceholderText("folder with signal.npz and background.npz")
        self.device = DeviceChoice(device)
        self.precision = QComboBox()
        self.precision.addItems(["float32", "bfloat16"])
        self._recipe = RecipeForm(SaxsUnetRecipe, START, first=FIRST, leave_out=ELSEWHERE)
        self.layer_background = LayerBackgroundForm()
        estimate = make_button("How long?", self.estimate_requested.emit, tip="Time three steps before starting.")
        form = QFormLayout()
        form.addRow("Patches", make_row(self.patches, make_button("...", self.patches_requested.emit)))
        form.addRow("Device", make_row(self.device, self.precision, estimate))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self._recipe)
        layout.addWidget(self.layer_background)

    @property
    def job(self) -> TrainJob:
        """The training that is filled in.

        Raises
        ------
        ValueError
            When a field breaks a rule of the recipe, or of the term for hidden layers.
        """
        source = Path(self.patches.text())
        return TrainJob(
            recipe=self._recipe.recipe, signal=str(source / "signal.npz"), background=str(source / "background.npz"),
            layer_background=self.layer_background.term, **self.where,
        )  # fmt: skip

    @property
    def where(self) -> dict[str, Any]:
        """Device and precision: what of a run can be another when it goes on."""
        return {"device": self.device.currentText(), "precision": self.precision.currentText()}

    def take_patches(self, folder: str) -> None:
        """Train on the patches of this folder."""
        self.patches.setText(folder)

    def choose_where(self, job: TrainingJob) -> str:
        """Choose device and precision of a job; return a sentence when its device is not here."""
        self.precision.setCurrentText(job.precision)
        if self.device.choose(job.device):
            return ""
        here = self.device.currentText()
        return f"The device of this run, {job.device}, is not on this computer; Resume goes on with {here}."

    def field(self, name: str) -> Any:
        """Return the magicgui widget of a field of the recipe."""
        return self._recipe.field(name)


def describe_estimate(values: Mapping[str, Any]) -> str:
    """Say how long a training takes, from what the engine has measured."""
    speed = values["batch"] / values["seconds_per_step"]
    if values.get("seconds") is None:
        per_thousand = describe_duration(1000 / speed)
        return f"{speed:.3g} patches/s: {per_thousand} per 1000 patches. With patches chosen, this training is timed."
    duration = describe_duration(values["seconds"])
    return f"This training takes about {duration}: {values['epochs']} epochs at {speed:.3g} patches/s."
