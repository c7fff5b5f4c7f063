"""Extract patches: signal from x-ray-only images, background from full shots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.layers
import numpy as np
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel

from napari_bgremove.images.patches import PatchSet, join_patch_sets
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.viewer_layers.geometry import current_frame, frame_shape
from napari_bgremove.viewer_layers.masks import mask_of
from napari_bgremove.viewer_layers.patches import show_gallery, show_pair
from napari_bgremove.widgets.copies import patches_as_command, patches_as_python
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_checks import LayerChecks
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.patch_drawings import Key, PatchDrawings
from napari_bgremove.widgets.patches_forms import NumbersForm, PairForm
from napari_bgremove.widgets.patches_work import Extraction, SourceImage, extract, make_pair
from napari_bgremove.workspace import workspace_of

__all__ = ["PatchesPanel"]

ROLES = ("signal", "background")


class PatchesPanel(Panel):
    """Training patches, seen where they come from (Starke & Smid, "Data preparation")."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        layers = napari_viewer.layers
        self.sources = {role: LayerChecks(layers, (napari.layers.Image,)) for role in ROLES}
        self.mask_choice = LayerCombo(layers, (napari.layers.Labels,), roles=("signal_mask",))
        self.form = NumbersForm()
        self.pair_form = PairForm()
        self.summary = QLabel("No patches yet.")
        self.summary.setWordWrap(True)
        self._sets: dict[Key, PatchSet] = {}
        self._keep: dict[Key, np.ndarray[Any, np.dtype[np.bool_]]] = {}
        self._leaks: dict[str, float] = {}
        self._drawings = PatchDrawings(napari_viewer, self.reject)
        self.connections.at_the_end(self._drawings.let_go)
        self._number = 0
        self._lay_out()
        self._work = LatestCall(extract, delay_ms=0, parent=self)
        self._work.returned.connect(self._on_extracted)
        self._work.failed.connect(self._on_failed)
        self.pair_form.changed.connect(self.preview_pair)

    @property
    def patch_sets(self) -> dict[str, PatchSet]:
        """What was extracted and not rejected, by role."""
        joined = {}
        for role in ROLES:
            kept = [_kept(patches, self._keep[key]) for key, patches in self._sets.items() if key[0] == role]
            if kept := [patches for patches in kept if len(patches)]:
                joined[role] = join_patch_sets(kept)
        return joined

    @reports_errors
    def extract(self) -> None:
        """Cut patches from the ticked images."""
        signal, background = self._ticked()
        mask = self.mask_choice.layer
        xray_only = [SourceImage(layer.name, current_frame(self.viewer, layer)) for layer in signal]
        full = [
            SourceImage(
                layer.name, current_frame(self.viewer, layer),
                None if mask is None else mask_of(mask, frame_shape(layer)),
            )
            for layer in background
        ]  # fmt: skip
        self._drawings.remember([*signal, *background])
        self.extract_button.setEnabled(False)
        self.extract_button.setText("Extracting...")
        self._work(xray_only, full, self.form.numbers)

    @reports_errors
    def save(self, folder: str | Path) -> None:
        """Write signal.npz and background.npz, as `bgremove train` reads them."""
        sets = self.patch_sets
        if len(sets) < 2:
            self.message.show_text("There are no patches to save: extract some first.")
            return
        for role, patches in sets.items():
            write_patch_set(Path(folder) / f"{role}.npz", patches)
        workspace_of(self.viewer).patch_folder = str(folder)
        self.message.show_text(f"Saved {', '.join(f'{len(p)} {r}' for r, p in sets.items())} patches in {folder}.")

    @reports_errors
    def preview_pair(self, *, another: bool = False) -> None:
        """Show the training input that a signal and a background patch make."""
        sets = self.patch_sets
        image = self._first_image()
        if len(sets) < 2 or image is None:
            return
        self._number += another
        pair = make_pair(
            sets["signal"], sets["background"], self._number, self.pair_form.amplitude, self.pair_form.normalization
        )
        show_pair(self.viewer, image, pair)

    @reports_errors
    def show_gallery(self) -> None:
        """Show a selection of the patches beside the image."""
        sets, image = self.patch_sets, self._first_image()
        if sets and image is not None:
            show_gallery(self.viewer, image, list(sets.values()))

    def reject(self, key: Key, number: int) -> None:
        """Reject a patch, or take it back."""
        self._keep[key][number] ^= True
        self._drawings.draw(key, self._sets[key], self._keep[key])
        self._summarise()

    def _on_extracted(self, extraction: Extraction) -> None:
        self._enable_extraction()
        self._sets = {("signal", name): patches for name, patches in extraction.signal.items()}
        self._sets |= {("background", name): patches for name, patches in extraction.background.items()}
        self._keep = {key: np.ones(len(patches), bool) for key, patches in self._sets.items()}
        self._leaks = extraction.leaks
        self._drawings.keep_only(self._sets)
        for key, patches in self._sets.items():
            self._drawings.draw(key, patches, self._keep[key])
        self._summarise()
        self.preview_pair()

    def _on_failed(self, error: BaseException) -> None:
        self._enable_extraction()
        self.message.show_error(error)

    def _enable_extraction(self) -> None:
        self.extract_button.setEnabled(True)
        self.extract_button.setText("Extract")

    def _summarise(self) -> None:
        counts = [f"{len(patches)} {role} patches" for role, patches in self.patch_sets.items()]
        rejected = sum(int((~keep).sum()) for keep in self._keep.values())
        remarks = {r for p in self._sets.values() if (r := str(p.metadata.get("remark", "")))}
        leaks = [
            f"{name}: {leak:.1%} of the signal lies outside the mask ({_judge(leak)})"
            for name, leak in self._leaks.items()
        ]
        self.summary.setText("; ".join([", ".join(counts), f"{rejected} rejected", *remarks, *leaks]) + ".")

    def _first_image(self) -> Any | None:
        return next((image for _, name in self._sets if (image := self._drawings.image(name)) is not None), None)

    def _ticked(self) -> tuple[list[Any], list[Any]]:
        signal, background = (self.sources[role].ticked for role in ROLES)
        if not signal or not background:
            msg = "Tick at least one x-ray-only image and one full shot."
            raise ValueError(msg)
        return signal, background

    def _ask_and_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the patch sets")
        if folder:
            self.save(folder)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("X-ray-only images", self.sources["signal"])
        form.addRow("Full shots", self.sources["background"])
        form.addRow("Signal mask", self.mask_choice)
        self.body.addLayout(form)
        self.body.addWidget(make_section("Numbers", self.form, is_open=True))
        self.body.addWidget(make_section("What the network will see", self.pair_form))
        self.body.addWidget(self.summary)
        self.add_copies(
            python=lambda: patches_as_python(self.viewer, self._ticked(), self.mask_choice.layer, self.form.numbers),
            command=lambda: patches_as_command(self._ticked(), self.mask_choice.layer, self.form.numbers),
        )
        self.extract_button = self.add_button(
            "Extract", self.extract, tip="Click a rectangle in the image to reject it."
        )
        self.add_button("Gallery", self.show_gallery, tip="Show some of the patches beside the image.")
        self.add_button("Another pair", lambda: self.preview_pair(another=True), tip="Draw another training pair.")
        self.add_button("Save...", self._ask_and_save, tip="Write signal.npz and background.npz for training.")


def _kept(patches: PatchSet, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> PatchSet:
    return PatchSet(
        patches.patches[keep], patches.role, patches.positions[keep], patches.angles[keep], patches.shots[keep],
        patches.shot_names, {**patches.metadata, "rejected": int((~keep).sum())},
    )  # fmt: skip


def _judge(leak: float) -> str:
    return "good" if leak < 0.01 else "look again" if leak < 0.05 else "the mask is too small"
