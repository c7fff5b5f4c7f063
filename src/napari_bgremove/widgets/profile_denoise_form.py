"""With what spectra are denoised: a filter with its numbers, or a network in its two modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QWidget

from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.errors import ModelFileError
from napari_bgremove.filters.signal_estimators import ENDS, PADS
from napari_bgremove.filters.signal_filters import METHODS
from napari_bgremove.filters.sparse_denoising import DOMAINS
from napari_bgremove.widgets.parts.denoising_table import DenoisingTable
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.file_choice import FileChoice
from napari_bgremove.widgets.parts.parameter_fields import ParameterFields
from napari_bgremove.widgets.parts.rows import make_row
from napari_bgremove.widgets.profile_denoise_work import OF_DENOISED, read_batch_size
from napari_bgremove.widgets.spectra_progress import SpectraProgress

__all__ = ["DenoiseForm"]

BUTTON = "Denoise all"
_NONE, _NETWORK = "none", "network"
_MODELS = "Models (*.safetensors)"
_WAVELETS = ("haar", "db2", "db4", "db8", "sym4", "sym8", "coif1", "coif3")
_WORDS: Mapping[str, Sequence[str]] = {"pad": PADS, "ends": ENDS, "domain": DOMAINS, "wavelet": _WAVELETS}
_TIPS = {
    "window": "Samples, an odd number.",
    "sigma": "Standard deviation of the noise, in the unit of the spectrum. Empty: found from it.",
    "pad": "What stands beyond the ends.",
    "weight": "How much is taken away, in the unit of the spectrum. Empty: found from its noise.",
    "domain": "Where few values are not zero: among the samples themselves, or among their frequencies.",
    "ends": "Of frequencies: joined leaves out the line between the two ends, whose levels may differ; open does not.",
    "gamma": "0 is L1; the closer to 1, the more strong values are spared.",
    "order": "Of the polynomial, below the window.",
}
_STATISTICS = {
    "as trained": None,
    "fixed: those of the training": "fixed",
    "signal: those of each signal (unfixed)": "signal",
}
_NO_MODEL = "Choose the model file of a denoiser, or drop one on the viewer."
_LINE = 66
_ALONG = {"all rows": -1, "all columns": -2, "all pixels, through the frames": -3}


class DenoiseForm(QWidget):
    """Describes a denoising, and shows what was found; does none.

    Attributes
    ----------
    changed : Signal
    all_requested : Signal
    """

    changed = Signal()
    all_requested = Signal()

    def __init__(self, *, device: str = "auto") -> None:
        super().__init__()
        self._device = device
        self._batch_size: int | None = None
        self._problem = _NO_MODEL
        self.method = QComboBox()
        self.method.addItem("none", _NONE)
        for name, method in METHODS.items():
            self.method.addItem(method.label, name)
            self.method.setItemData(self.method.count() - 1, method.summary, Qt.ItemDataRole.ToolTipRole)
        self.method.addItem("Network (Fang)", _NETWORK)
        self.parameters = {
            name: ParameterFields(method.parameters, choices=_WORDS, tips=_TIPS) for name, method in METHODS.items()
        }
        self.model = FileChoice("Choose a denoiser", kinds=_MODELS, nothing="none: choose a file")
        self.trained = QLabel(_break(self._problem))
        self.norm = QComboBox()
        for text, norm in _STATISTICS.items():
            self.norm.addItem(text, norm)
        self.norm.setToolTip("Both are shown; this one goes on to backgrounds, all rows, and copies.")
        self.fit = QCheckBox("Fit the denoised spectrum")
        self.fit.setToolTip(OF_DENOISED)
        self.warning = QLabel(_break(OF_DENOISED))
        self.table = DenoisingTable()
        self.along = QComboBox()
        for text, axis in _ALONG.items():
            self.along.addItem(text, axis)
        self.button = make_button(BUTTON, self.all_requested.emit, tip="As new layers: denoised, and the noise.")
        self.progress = SpectraProgress()
        self.progress.status.setWordWrap(False)
        self._lay_out()
        self._connect()
        self._on_method_chosen()

    @property
    def is_on(self) -> bool:
        """Whether anything is to be denoised."""
        return bool(self.method.currentData() != _NONE)

    @property
    def how(self) -> DenoisingMethod:
        """The method that is chosen.

        Raises
        ------
        ValueError
            When there is none, no model to a network, or a parameter is no number.
        """
        name = str(self.method.currentData())
        if name == _NONE:
            msg = "Choose a method to denoise with first."
            raise ValueError(msg)
        if name != _NETWORK:
            return DenoisingMethod(method=name, parameters=self.parameters[name].values)
        if self._batch_size is None:
            raise ValueError(self._problem)
        return DenoisingMethod(model=self.model.path, norm=self.norm.currentData(), device=self._device)

    @property
    def chosen_norm(self) -> str:
        """The mode of a network that goes on; without a choice the one it was trained with."""
        return str(self.norm.currentData() or ("signal" if self._batch_size == 1 else "fixed"))

    @property
    def fits_denoised(self) -> bool:
        """Whether backgrounds are to be those of the denoised spectrum."""
        return self.is_on and self.fit.isChecked()

    @property
    def axis(self) -> int:
        """The axis the signals of an image run along, counted from the last: -1 for its rows."""
        return int(self.along.currentData())

    def take_model(self, path: str) -> None:
        """Offer a network, and choose it."""
        if path == self.model.path:
            self._on_model_chosen()  # its content may be another by now
        self.model.choose(path)
        self.method.setCurrentIndex(self.method.findData(_NETWORK))

    def show_found(self, found: Mapping[str, Mapping[str, float]]) -> None:
        """Show beside empty fields the numbers that were found, of the first spectrum; of all in the tooltip."""
        fields = self.parameters.get(str(self.method.currentData()))
        automatic = METHODS[str(self.method.currentData())].automatic if fields is not None else None
        if fields is None or automatic is None:
            return
        values = {name: numbers[automatic] for name, numbers in found.items() if automatic in numbers}
        lines = [f"{name}: {value:.5g}" for name, value in values.items()]
        first = next(iter(values.values()), None)
        fields.show_found(automatic, first, tip="\n".join([_TIPS[automatic], *lines]))

    def say(self, text: str) -> None:
        """Say what became of all rows."""
        self.progress.say(_break(text))

    def allow_all(self, *, is_image: bool, is_busy: bool) -> None:
        """Let a person begin with all rows where there is an image and a method, and nothing goes on yet."""
        why_not = "" if self.is_on else "Choose a method first."
        self.button.setEnabled(not why_not and not is_busy)
        self.button.setToolTip(why_not or "As new layers: denoised, and the noise that was taken away.")
        self._form.setRowVisible(self._all, is_image)
        self.progress.set_running(is_busy)

    def _on_method_chosen(self, _index: int = 0) -> None:
        chosen = self.method.currentData()
        for name, fields in self.parameters.items():
            self._form.setRowVisible(fields, chosen == name)
        for of_network in (self.model, self.trained, self.norm):
            self._form.setRowVisible(of_network, chosen == _NETWORK)
        for of_any in (self.table, self.fit):
            self._form.setRowVisible(of_any, self.is_on)
        self._form.setRowVisible(self.warning, self.fits_denoised)
        self.method.setToolTip(METHODS[chosen].summary if chosen in METHODS else "")
        self.changed.emit()

    def _on_fit_ticked(self, _on: bool) -> None:
        self._form.setRowVisible(self.warning, self.fits_denoised)
        self.changed.emit()

    def _on_model_chosen(self) -> None:
        self._batch_size, self._problem = None, _NO_MODEL
        try:
            if self.model.path is not None:
                self._batch_size = read_batch_size(self.model.path)
        except ModelFileError as error:
            self._problem = str(error)
        known = self._batch_size is not None
        self.trained.setText(_break(_describe_training(self._batch_size) if known else self._problem))
        self.changed.emit()

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._on_method_chosen)
        for fields in self.parameters.values():
            fields.changed.connect(self.changed)
        self.model.changed.connect(self._on_model_chosen)
        self.norm.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.fit.toggled.connect(self._on_fit_ticked)

    def _lay_out(self) -> None:
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Method", self.method)
        for fields in self.parameters.values():
            self._form.addRow(fields)
        self._form.addRow("Model", self.model)
        self._form.addRow(self.trained)
        self._form.addRow("Use", self.norm)
        self._form.addRow(self.table)
        self._form.addRow(self.fit)
        self._form.addRow(self.warning)
        self._all = make_row(self.along, self.button)
        self._form.addRow("Image", self._all)
        self._form.addRow(self.progress)


def _break(text: str) -> str:
    """Break a sentence into lines: text that wraps by itself makes Qt measure, and move, all of the panel anew."""
    return fill(text, _LINE)


def _describe_training(batch_size: int | None) -> str:
    if batch_size == 1:
        return "Trained one signal at a time: the statistics of each signal (signal) are those of its training."
    return f"Trained with batches of {batch_size}: the running statistics (fixed) are those of its training."
