"""Which epoch of a run is looked at: a slider over those whose weights were kept, and the best model at its end."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.widgets.parts.fields import make_button

__all__ = ["LayersEpochs"]

BEST = "best"


class LayersEpochs(QWidget):
    """The models of a run, from its first saved epoch to its best one.

    Attributes
    ----------
    changed : Signal
        Another one is looked at.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._files: list[Path] = []
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.text = QLabel()
        self.flip_button = make_button("Before", self.flip, tip="The first epoch that was saved, and back.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.text)
        row.addWidget(self.flip_button)
        self.slider.valueChanged.connect(self._on_moved)
        self.show_run(None)

    @property
    def file(self) -> str | None:
        """The model that is looked at; None where there is none."""
        return str(self._files[self.slider.value()]) if self._files else None

    @property
    def first(self) -> str | None:
        """The first epoch that was saved."""
        return str(self._files[0]) if self._files else None

    def show_run(self, path: str | None) -> None:
        """Begin with the last model of a run folder; without one there is nothing to slide over."""
        self._files = [] if path is None else _list_models(RunFolder(Path(path)))
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(len(self._files) - 1, 0))
        self.slider.setValue(self.slider.maximum())
        self.slider.blockSignals(False)
        self.setVisible(bool(self._files))
        self._say()

    def update_run(self, path: str) -> None:
        """Take in epochs that were saved meanwhile; who looks at the last one goes on doing so."""
        file, at_end = self.file, self.slider.value() == self.slider.maximum()
        self.show_run(path)
        names = [str(each) for each in self._files]
        if not at_end and file in names:
            self.slider.setValue(names.index(file))

    def flip(self) -> None:
        """Go from wherever it stands to the first saved epoch, and from there to the last model."""
        self.slider.setValue(self.slider.maximum() if self.slider.value() == 0 else 0)

    def _on_moved(self, _value: int) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        if not self._files:
            return
        file = self._files[self.slider.value()]
        self.text.setText(f"epoch {int(file.stem) + 1}" if file.parent.name == "epochs" else BEST)
        self.flip_button.setText("After" if self.slider.value() == 0 else "Before")
        alone = len(self._files) == 1
        self.flip_button.setEnabled(not alone)
        self.flip_button.setToolTip(
            "Of this run one model was saved only." if alone else "The first epoch that was saved, and back."
        )


def _list_models(run: RunFolder) -> list[Path]:
    epochs = [run.epoch_model(epoch) for epoch in run.kept_epochs()]
    last = next((file for file in (run.best, run.model) if file.is_file()), None)
    return [*epochs, *([] if last is None else [last])]
