"""Mask signal regions: propose, paint, imprint, save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLabel

from napari_bgremove.images.mask_rules import COMBINATIONS, combine_masks
from napari_bgremove.images.masks import count_free_positions, grow_mask
from napari_bgremove.io.autosave import SavedMask
from napari_bgremove.io.masks import read_mask, write_mask
from napari_bgremove.viewer_layers.geometry import current_frame, frame_shape
from napari_bgremove.viewer_layers.masks import (
    add_mask_layer,
    add_restored_mask,
    edit_mask,
    hide_preview,
    mask_of,
    rasterize_shapes,
    show_preview,
)
from napari_bgremove.widgets.copies import mask_as_command, mask_as_python
from napari_bgremove.widgets.mask_autosave import RestoreBar, keeper_of
from napari_bgremove.widgets.mask_forms import EditForm, ImprintForm, MaskRequest, ProposalForm, RulesForm
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_combo import LayerCombo

__all__ = ["MaskPanel"]

FILE_KINDS = "Masks (*.tif *.tiff *.npy *.edf *.h5);;All files (*)"
Mask = NDArray[np.bool_]


def measure_coverage(mask: Mask, patch: int) -> tuple[float, int]:
    """Return the masked share and the number of free patch positions."""
    return float(mask.mean()), count_free_positions(~mask, patch)


class MaskPanel(Panel):
    """Where signal is, so that background patches can be cut elsewhere (Starke & Smid, "Noise patches")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        layers = napari_viewer.layers
        self.image_choice = LayerCombo(layers, (napari.layers.Image,))
        self.mask_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        self.other_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        self.shapes_choice = LayerCombo(layers, (napari.layers.Shapes,))
        self.how = QComboBox()
        self.how.addItems(COMBINATIONS)
        self.how.setToolTip("What happens to the mask with what is previewed, drawn or chosen.")
        self.proposal, self.rules = ProposalForm(), RulesForm()
        self.imprint, self.edit = ImprintForm(self.shapes_choice, self.other_choice), EditForm()
        self.coverage = QLabel()
        self.coverage.setWordWrap(True)
        self._lay_out()
        self._preview = LatestCall(MaskRequest.compute, parent=self)
        self._preview.returned.connect(self._on_preview_computed)
        self._preview.failed.connect(self.message.show_error)
        self._count = LatestCall(measure_coverage, delay_ms=200, parent=self)
        self._count.returned.connect(self._on_coverage_measured)
        self._watched: list[Any] = []
        self._is_away = self._has_preview = False
        self._connect()
        self.keeper = keeper_of(napari_viewer)
        self._on_mask_chosen(self.mask_choice.layer)

    @property
    def request(self) -> MaskRequest:
        """What is ticked."""
        form = self.proposal
        return MaskRequest(
            form.tick.isChecked(), form.threshold.value(), form.window_size.value(), form.grow.value(),
            form.minimum_size.value(), form.hot_pixels.isChecked(), self.rules.rules,
        )  # fmt: skip

    @reports_errors
    def make_mask(self) -> None:
        """Add an empty mask for the chosen image."""
        self.mask_choice.layer = add_mask_layer(self.viewer, self._image())

    @reports_errors
    def apply(self) -> None:
        """Put what is ticked into the mask."""
        if self.request.is_empty:
            self.message.show_text("Nothing is ticked: show the proposal or tick a rule first.")
            return
        self._combine(self.request.compute(current_frame(self.viewer, self._image())))
        for form in (self.proposal, self.rules):
            form.untick()  # what is in the mask now needs no preview on top of it

    @reports_errors
    def imprint_shapes(self) -> None:
        """Put the pixels inside the drawn shapes into the mask."""
        if self.shapes_choice.layer is None:
            self.message.show_text("There is no shapes layer: draw rectangles, ellipses or polygons in one first.")
            return
        self._combine(rasterize_shapes(self.shapes_choice.layer, self._image()))

    @reports_errors
    def combine(self) -> None:
        """Combine the mask with another one."""
        if self.other_choice.layer is None:
            self.message.show_text("There is no other mask to combine with.")
            return
        self._combine(mask_of(self.other_choice.layer, frame_shape(self._image())))

    @reports_errors
    def invert(self) -> None:
        """Exchange inside and outside."""
        self._edit(~self._current())

    @reports_errors
    def clear(self) -> None:
        """Empty the mask."""
        self._edit(np.zeros_like(self._current()))

    @reports_errors
    def grow(self, radius: int) -> None:
        """Grow the mask by a radius, or shrink it by one below zero."""
        self._edit(grow_mask(self._current(), radius))

    @reports_errors
    def load(self, path: str | Path) -> None:
        """Read a mask file into the mask."""
        mask = read_mask(path, shape=frame_shape(self._image()))
        self._edit(mask)
        self.message.show_text(f"Loaded {Path(path).name}: {mask.mean():.1%} of the pixels.")

    @reports_errors
    def save(self, path: str | Path) -> None:
        """Write the mask, read it back, and only then say so."""
        mask = self._current()
        written = write_mask(path, mask, role="signal")
        if not np.array_equal(read_mask(written), mask):
            msg = f"'{written.name}' does not read back as it was written. Save it under another name or format."
            raise OSError(msg)
        self.message.show_text(f"Saved {written.name}, and read it back.")

    @reports_errors
    def restore(self, saved: SavedMask) -> None:
        """Add a mask that was left by a crash as a layer of its own."""
        self.mask_choice.layer = add_restored_mask(self.viewer, saved.read(), name=saved.name, **saved.details)
        self.restore_bar.forget(saved)

    def _image(self) -> Any:
        if self.image_choice.layer is None:
            msg = "There is no image: open an x-ray-only image first."
            raise ValueError(msg)
        return self.image_choice.layer

    def _current(self) -> Mask:
        if self.mask_choice.layer is None:
            self.mask_choice.layer = add_mask_layer(self.viewer, self._image())
        return mask_of(
            self.mask_choice.layer, None if self.image_choice.layer is None else frame_shape(self.image_choice.layer)
        )

    def _combine(self, other: Mask) -> None:
        self._edit(combine_masks(self._current(), other, self.how.currentText()))

    def _edit(self, mask: Mask) -> None:
        """One step of the layer's history; the layer becomes active so that Ctrl+Z is its undo."""
        self._current()
        self.keeper.watch(self.mask_choice.layer)
        edit_mask(self.mask_choice.layer, mask)
        self.viewer.layers.selection.active = self.mask_choice.layer

    def _connect(self) -> None:
        for form in (self.proposal, self.rules):
            form.changed.connect(self._on_request_changed)
        self.image_choice.layer_changed.connect(lambda _: self._on_request_changed())
        self.mask_choice.layer_changed.connect(self._on_mask_chosen)
        self.imprint.shapes_requested.connect(self.imprint_shapes)
        self.imprint.other_mask_requested.connect(self.combine)
        self.edit.invert_requested.connect(self.invert)
        self.edit.clear_requested.connect(self.clear)
        self.edit.grow_requested.connect(self.grow)
        self.edit.load_requested.connect(self._ask_and_load)
        self.edit.save_requested.connect(self._ask_and_save)
        self.edit.patch_changed.connect(self._on_mask_edited)
        self.connections.connect(self.viewer.dims.events.current_step, self._on_frame_changed)

    def _on_request_changed(self, _event: Any = None) -> None:
        if self._is_away:
            return
        if self.request.is_empty or self.image_choice.layer is None:
            self._hide_preview()
        else:
            self._preview(self.request, current_frame(self.viewer, self.image_choice.layer))

    def _on_frame_changed(self, _event: Any = None) -> None:
        # Takes no layer away: napari moves the sliders in the midst of taking a layer in.
        if not self.request.is_empty:
            self._on_request_changed()

    def _hide_preview(self) -> None:
        """Take our preview away; another panel's stays."""
        self._preview.cancel()
        if self._has_preview:
            hide_preview(self.viewer)
        self._has_preview = False

    def _on_preview_computed(self, mask: Mask) -> None:
        if self.image_choice.layer is not None and mask.shape == frame_shape(self.image_choice.layer):
            show_preview(self.viewer, self.image_choice.layer, mask)
            self._has_preview = True

    def _on_mask_chosen(self, layer: Any | None) -> None:
        self.connections.disconnect_from(*self._watched)
        self._watched = [] if layer is None else [layer.events.set_data, layer.events.paint, layer.events.labels_update]
        for emitter in self._watched:
            self.connections.connect(emitter, self._on_mask_edited)
        self._on_mask_edited()

    def _on_mask_edited(self, _event: Any = None) -> None:
        if self.mask_choice.layer is None:
            self.coverage.setText("No mask yet.")
        elif self.mask_choice.layer.ndim == 2:
            self._count(mask_of(self.mask_choice.layer), self.edit.patch.value())

    def _on_coverage_measured(self, measured: tuple[float, int]) -> None:
        share, positions = measured
        side = self.edit.patch.value()
        self.coverage.setText(f"{share:.1%} masked; {positions:,} free positions for patches of {side} x {side}.")

    def hideEvent(self, event: Any) -> None:
        """Take the preview along: it belongs to the panel, not to the person."""
        self._is_away = True
        self._hide_preview()
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:
        """Bring the preview back."""
        super().showEvent(event)
        self._is_away = False
        self._on_request_changed()

    def _ask_and_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a mask", filter=FILE_KINDS)
        if path:
            self.load(path)

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the mask", "signal-mask.tif", FILE_KINDS)
        if path:
            self.save(path)

    def _lay_out(self) -> None:
        self.restore_bar = RestoreBar()
        self.restore_bar.restore_requested.connect(self.restore)
        self.body.addWidget(self.restore_bar)
        form = QFormLayout()
        form.addRow("X-ray-only image", self.image_choice)
        form.addRow("Signal mask", self.mask_choice)
        form.addRow("When applied", self.how)
        self.body.addLayout(form)
        self.body.addWidget(make_section("Proposal", self.proposal, is_open=True))
        self.body.addWidget(make_section("Rules", self.rules))
        self.body.addWidget(make_section("Shapes and other masks", self.imprint))
        self.body.addWidget(make_section("Edit", self.edit, is_open=True))
        self.body.addWidget(self.coverage)
        self.add_copies(
            python=lambda: mask_as_python(self.viewer, self._image(), self.request),
            command=lambda: mask_as_command(self._image(), self.request),
        )
        self.add_button("New mask", self.make_mask, tip="Add an empty mask; paint in it with napari's own tools.")
        self.add_button("Apply preview", self.apply, tip="Put what is previewed into the mask. Ctrl+Z takes it back.")
