"""Separate one frame from a panel: the question to the warm engine, its answer as layers beside the image."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.viewer_layers.frames import saturation_of
from napari_bgremove.viewer_layers.geometry import current_frame, frame_index, frame_shape, view_of
from napari_bgremove.viewer_layers.results import put_separation
from napari_bgremove.widgets.engine_link import EngineLink

__all__ = ["FrameWork"]

VIEW = ", view"  # ends the names of what is only a part of a frame


@dataclass(frozen=True)
class _Question:
    image: weakref.ref[Any]
    shape: tuple[int, int]
    index: tuple[int, ...]
    corner: tuple[int, ...]
    options: dict[str, Any]
    residual: bool
    kev_per_unit: float | None


class FrameWork(QObject):
    """What happens between the panel, the engine and the viewer; of several questions only the newest is answered."""

    measured = Signal(object, object, object)  # layer, index of the frame, its ledger
    ended = Signal(str, str)  # a sentence and details, both empty when all went well

    def __init__(self, viewer: Any, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._engine = viewer, engine
        self._question: _Question | None = None

    def start(
        self, image: Any, *, model: str, device: str, options: dict[str, Any], residual: bool,
        kev_per_unit: float | None, view_only: bool = False,
    ) -> None:  # fmt: skip
        """Ask for the shown frame of an image, or for what of it is on the screen."""
        corner: tuple[int, ...] = ()
        frame = current_frame(self._viewer, image)
        if view_only:
            rows, columns = view_of(image)
            frame, corner = frame[rows, columns], (rows.start, columns.start)
        question = _Question(
            weakref.ref(unwrapped(image)), frame_shape(image), frame_index(self._viewer, image), corner,
            options, residual, kev_per_unit,
        )  # fmt: skip
        self._engine.ask(
            "separate", self._on_answered, arrays={"image": np.asarray(frame)}, model=model, device=device,
            saturation=saturation_of(image), **options,
        )  # fmt: skip
        self._question = question  # only now: one that cannot be asked (a full disk) leaves all as it was

    def _on_answered(self, reply: Letter) -> None:
        question = self._question
        assert question is not None
        if reply.kind == "failed":
            self.ended.emit(reply.values["message"], reply.values.get("details", ""))
            return
        image = question.image()
        if image is None or image not in self._viewer.layers:
            self.ended.emit("The image is gone; its result was dropped.", "")
        elif frame_shape(image) != question.shape:
            self.ended.emit("The image shows something else now; the result was dropped.", "")
        else:
            self.ended.emit(" ".join(reply.values.get("notes", ())), "")
            self._put(image, question, reply)

    def _put(self, image: Any, question: _Question, reply: Letter) -> None:
        parts = {name: reply.arrays[name] for name in ("background", "signal", "uncertainty")}
        if question.residual:
            parts["residual"] = reply.arrays["measured"] - parts["signal"] - parts["background"]
        record = {
            "method": "saxs_unet", "model": reply.values["file"], "tensors_sha256": reply.values["sha256"],
            "frame": list(question.index), "options": question.options, "ledger": reply.values["ledger"],
        }  # fmt: skip
        suffix = VIEW if question.corner else ""
        put_separation(self._viewer, image, parts, record=record, corner=question.corner, suffix=suffix)
        if not question.corner:  # the sums of a part are not those of the frame
            self.measured.emit(image, question.index, _in_its_unit(image, question, reply.values))


def _in_its_unit(image: Any, question: _Question, values: Mapping[str, Any]) -> dict[str, Any]:
    own = image.metadata.get("napari_bgremove", {})
    kev = question.kev_per_unit or own.get("kev_per_unit")
    sums = {name: value * (kev or 1.0) for name, value in values["ledger"].items()}
    return {**sums, "unit": "keV" if kev else own.get("unit", "unit of the image"), "seconds": values["seconds"]}
