"""Extract patches: signal from x-ray-only images, background from full shots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QFileDialog, QLabel

from napari_bgremove.images.leaks import Leak
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.viewer_layers.geometry import frame_index, frame_shape
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.viewer_layers.patches import show_gallery, show_pair
from napari_bgremove.widgets.copies import patches_as_command, patches_as_python
from napari_bgremove.widgets.leak_meter import LeakMeter, MaskInUse, describe_leaks
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_watch import MASK_EDITS, watch_chosen
from napari_bgremove.widgets.patch_drawings import PatchDrawings
from napari_bgremove.widgets.patch_selection import Key, PatchSelection, make_pair, save_sets
from napari_bgremove.widgets.patches_forms import NumbersForm, PairForm
from napari_bgremove.widgets.patches_sources import PatchSources
from napari_bgremove.widgets.patches_work import Extraction, SourceImage, extract
from napari_bgremove.workspace import workspace_of

__all__ = ["PatchesPanel"]


class PatchesPanel(Panel):
    """Training patches, seen where they come from (Starke & Smid, "Data preparation")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.source_form = PatchSources(napari_viewer.layers)
        self.sources, self.mask_choice = self.source_form.checks, self.source_form.mask_choice
        self.form = NumbersForm()
        self.pair_form = PairForm()
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self._selection = PatchSelection()
        self._leaks: dict[str, Leak] = {}
        self._drawings = PatchDrawings(napari_viewer, self.reject)
        self.connections.at_the_end(self._drawings.let_go)
        self._number = 0
        self._lay_out()
        self._work = LatestCall(extract, delay_ms=0, parent=self)
        self._writing = LatestCall(save_sets, delay_ms=0, parent=self)
        self._meter = LeakMeter(self._look_at_the_mask, parent=self)
        self._connect()
        self._summarise()

    @property
    def patch_sets(self) -> dict[str, PatchSet]:
        """What was extracted and not rejected, by role."""
        return self._selection.joined

    @reports_errors
    def extract(self) -> None:
        """Cut patches from the ticked images."""
        signal, background = self.source_form.ticked
        mask = self.mask_choice.layer
        full = [
            self._source(layer, None if mask is None else mask_of(mask, frame_shape(layer))) for layer in background
        ]
        self._drawings.remember([*signal, *background])
        self.extract_button.setEnabled(False)
        self.extract_button.setText("Extracting...")
        self._work([self._source(layer) for layer in signal], full, self.form.numbers, self.source_form.files)

    @reports_errors
    def save(self, folder: str | Path) -> None:
        """Write signal.npz and background.npz, as `bgremove train` reads them."""
        sets = self.patch_sets
        if len(sets) < 2:
            self.message.show_text("There are no patches to save: extract some first.")
            return
        self.message.show_text("Saving...")
        self._writing(Path(folder), sets)

    @reports_errors
    def preview_pair(self, *, another: bool = False) -> None:
        """Show the training input that a signal and a background patch make."""
        if len(self.patch_sets) < 2 or not self._has_place():
            return
        self._number += another
        form = self.pair_form
        pair = make_pair(self.patch_sets, self._number, form.amplitude, form.normalization)
        show_pair(self.viewer, self._first_image(), pair)

    @reports_errors
    def show_gallery(self) -> None:
        """Show a selection of the patches beside the image."""
        if self.patch_sets and self._has_place():
            show_gallery(self.viewer, self._first_image(), list(self.patch_sets.values()))

    def reject(self, key: Key, number: int) -> None:
        """Reject a patch, or take it back."""
        self._selection.toggle(key, number)
        self._drawings.draw(key, self._selection.sets[key], self._selection.keep[key])
        self._summarise()
        self._meter.refresh()

    def _look_at_the_mask(self) -> MaskInUse | None:
        mask = self.mask_choice.layer
        if mask is None or mask.ndim != 2:
            return None
        shape = frame_shape(mask)
        references = [self._source(layer) for layer in self.sources["signal"].ticked if frame_shape(layer) == shape]
        shown = {name: self._drawings.image(name) for _, name in self._selection.sets}
        names = {name for name, image in shown.items() if image is not None and frame_shape(image) == shape}
        return MaskInUse(mask_of(mask), references, self._selection.corners(names), self._selection.patch)

    def hideEvent(self, event: Any) -> None:
        """Measure nothing that nobody sees."""
        self._meter.pause()
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:
        """Measure the mask as it is now."""
        super().showEvent(event)
        self._meter.resume()

    def _connect(self) -> None:
        self._work.returned.connect(self._on_extracted)
        self._work.failed.connect(self._on_failed)
        self._writing.returned.connect(self._on_saved)
        self._writing.failed.connect(self.message.show_error)
        self._meter.measured.connect(self._on_leaks_measured)
        self._meter.failed.connect(self.message.show_error)
        self.pair_form.changed.connect(self.preview_pair)
        self.sources["signal"].ticked_changed.connect(self._meter.refresh)
        watch_chosen(self.mask_choice, MASK_EDITS, self.connections, self._meter.refresh)

    def _on_extracted(self, extraction: Extraction) -> None:
        self._enable_extraction()
        sets = {("signal", name): patches for name, patches in extraction.signal.items()}
        sets |= {("background", name): patches for name, patches in extraction.background.items()}
        self._selection = PatchSelection(sets)
        self._drawings.keep_only(sets)
        for key, patches in sets.items():
            self._drawings.draw(key, patches, self._selection.keep[key])
        self._leaks = {}
        self._summarise()
        self._meter.refresh()
        self.preview_pair()

    def _on_failed(self, error: BaseException) -> None:
        self._enable_extraction()
        self.message.show_error(error)

    def _enable_extraction(self) -> None:
        self.extract_button.setEnabled(True)
        self.extract_button.setText("Extract")

    def _on_saved(self, saved: tuple[Path, str]) -> None:
        folder, sentence = saved
        workspace_of(self.viewer).patch_folder = str(folder)
        self.message.show_text(sentence)

    def _on_leaks_measured(self, leaks: dict[str, Leak]) -> None:
        self._leaks = leaks
        self._summarise()

    def _summarise(self) -> None:
        is_open = self._selection.sets and self.mask_choice.layer is None
        remarks = ["without a mask the background patches may hold signal"] if is_open else []
        self.summary.setText("; ".join([str(self._selection), *remarks, *describe_leaks(self._leaks)]) + ".")

    def _source(self, layer: Any, signal_mask: np.ndarray[Any, np.dtype[np.bool_]] | None = None) -> SourceImage:
        """The shown frame of a layer; a lazy one is read in the thread."""
        return SourceImage(layer.name, layer.data[frame_index(self.viewer, layer)], signal_mask)

    def _has_place(self) -> bool:
        """False when the images that the patches were cut from are gone."""
        return self._drawings.are_of_files or self._first_image() is not None

    def _first_image(self) -> Any | None:
        names = (name for _, name in self._selection.sets)
        return next((image for name in names if (image := self._drawings.image(name)) is not None), None)

    def _ask_and_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the patch sets")
        if folder:
            self.save(folder)

    def _lay_out(self) -> None:
        self.body.addWidget(self.source_form)
        self.body.addWidget(make_section("Numbers", self.form, is_open=True))
        self.body.addWidget(make_section("What the network will see", self.pair_form))
        self.body.addWidget(self.summary)
        self.add_copies(
            python=lambda: patches_as_python(
                self.viewer, self.source_form.to_copy, self.mask_choice.layer, self.form.numbers
            ),
            command=lambda: patches_as_command(self.source_form.to_copy, self.mask_choice.layer, self.form.numbers),
        )
        self.extract_button = self.add_button(
            "Extract", self.extract, tip="Click a rectangle in the image to reject it."
        )
        self.add_button("Gallery", self.show_gallery, tip="Show some of the patches beside the image.")
        self.add_button("Another pair", lambda: self.preview_pair(another=True), tip="Draw another training pair.")
        self.add_button("Save...", self._ask_and_save, tip="Write signal.npz and background.npz for training.")
