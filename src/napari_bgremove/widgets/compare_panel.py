"""Compare: before and after, by curtain, by flipping, side by side, in numbers, over rings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari.layers
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QCheckBox, QFormLayout, QLabel, QWidget

from napari_bgremove._validation import describe_shape
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.regions import measure_region
from napari_bgremove.viewer_layers.curtain import Curtain
from napari_bgremove.viewer_layers.geometry import current_frame, frame_shape
from napari_bgremove.viewer_layers.masks import rasterize_shapes
from napari_bgremove.viewer_layers.results import PARTS
from napari_bgremove.viewer_layers.visibility import show_in_grid
from napari_bgremove.widgets.copies import profiles_as_python
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_button, make_section
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.parts.viewer_keys import bind_key
from napari_bgremove.widgets.rings_form import RingsForm, profile_images

__all__ = ["ComparePanel"]

FLIP_KEY = "K"


class ComparePanel(Panel):
    """What was taken away, and what is left."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        layers = napari_viewer.layers
        self.before_choice = LayerCombo(layers, (napari.layers.Image,))
        self.after_choice = LayerCombo(layers, (napari.layers.Image,), roles=tuple(PARTS))
        self.region_choice = LayerCombo(layers, (napari.layers.Shapes,))
        self.rings = RingsForm(LayerCombo(layers, (napari.layers.Points,)))
        self.show_curtain = QCheckBox("Curtain: drag the yellow line")
        self.side_by_side = QCheckBox("Side by side")
        self.numbers = QLabel()
        self.numbers.setWordWrap(True)
        self.curtain: Curtain | None = None
        self._leave_grid: Callable[[], None] | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(0)
        self._redraw.timeout.connect(self.update_curtain)
        self._is_away = False
        self._lay_out()
        self._profile = LatestCall(profile_images, delay_ms=0, parent=self)
        self._profile.returned.connect(self.rings.show_profiles)
        self._profile.failed.connect(self.message.show_error)
        self.rings.profiles_requested.connect(self.draw_profiles)
        self.rings.copy_requested.connect(self.copy_profiles)
        self.show_curtain.toggled.connect(self._on_curtain)
        self.side_by_side.toggled.connect(self._on_side_by_side)
        for choice in (self.before_choice, self.after_choice):
            choice.layer_changed.connect(lambda _: self.update_curtain())
        self.connections.connect(layers.events.removed, self._on_layer_removed)
        self.connections.at_the_end(bind_key(napari_viewer, FLIP_KEY, self.flip))

    @reports_errors
    def update_curtain(self) -> None:
        """Draw the curtain anew, or take it away."""
        self._close_curtain()
        before, after = self.before_choice.layer, self.after_choice.layer
        if self._is_away or not self.show_curtain.isChecked() or before is None or after is None or before is after:
            return
        _check_sizes(before, after)
        self.curtain = Curtain(self.viewer, before, after)
        self.connections.at_the_end(self.curtain.close)
        for layer in (before, after):
            self.connections.connect(layer.events.data, self._on_data_replaced)

    @reports_errors
    def flip(self) -> None:
        """Show the next of the measured image and its parts, in the same place and contrast."""
        group = self._group()
        if len(group) < 2:
            self.message.show_text("There is nothing to flip through: separate the image first.")
            return
        for tick in (self.show_curtain, self.side_by_side):
            tick.setChecked(False)
        shown = next((i for i, layer in reversed(list(enumerate(group))) if layer.visible), -1)
        following = group[(shown + 1) % len(group)]
        for layer in group:
            layer.visible = layer is following
        self.message.show_text(f"Shown: {following.name} ({FLIP_KEY} for the next)")

    @reports_errors
    def measure(self) -> None:
        """Compare sums and means in the drawn region, or over the whole image."""
        before, after = self._pair()
        images = [gate_image(current_frame(self.viewer, layer)).values for layer in (before, after)]
        shapes = self.region_choice.layer
        region = None if shapes is None else rasterize_shapes(shapes, before)
        if region is not None and not region.any():
            self.message.show_text("The drawn region lies outside the image: move it, or remove the shapes.")
            return
        first, second = (measure_region(image, region) for image in images)
        difference = measure_region(images[0] - images[1], region)
        where = f"in the region ({first['pixels']:.0f} px)" if region is not None else "over the image"
        lines = [
            f"{name}: sum {m['sum']:,.6g}, mean {m['mean']:.5g}, std {m['std']:.5g}, max {m['max']:.5g}"
            for name, m in ((before.name, first), (after.name, second), ("difference", difference))
        ]
        share = difference["sum"] / first["sum"] if first["sum"] else float("nan")
        self.numbers.setText("\n".join([f"{where}:", *lines, f"taken away: {share:.2%}"]))

    @reports_errors
    def draw_profiles(self) -> None:
        """Draw the mean over rings about the beam centre, or over q by a PONI file, before and after."""
        before, after = self._pair()
        how = self._rings_about(before)
        self._profile({layer.name: np.asarray(current_frame(self.viewer, layer)) for layer in (before, after)}, **how)

    @reports_errors
    def copy_profiles(self) -> None:
        """Put a script on the clipboard that makes the profiles without a window."""
        before, after = self._pair()
        QApplication.clipboard().setText(profiles_as_python(self.viewer, (before, after), self._rings_about(before)))
        self.message.show_text("The script is on the clipboard.")

    def _rings_about(self, image: Any) -> dict[str, Any]:
        """Return over what to average, as `profile_images` takes it."""
        if self.rings.poni:
            return {"poni": self.rings.poni}
        points = self.rings.centre_choice.layer
        if points is None or len(points.data) == 0:
            msg = "Add a points layer and click the beam centre first, or choose a PONI file."
            raise ValueError(msg)
        centre = np.asarray(image.world_to_data(points.data_to_world(points.data[-1])))[-2:]
        return {"centre": (float(centre[0]), float(centre[1])), "width": self.rings.ring_width.value()}

    def _pair(self) -> tuple[Any, Any]:
        before, after = self.before_choice.layer, self.after_choice.layer
        if before is None or after is None:
            msg = "There are no two images to compare: separate one first."
            raise ValueError(msg)
        _check_sizes(before, after)
        return before, after

    def _group(self) -> list[Any]:
        """The measured image and its parts, in the order of the parts."""
        before = self.before_choice.layer
        if before is None:
            return []
        ours = {
            record["role"]: layer
            for layer in self.viewer.layers
            if (record := layer.metadata.get("napari_bgremove", {})).get("of_layer") == str(before.unique_id)
            or record.get("of") == before.name
        }
        return [before, *(ours[part] for part in PARTS if part in ours and part != "uncertainty")]

    def _on_curtain(self, on: bool) -> None:
        if on:
            self.side_by_side.setChecked(False)
        self.update_curtain()

    def _on_side_by_side(self, on: bool) -> None:
        if self._leave_grid is not None:
            self.connections.forget(self._leave_grid)
            self._leave_grid()
            self._leave_grid = None
        if on:
            self.show_curtain.setChecked(False)
            self._leave_grid = show_in_grid(self.viewer, self._group())
            self.connections.at_the_end(self._leave_grid)

    def _on_layer_removed(self, _event: Any = None) -> None:
        if self.curtain is not None and not self.curtain.is_alive:
            self.show_curtain.setChecked(False)

    def _on_data_replaced(self, _event: Any = None) -> None:
        # Later: while napari still tells of new data its own picture of the layers is the old one.
        self._redraw.start()

    def _close_curtain(self) -> None:
        if self.curtain is None:
            return
        curtain, self.curtain = self.curtain, None  # its layers must not look as if a person removed them
        self.connections.forget(curtain.close)
        self.connections.disconnect_by(self._on_data_replaced)
        curtain.close()

    def hideEvent(self, event: Any) -> None:
        """The curtain belongs to the panel."""
        self._is_away = True
        self._close_curtain()
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:
        """Bring the curtain back."""
        super().showEvent(event)
        self._is_away = False
        self.update_curtain()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Before", self.before_choice)
        form.addRow("After", self.after_choice)
        self.body.addLayout(form)
        for tick in (self.show_curtain, self.side_by_side):
            self.body.addWidget(tick)
        region = QWidget()
        rows = QFormLayout(region)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Region", self.region_choice)
        rows.addRow(make_button("Measure", self.measure))
        self.body.addWidget(make_section("In numbers", region, is_open=True))
        self.body.addWidget(self.numbers)
        self.body.addWidget(make_section("Over rings", self.rings, is_open=True))
        self.add_button(f"Flip ({FLIP_KEY})", self.flip, tip="Measured, signal, background, residual in turn.")


def _check_sizes(before: Any, after: Any) -> None:
    if frame_shape(after) != frame_shape(before):
        msg = (
            f"'{after.name}' must have the size of '{before.name}' ({describe_shape(frame_shape(before))} px) to be "
            f"compared with it; found {describe_shape(frame_shape(after))}. Separate the whole frame, or choose two "
            "images of one size."
        )
        raise ValueError(msg)
