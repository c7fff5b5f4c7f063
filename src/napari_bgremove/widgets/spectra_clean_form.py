"""With what a set is taken apart: a classical method, or a network."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_bgremove.engine.spectra_calibration import name_representation
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.spectra.cleaning import CLEANERS
from napari_bgremove.widgets.parts.device_choice import DeviceChoice
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.file_choice import FileChoice
from napari_bgremove.widgets.parts.model_names import name_model
from napari_bgremove.widgets.spectra_parameters import MethodParameters, describe_parameters
from napari_bgremove.widgets.spectra_progress import SpectraProgress

__all__ = ["BUTTON", "CleanForm", "label_of_method"]

BUTTON = "Clean"
_NETWORK = "network"
_MODELS = "Models (*.safetensors)"
_OUTPUTS = {
    "subtract": "measured minus its background",
    "synthesis": "its own signal",
    "both": "both parts its own; the rest is residual",
}


class CleanForm(QWidget):
    """Describes a cleaning; does none.

    Attributes
    ----------
    clean_requested : Signal
    """

    clean_requested = Signal()

    def __init__(self, *, device: str) -> None:
        super().__init__()
        self.method = QComboBox()
        for name, cleaner in CLEANERS.items():
            self.method.addItem(cleaner.label, name)
            self.method.setItemData(self.method.count() - 1, cleaner.summary, 3)  # Qt's tool tip
        self.method.addItem("Network (SpectroscopyNet)", _NETWORK)
        self.model = FileChoice("Choose a model", kinds=_MODELS, nothing="none: train one, or choose a file")
        self.output = QComboBox()
        for name, text in _OUTPUTS.items():
            self.output.addItem(text, name)
        self.device = DeviceChoice(device)
        self.parameters = {name: MethodParameters(name) for name in CLEANERS}
        self.progress = SpectraProgress()
        self.button = make_button(BUTTON, self.clean_requested.emit)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Method", self.method)
        for parameters in self.parameters.values():
            self._form.addRow(parameters)
        self._form.addRow("Model", self.model)
        self._form.addRow("Signal is", self.output)
        self._form.addRow("Device", self.device)
        self._form.addRow(self.button)
        self._form.addRow(self.progress)
        self.method.currentIndexChanged.connect(self._on_method_chosen)
        self._on_method_chosen()
        self.allow(is_there=False)

    @property
    def how(self) -> SpectraMethod:
        """The cleaning that is chosen.

        Raises
        ------
        ValueError
            When there is no model to a network, or a parameter is no number.
        """
        name = str(self.method.currentData())
        if name != _NETWORK:
            return SpectraMethod(method=name, parameters=self.parameters[name].values)
        if self.model.path is None:
            msg = "'model' must be a file to clean with a network; found none. Train one below, or choose a file."
            raise ValueError(msg)
        output = self.output.currentData()
        return SpectraMethod(model=self.model.path, output=output, device=self.device.currentText())

    def take_model(self, path: str | Path) -> None:
        """Offer a network, and choose it."""
        self.model.choose(path)
        self.method.setCurrentIndex(self.method.findData(_NETWORK))

    def allow(self, *, is_there: bool, is_busy: bool = False, unless: str = "") -> None:
        """Let a person begin when there is a set and no cleaning going on, `unless` something else forbids it."""
        self.button.setEnabled(is_there and not is_busy and not unless)
        self.button.setText("Cleaning..." if is_busy else BUTTON)
        self.button.setToolTip(
            unless or ("Takes every spectrum of the set apart." if is_there else "Open spectra first.")
        )
        self.progress.set_running(is_busy)

    def _on_method_chosen(self, _index: int = 0) -> None:
        chosen = self.method.currentData()
        for widget in (self.model, self.output, self.device):
            self._form.setRowVisible(widget, chosen == _NETWORK)
        for name, parameters in self.parameters.items():
            self._form.setRowVisible(parameters, chosen == name)


def label_of_method(how: SpectraMethod) -> str:
    """Return what a cleaning is called on plots, layers and tables; runs are told apart by their folders."""
    if how.model is None:
        return CLEANERS[how.method].label + describe_parameters(how.parameters)
    return name_model(how.model) + name_representation(how).removeprefix(Path(how.model).stem)
