"""What patches are cut from: layers of the viewer, files that are opened for it alone, and the signal mask."""

from __future__ import annotations

from typing import Any

import napari.layers
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_bgremove.images.patch_set import ROLES
from napari_bgremove.io.readers import IMAGE_SUFFIXES
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.layer_checks import LayerChecks
from napari_bgremove.widgets.parts.layer_combo import LayerCombo

__all__ = ["FileChoice", "PatchSources"]

TITLES = {"signal": "X-ray-only images", "background": "Full shots"}
TIPS = {
    "signal": "Images that are not opened as layers; of a stack every frame is used.",
    "background": "Full shots that are not opened as layers. Their signal masks are proposed from the x-ray-only "
    "files: each from its own where there are as many, otherwise one from their mean.",
}
FILE_KINDS = f"Images ({' '.join(f'*{suffix}' for suffix in sorted(IMAGE_SUFFIXES))});;All files (*)"


class FileChoice(QWidget):
    """Image files by name: nothing is opened here."""

    changed = Signal()

    def __init__(self, *, tip: str) -> None:
        super().__init__()
        self._files: tuple[str, ...] = ()
        self._text = QLabel()
        self._clear = make_button("Clear", lambda: self.set_files(()), tip="Use no files.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(make_button("Files...", self._ask, tip=tip))
        row.addWidget(self._clear)
        self.set_files(())

    @property
    def files(self) -> tuple[str, ...]:
        """The chosen files."""
        return self._files

    def set_files(self, files: tuple[str, ...]) -> None:
        """Choose files in place of those chosen before."""
        self._files = files
        self._text.setText(f"and {len(files)} file{'s' if len(files) > 1 else ''}" if files else "and no files")
        self._text.setToolTip("\n".join(files))
        self._clear.setVisible(bool(files))
        self.changed.emit()

    def _ask(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Choose images", filter=FILE_KINDS)
        if files:
            self.set_files(tuple(files))


class PatchSources(QWidget):
    """X-ray-only images, full shots, and the mask of the layers among them.

    Parameters
    ----------
    layers : napari LayerList
    """

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self.checks = {role: LayerChecks(layers, (napari.layers.Image,)) for role in ROLES}
        self.choices = {role: FileChoice(tip=TIPS[role]) for role in ROLES}
        self.mask_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        for role in ROLES:
            column = QVBoxLayout()
            column.addWidget(self.checks[role])
            column.addWidget(self.choices[role])
            form.addRow(TITLES[role], column)
        form.addRow("Signal mask", self.mask_choice)

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """The chosen files, by role."""
        return {role: choice.files for role, choice in self.choices.items()}

    @property
    def ticked(self) -> tuple[list[Any], list[Any]]:
        """The ticked x-ray-only and full layers; ValueError when nothing at all is chosen of one kind."""
        signal, background = (self.checks[role].ticked for role in ROLES)
        if not (signal or self.files["signal"]) or not (background or self.files["background"]):
            msg = "Tick at least one x-ray-only image and one full shot, or choose files."
            raise ValueError(msg)
        return signal, background

    @property
    def to_copy(self) -> tuple[list[Any], list[Any]]:
        """The ticked layers; ValueError when files were chosen, for whose masks the text has no place."""
        if any(self.files.values()):
            msg = "Only ticked layers can be copied as text: clear the files, or give them to 'bgremove patches'."
            raise ValueError(msg)
        return self.ticked
