"""Which model is looked at, at which epoch of its run, and which one is drawn over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_bgremove.engine.layer_models import find_model_file
from napari_bgremove.io.bundled import BUNDLED_MODEL, BUNDLED_MODELS
from napari_bgremove.widgets.layers_epochs import LayersEpochs
from napari_bgremove.widgets.parts.model_choice import ModelChoice
from napari_bgremove.widgets.parts.model_names import name_model

__all__ = ["LayersSource"]

FIRST_EPOCH = "its first saved epoch"


class LayersSource(QWidget):
    """Names files; reads none.

    Attributes
    ----------
    model_changed : Signal
        Another file is looked at.
    other_changed : Signal
        Another one, or none, is drawn over it.
    """

    model_changed = Signal()
    other_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._in_use: Mapping[str, str] = {}
        self.model = ModelChoice(tip="A model file, or the run that made one.")
        self.other = ModelChoice(nothing="nothing", tip="Drawn over it: naive against regularised training, say.")
        self.epochs = LayersEpochs()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Model", self.model)
        form.addRow(self.epochs)
        form.addRow("Compare with", self.other)
        self.model.changed.connect(self._on_model_chosen)
        self.epochs.changed.connect(self.model_changed)
        self.other.changed.connect(self.other_changed)

    @property
    def file(self) -> str | None:
        """The model file that is looked at; None while none is chosen.

        Raises
        ------
        ReadError
            When a folder holds no model.
        """
        return self.epochs.file or _find_file(self.model.path)

    @property
    def other_file(self) -> str | None:
        """The model file that is drawn over it, of a run its best; None for none.

        Raises
        ------
        ReadError
            When a folder holds no model.
        """
        return _find_file(self.other.path)

    def name(self, file: str) -> str:
        """Return what a file is called here, with the folder where that tells the two apart."""
        names = [name_model(each) for each in (self.file, self.other_file) if each is not None and each != file]
        return f"{Path(file).parent.name}/{name_model(file)}" if name_model(file) in names else name_model(file)

    def take_in_use(self, files: Mapping[str, str]) -> None:
        """Offer what the viewer uses, by subject; who looks at one of them looks at its successor from now on."""
        before, self._in_use = self._in_use, {subject: file for subject, file in files.items() if file}
        self._offer()
        looked_at = next((subject for subject, file in before.items() if file == self.model.path), None)
        if self.model.path is None:
            self.model.choose(next(iter(self._in_use.values()), str(BUNDLED_MODEL)))
        elif looked_at in self._in_use:
            self.model.choose(self._in_use[looked_at])

    def update_epochs(self) -> None:
        """Take in what a run has saved meanwhile."""
        if _is_run(self.model.path):
            self.epochs.update_run(str(self.model.path))
            self._offer()

    def _on_model_chosen(self) -> None:
        self.epochs.show_run(self.model.path if _is_run(self.model.path) else None)
        self._offer()
        self.model_changed.emit()

    def _offer(self) -> None:
        labels = {file: f"{name_model(file)} (in use for {subject})" for subject, file in self._in_use.items()}
        for file in BUNDLED_MODELS.values():
            labels.setdefault(str(file), f"{name_model(file)} (bundled)")
        self.model.set_known(labels)
        self.other.set_known({**({self.epochs.first: FIRST_EPOCH} if self.epochs.first else {}), **labels})


def _is_run(path: str | None) -> bool:
    return path is not None and Path(path).is_dir()


def _find_file(path: str | None) -> str | None:
    return None if path is None else str(find_model_file(Path(path)))
