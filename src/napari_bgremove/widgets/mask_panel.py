"""Mask signal regions: propose, paint, imprint, save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel

from napari_bgremove.images.mask_rules import COMBINATIONS, combine_masks
from napari_bgremove.images.masks import grow_mask
from napari_bgremove.io.autosave import SavedMask
from napari_bgremove.io.masks import read_mask
from napari_bgremove.viewer_layers.geometry import frame_shape
from napari_bgremove.viewer_layers.masks import mask_of, rasterize_shapes
from napari_bgremove.widgets.copies import mask_as_command, mask_as_python
from napari_bgremove.widgets.mask_autosave import RestoreBar
from napari_bgremove.widgets.mask_forms import EditForm, ImprintForm, ProposalForm, RulesForm, request_of
from napari_bgremove.widgets.mask_preview import MaskPreview
from napari_bgremove.widgets.mask_target import MaskTarget
from napari_bgremove.widgets.mask_work import MaskRequest, measure_coverage, save_mask
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.layer_watch import MASK_EDITS, watch_chosen

__all__ = ["MaskPanel"]

APPLY_TIP = "Put what is previewed into the mask. Ctrl+Z takes it back."
Mask = NDArray[np.bool_]


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
        self.target = MaskTarget(napari_viewer, self.image_choice, self.mask_choice)
        self.keeper = self.target.keeper
        self._preview = MaskPreview(napari_viewer, parent=self)
        self._count = LatestCall(measure_coverage, delay_ms=200, parent=self)
        self._is_away = False
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(0)
        self._connect()

    @property
    def request(self) -> MaskRequest:
        """What is ticked."""
        return request_of(self.proposal, self.rules)

    @reports_errors
    def make_mask(self) -> None:
        """Add an empty mask for the chosen image."""
        self.target.add()

    @reports_errors
    def apply(self) -> None:
        """Put what is previewed into the mask."""
        if self.request.is_empty:
            self.message.show_text("Nothing is ticked: show the proposal or tick a rule first.")
            return
        if self._preview.mask is None:  # it failed, or nobody has asked for it yet
            self._preview.show(self.request, self.target.image)
            self.message.show_text("The preview is still being computed: apply it when it shows.")
            return
        self._combine(self._preview.mask)
        for form in (self.proposal, self.rules):
            form.untick()  # what is in the mask now needs no preview on top of it

    @reports_errors
    def imprint_shapes(self) -> None:
        """Put the pixels inside the drawn shapes into the mask."""
        if self.shapes_choice.layer is None:
            self.message.show_text("There is no shapes layer: draw rectangles, ellipses or polygons in one first.")
            return
        self._combine(rasterize_shapes(self.shapes_choice.layer, self.target.image))

    @reports_errors
    def combine(self) -> None:
        """Combine the mask with another one."""
        if self.other_choice.layer is None:
            self.message.show_text("There is no other mask to combine with.")
            return
        self._combine(mask_of(self.other_choice.layer, frame_shape(self.target.image)))

    @reports_errors
    def invert(self) -> None:
        """Exchange inside and outside."""
        self.target.edit(~self.target.mask)

    @reports_errors
    def clear(self) -> None:
        """Empty the mask."""
        self.target.edit(np.zeros_like(self.target.mask))

    @reports_errors
    def grow(self, radius: int) -> None:
        """Grow the mask by a radius, or shrink it by one below zero."""
        self.target.edit(grow_mask(self.target.mask, radius))

    @reports_errors
    def load(self, path: str | Path) -> None:
        """Read a mask file into the mask."""
        mask = read_mask(path, shape=frame_shape(self.target.image))
        self.target.edit(mask)
        self.message.show_text(f"Loaded {Path(path).name}: {mask.mean():.1%} of the pixels.")

    @reports_errors
    def save(self, path: str | Path) -> None:
        """Write the mask, read it back, and only then say so."""
        written = save_mask(path, self.target.mask)
        self.message.show_text(f"Saved {written.name}, and read it back.")

    @reports_errors
    def restore(self, saved: SavedMask) -> None:
        """Add a mask that was left by a crash as a layer of its own."""
        self.target.add_restored(saved)
        self.restore_bar.forget(saved)

    def _combine(self, other: Mask) -> None:
        self.target.edit(combine_masks(self.target.mask, other, self.how.currentText()))

    def _connect(self) -> None:
        for form in (self.proposal, self.rules):
            form.changed.connect(self._on_request_changed)
        self._preview.changed.connect(self._on_preview_changed)
        self._preview.failed.connect(self.message.show_error)
        self._count.returned.connect(lambda coverage: self.coverage.setText(str(coverage)))
        self.imprint.shapes_requested.connect(self.imprint_shapes)
        self.imprint.other_mask_requested.connect(self.combine)
        self.edit.invert_requested.connect(self.invert)
        self.edit.clear_requested.connect(self.clear)
        self.edit.grow_requested.connect(self.grow)
        self.edit.load_requested.connect(self.load)
        self.edit.save_requested.connect(self.save)
        self.edit.patch_changed.connect(self._on_mask_edited)
        self._refresh.timeout.connect(self._on_request_changed)
        # Later: while napari tells of new data or layers its own picture of them is the old one.
        watch_chosen(self.image_choice, ("data",), self.connections, self._refresh.start)
        watch_chosen(self.mask_choice, MASK_EDITS, self.connections, self._on_mask_edited)
        self.connections.connect(self.viewer.dims.events.current_step, self._on_frame_changed)

    def _on_request_changed(self) -> None:
        if self._is_away:
            return
        if self.request.is_empty or self.image_choice.layer is None:
            self._preview.hide()
        else:
            self._preview.show(self.request, self.image_choice.layer)

    def _on_frame_changed(self, _event: Any = None) -> None:
        # Takes no layer away: napari moves the sliders in the midst of taking a layer in.
        if not self.request.is_empty:
            self._on_request_changed()

    def _on_preview_changed(self) -> None:
        """What is applied is what is seen: not before it is there."""
        self.apply_button.setEnabled(not self._preview.is_busy)
        self.apply_button.setToolTip("The preview is being computed." if self._preview.is_busy else APPLY_TIP)

    def _on_mask_edited(self) -> None:
        if self.mask_choice.layer is None:
            self.coverage.setText("No mask yet.")
        elif self.mask_choice.layer.ndim == 2:
            self._count(mask_of(self.mask_choice.layer), self.edit.patch.value())

    def hideEvent(self, event: Any) -> None:
        """Take the preview along: it belongs to the panel, not to the person."""
        self._is_away = True
        self._preview.hide()
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:
        """Bring the preview back."""
        super().showEvent(event)
        self._is_away = False
        self._on_request_changed()

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
            python=lambda: mask_as_python(self.viewer, self.target.image, self.request),
            command=lambda: mask_as_command(self.target.image, self.request),
        )
        self.add_button("New mask", self.make_mask, tip="Add an empty mask; paint in it with napari's own tools.")
        self.apply_button = self.add_button("Apply preview", self.apply, tip=APPLY_TIP)
