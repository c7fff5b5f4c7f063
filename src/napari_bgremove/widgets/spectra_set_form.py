"""Which set of spectra the panel is about: files, reference values, bands that are left out; what it holds."""

from __future__ import annotations

from typing import Any

import napari.layers
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.io.spectra_sets import SPECTRA_SET_SUFFIXES
from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS
from napari_bgremove.viewer_layers.spectra_layers import SPECTRA_ROLE
from napari_bgremove.widgets.parts.fields import make_button, make_section
from napari_bgremove.widgets.parts.file_choice import FileChoice
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.rows import make_row

__all__ = ["SpectraSetForm"]

_KINDS = f"Spectra ({' '.join(f'*{suffix}' for suffix in SPECTRA_SET_SUFFIXES)});;All files (*)"
_TABLES = "Tables (*.csv *.txt *.tsv);;All files (*)"
_LEFT_OUT = {"nothing": (), "ChemCam's five bands": CHEMCAM_IGNORED_BANDS}
NOTHING = (
    "No spectra yet. Open files with repeated shots of several targets, or a folder with a sub-folder for each target."
)


class SpectraSetForm(QWidget):
    """Names a set; reads none.

    Attributes
    ----------
    changed : Signal
        It is another set now.
    layer_requested : Signal of layer
        The set that this layer shows is wanted.
    """

    changed = Signal()
    layer_requested = Signal(object)

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self._paths: tuple[str, ...] = ()
        self.layer_choice = LayerCombo(layers, (napari.layers.Image,), roles=(SPECTRA_ROLE, "signal"))
        self.composition = FileChoice(
            "Choose a table of reference values", kinds=_TABLES, nothing="in the files, if any",
            tip="A table with target, SiO2, TiO2 ... as its header: what a calibration is judged by.",
        )  # fmt: skip
        self.left_out = QComboBox()
        self.left_out.addItems(list(_LEFT_OUT))
        self.left_out.setToolTip("Bands whose channels are dropped; ChemCam's are the edges of its spectrometers.")
        self.target = QLineEdit()
        self.target.setPlaceholderText("as the files or their folders are called")
        self.axis = FileChoice("Choose the wavelengths", nothing="in the files", tip="For raw ChemCam shots.")
        self.summary, self.verdict = _wrapped(NOTHING), _wrapped("")
        self._lay_out()
        self.left_out.currentIndexChanged.connect(self._on_changed)
        self.target.editingFinished.connect(self._on_changed)
        for choice in (self.composition, self.axis):
            choice.changed.connect(self._on_changed)

    @property
    def source(self) -> SpectraSource | None:
        """The set, without marks; None as long as there are no files."""
        if not self._paths:
            return None
        return SpectraSource(
            paths=self._paths, target=self.target.text().strip() or None, axis=self.axis.path,
            composition=self.composition.path, leave_out=_LEFT_OUT[self.left_out.currentText()],
        ).resolved()  # fmt: skip

    def open(self, paths: tuple[str, ...]) -> None:
        """Take these files or folders, also when they are the same: they may have changed."""
        self._paths = paths
        self.changed.emit()

    def say(self, summary: str, verdict: str = "", *, warns: bool = False) -> None:
        """Show what the set holds, and what is to be thought of its background."""
        self.summary.setText(summary)
        self.verdict.setText(verdict)
        self.verdict.setVisible(bool(verdict))
        font = self.verdict.font()
        font.setBold(warns)
        self.verdict.setFont(font)

    def _on_changed(self) -> None:
        if self._paths:
            self.changed.emit()

    def _ask_for_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Open spectra", filter=_KINDS)
        if files:
            self.open(tuple(files))

    def _ask_for_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a folder of spectra")
        if folder:
            self.open((folder,))

    def _ask_for_layer(self) -> None:
        self.layer_requested.emit(self.layer_choice.layer)

    def _lay_out(self) -> None:
        tip = "A set that a layer shows, such as a sample. It is saved as a file first: trainings read files."
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        open_row = QHBoxLayout()
        open_row.addWidget(make_button("Open...", self._ask_for_files, tip="ChemCam archives, HDF5, NPZ, tables."))
        open_row.addWidget(make_button("Folder...", self._ask_for_folder, tip="Sub-folders are targets, or files are."))
        form.addRow(open_row)
        form.addRow("Layer", make_row(self.layer_choice, make_button("Use layer...", self._ask_for_layer, tip=tip)))
        form.addRow("Reference values", self.composition)
        form.addRow("Leave out", self.left_out)
        special = QWidget()
        more = QFormLayout(special)
        more.setContentsMargins(0, 0, 0, 0)
        more.addRow("Target", self.target)
        more.addRow("Wavelengths", self.axis)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(make_section("Files that do not say all", special))
        layout.addWidget(self.summary)
        layout.addWidget(self.verdict)
        self.verdict.hide()


def _wrapped(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
