"""What a training on spectra is asked for with: the recipe of Castorena & Oyen, and where to compute."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget

from napari_bgremove.engine.jobs import TrainingJob, TrainSpectraJob
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.recipes.documentation import attribute_docs
from napari_bgremove.recipes.spectroscopy_net import SPECTROSCOPY_PRESETS, SpectroscopyNetRecipe
from napari_bgremove.widgets.layer_background_form import LayerBackgroundForm
from napari_bgremove.widgets.parts.device_choice import DeviceChoice
from napari_bgremove.widgets.parts.fields import OptionalNumber, make_button
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.recipe_form import RecipeForm

__all__ = ["ABOUT", "SpectraTrainForm"]

FIRST = ("features", "epochs", "batch_size", "learning_rate", "same_target", "seed")
# What an analyst can wait for without a graphics card; the paper's own numbers are a preset.
PRESET = "small"
START = SpectroscopyNetRecipe.of_preset(PRESET, epochs=20, batch_size=64)
CROP = 512

ABOUT = """\
A network learns to take a spectrum apart from nothing but repeated shots and the names of their targets: of three \
spectra of three targets, what they have in common is background, what they do not is signal. After J. Castorena and \
D. Oyen, <i>SpectroscopyNet: Learning to pre-process Spectroscopy Signals without clean data</i> (2021), \
<a href="https://arxiv.org/abs/2110.13748">arXiv:2110.13748</a>. Lines that every target has look like background to \
it: mark them as signal. Rest the mouse on a field to read what it means and where it comes from."""


class SpectraTrainForm(QWidget):
    """Describes a training; starts none.

    Attributes
    ----------
    attach_requested : Signal
        A run to choose.
    """

    attach_requested = Signal()

    def __init__(self, *, device: str) -> None:
        super().__init__()
        self.preset = QComboBox()
        self.preset.addItems(list(SPECTROSCOPY_PRESETS))
        self.preset.setCurrentText(PRESET)
        self.preset.setToolTip("The paper's network; two for a processor; one that sees broad continua.")
        docs = attribute_docs(SpectroscopyNetRecipe)
        self.crop = OptionalNumber("Crops of", CROP, tip=docs["crop"], suffix="channels", decimals=0)
        self.device = DeviceChoice(device)
        self.precision = QComboBox()
        self.precision.addItems(["float32", "bfloat16"])
        self._recipe = RecipeForm(SpectroscopyNetRecipe, START, first=FIRST, leave_out=("signal_bands", "hidden"))
        self.layer_background = LayerBackgroundForm()
        attach = make_button("Attach to run...", self.attach_requested.emit, tip="One that goes on, or has ended.")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Preset", make_row(self.preset, attach))
        form.addRow("Device", make_row(self.device, self.precision))
        form.addRow(self.crop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self._recipe)
        layout.addWidget(self.layer_background)
        self.preset.currentTextChanged.connect(self._on_preset_chosen)

    def make_job(self, source: SpectraSource) -> TrainSpectraJob:
        """Return the training that is filled in, on a set with its marks.

        Raises
        ------
        ValueError
            When a field breaks a rule of the recipe, or of the term for hidden layers.
        """
        crop = self.crop.value
        recipe = SpectroscopyNetRecipe(**{
            **self._recipe.recipe.to_dict(), "crop": None if crop is None else int(crop),
            "signal_bands": source.signal_bands,
        })  # fmt: skip
        term = self.layer_background.term
        return TrainSpectraJob(recipe=recipe, source=source, layer_background=term, **self.where)

    @property
    def where(self) -> dict[str, Any]:
        """Device and precision: what of a run can be another when it goes on."""
        return {"device": self.device.currentText(), "precision": self.precision.currentText()}

    def choose_where(self, job: TrainingJob) -> None:
        """Choose device and precision of a job, as far as they are here."""
        self.precision.setCurrentText(job.precision)
        self.device.choose(job.device)

    def field(self, name: str) -> Any:
        """Return the magicgui widget of a field of the recipe."""
        return self._recipe.field(name)

    def _on_preset_chosen(self, preset: str) -> None:
        """Fill in whatever any preset decides; how long it learns stays as it is."""
        recipe = SpectroscopyNetRecipe.of_preset(preset)
        for name in {name for changes in SPECTROSCOPY_PRESETS.values() for name in changes}:
            self.field(name).value = getattr(recipe, name)
