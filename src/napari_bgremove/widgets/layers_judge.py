"""On what the error of a smaller network is measured: the data its training holds out, or those of a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.recipes.denoiser import GENERATORS
from napari_bgremove.widgets.parts.file_choice import FileChoice

__all__ = ["LayersJudge"]

NOTHING, RUN, PATCHES, SPECTRA, GENERATOR = "nothing", "run", "patches", "spectra", "generator"
_PATCH_FILES = ("signal.npz", "background.npz")
# What can judge a network of each subject, beside its run.
_OF_SUBJECT: Mapping[str, tuple[str, ...]] = {
    "images": (PATCHES,), "spectra": (SPECTRA,), "signals": (GENERATOR, SPECTRA),
}  # fmt: skip
_LABELS = {
    NOTHING: "nothing: sizes only", RUN: "what its run held out", PATCHES: "patches", SPECTRA: "spectra from files",
    GENERATOR: "generated signals",
}  # fmt: skip
_TIP = "The task's error of the whole and of the smaller network, on data that are held out as in a training."


class LayersJudge(QWidget):
    """Describes validation data; reads none.

    Attributes
    ----------
    changed : Signal
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._run: str | None = None
        self.by = QComboBox()
        self.by.setToolTip(_TIP)
        tip = "The background.npz beside it is taken, too."
        self.patches = FileChoice("Choose signal.npz", kinds="Patches (*.npz)", nothing="none: signal.npz", tip=tip)
        self.spectra = FileChoice("Choose spectra", nothing="none: choose a file with spectra")
        self.generator = QComboBox()
        self.generator.addItem("those of its training", None)
        for name in GENERATORS:
            self.generator.addItem(name, name)
        self._of = {PATCHES: self.patches, SPECTRA: self.spectra, GENERATOR: self.generator}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.by, *self._of.values()):
            layout.addWidget(widget)
        self.by.currentIndexChanged.connect(self._on_chosen)
        for files in (self.patches, self.spectra):
            files.changed.connect(self.changed)
        self.generator.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.offer(subject=None, run=None)

    def offer(self, *, subject: str | None, run: str | None) -> None:
        """Offer what can judge a network of a subject, its run first; what was chosen stays if it can."""
        chosen, self._run = self.by.currentData(), run
        of_subject = _OF_SUBJECT.get(subject or "", ())
        offered = [*([RUN] if run is not None else []), *of_subject, NOTHING]
        if offered != [self.by.itemData(number) for number in range(self.by.count())]:
            self.by.blockSignals(True)
            self.by.clear()
            for name in offered:
                self.by.addItem(_LABELS[name], name)
            self.by.setCurrentIndex(max(self.by.findData(chosen if chosen != NOTHING else None), 0))
            self.by.blockSignals(False)
        self._on_chosen()

    def take_patches(self, folder: str) -> None:
        """Judge by the patches of this folder, unless a person has chosen others."""
        file = Path(folder) / _PATCH_FILES[0]
        if self.patches.path is None and folder and file.is_file():
            self.patches.choose(file)

    @property
    def missing(self) -> str:
        """What has to be chosen before there is an error to tell; empty where nothing has."""
        chosen = self.by.currentData()
        if chosen == NOTHING:
            return "Choose what the error is judged by: it is known before anything is written."
        if chosen == PATCHES and self.patches.path is None:
            return "Choose the patches the error is judged by, or nothing."
        if chosen == SPECTRA and self.spectra.path is None:
            return "Choose the spectra the error is judged by, or nothing."
        return ""

    @property
    def is_nothing(self) -> bool:
        """Whether no error is asked for."""
        return bool(self.by.currentData() == NOTHING)

    @property
    def values(self) -> dict[str, Any] | None:
        """What is chosen, as keywords of `engine.removal_job.job_of`; None for nothing."""
        chosen = self.by.currentData()
        if chosen == RUN:
            return {"run": self._run}
        if chosen == PATCHES:
            signal = Path(str(self.patches.path))
            return {"signal": str(signal), "background": str(signal.with_name(_PATCH_FILES[1]))}
        if chosen == SPECTRA:
            source = SpectraSource(paths=(str(self.spectra.path),))
            return {"source": source.model_dump(mode="json", exclude_defaults=True)}
        return {"generator": self.generator.currentData()} if chosen == GENERATOR else None

    def _on_chosen(self, _index: int = 0) -> None:
        for name, widget in self._of.items():
            widget.setVisible(self.by.currentData() == name)
        self.changed.emit()
