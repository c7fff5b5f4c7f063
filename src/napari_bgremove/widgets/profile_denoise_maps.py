"""Denoise every row of an image, map or stack in the warm engine, block by block, and put what comes as layers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.errors import NoUsablePixelsError
from napari_bgremove.images.gate import gate_image
from napari_bgremove.viewer_layers.denoised_layers import put_denoised
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.profile_denoise_form import DenoiseForm
from napari_bgremove.widgets.profile_denoise_work import name_method
from napari_bgremove.widgets.spectra_progress import CANCELLED
from napari_bgremove.widgets.spectra_turns import MOST_GROWTH, TURN_SECONDS

__all__ = ["DenoisedImages"]

Values = NDArray[np.float32]
# Of a letter: the first, to find out the pace, and the largest one, which the window has to write.
_FIRST_SAMPLES, _MOST_SAMPLES = 2**14, 2**18


@dataclass(eq=False)
class _Work:
    """What is being denoised, and how far it is."""

    image: Any
    axis: int
    how: DenoisingMethod
    name: str
    shape: tuple[int, ...]  # of the image, its signals along the last axis
    rows: Values
    denoised: Values
    rows_done: int = 0
    block: int = 1
    asked_at: float = 0.0
    sigma: list[NDArray[np.float64]] = field(default_factory=list)
    lost: int = 0
    reason: str = ""
    record: dict[str, Any] = field(default_factory=dict)

    def take(self, reply: Letter) -> float:
        """Take a block that has come, choose the size of the next one, and return the seconds that are left."""
        record, count = dict(reply.values["record"]), len(reply.arrays["denoised"])
        self.denoised[self.rows_done : self.rows_done + count] = reply.arrays["denoised"]
        self.sigma.append(reply.arrays["sigma"])
        without = record.pop("without_result", {"count": 0, "reason": ""})
        self.lost, self.reason = self.lost + without["count"], self.reason or without["reason"]
        self.record = {name: value for name, value in record.items() if name not in ("found", "seconds")}
        self.rows_done += count
        pace = (time.monotonic() - self.asked_at) / count
        wanted = min(round(count * TURN_SECONDS / max(float(record["seconds"]), 1e-3)), MOST_GROWTH * count)
        self.block = max(1, min(wanted, _MOST_SAMPLES // self.rows.shape[-1]))
        return pace * (len(self.rows) - self.rows_done)

    @property
    def noise(self) -> float:
        """Of the signals as they were measured, their median."""
        sigma = np.concatenate(self.sigma)
        return float(np.median(sigma[np.isfinite(sigma)])) if np.isfinite(sigma).any() else np.nan

    def describe(self) -> str:
        """Say what became of the signals."""
        count = len(self.rows)
        text = f"{count - self.lost} of {count} signals denoised; their noise is {self.noise:.4g} (median)."
        return f"{text} The others have no result, the first because: {self.reason}" if self.lost else text


class DenoisedImages(QObject):
    """One image at a time; it can be cancelled after each block.

    Parameters
    ----------
    viewer : napari.Viewer
    engine : EngineLink
    form : DenoiseForm
        Says how, and shows how far.
    image : callable
        Returns the layer and a mask of its usable pixels or None; raises
        ValueError, in a sentence, where there is none.

    Attributes
    ----------
    failed : Signal of mapping
        What the engine said.
    raised : Signal of Exception
        Why the image could not be read.
    """

    failed = Signal(object)
    raised = Signal(object)

    def __init__(
        self, viewer: Any, engine: EngineLink, form: DenoiseForm, image: Callable[[], Any], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer, self._engine, self._form, self._image = viewer, engine, form, image
        self._work: _Work | None = None
        self._chosen: tuple[Any, ...] = ()
        self._asked: dict[int, _Work] = {}
        self.has_image = True
        self._reading = LatestCall(read_rows, delay_ms=0, parent=self)
        self._reading.returned.connect(self._on_read)
        self._reading.failed.connect(self._on_unreadable)
        form.progress.cancel_requested.connect(self.cancel)
        self.refresh()

    @property
    def is_busy(self) -> bool:
        """True until it has finished, failed or been cancelled."""
        return bool(self._chosen)

    def start(self) -> None:
        """Denoise every signal of the layer."""
        how, axis = self._form.how, self._form.axis
        image, usable = self._image()
        if image.data.ndim + axis < 0:
            msg = f"'{image.name}' must have frames for signals to run through them; found {image.data.ndim} axes."
            raise ValueError(msg)
        norm = self._form.chosen_norm
        if how.model is not None:
            how = how.model_copy(update={"norm": norm})
        self._chosen = image, axis, how, name_method(how, how.method if how.model is None else norm)
        self._form.progress.begin("Reading the image...")
        self.refresh()
        self._reading(image.data, axis, usable)

    def cancel(self) -> None:
        """Ask for no more; the block at hand is thrown away when it comes."""
        self._reading.cancel()
        self._end(CANCELLED)

    def offer(self, on: bool) -> None:
        """Offer it where spectra come from an image, or do not."""
        self.has_image = on
        self.refresh()

    def refresh(self) -> None:
        """Let a person begin, or cancel, as things stand."""
        self._form.allow_all(is_image=self.has_image, is_busy=self.is_busy)

    def _on_read(self, moved: Values) -> None:
        image, axis, how, name = self._chosen
        rows = moved.reshape(-1, moved.shape[-1])
        block = max(1, _FIRST_SAMPLES // rows.shape[-1])
        self._work = _Work(image, axis, how, name, moved.shape, rows, np.empty_like(rows), block=block)
        self._ask(self._work)

    def _ask(self, work: _Work) -> None:
        block = work.rows[work.rows_done : work.rows_done + work.block]
        work.asked_at = time.monotonic()
        plain = work.how.model_dump(mode="json")
        number = self._engine.ask("denoise_block", self._on_reply, arrays={"measured": block}, how=plain)
        self._asked[number] = work

    def _on_reply(self, reply: Letter) -> None:
        work = self._asked.pop(reply.number, None)
        self._asked = {number: asked for number, asked in self._asked.items() if number > reply.number}
        if work is None or work is not self._work:
            return
        if reply.kind == "failed":
            self._end("")
            self.failed.emit(reply.values)
            return
        left = work.take(reply)
        self._form.progress.show_progress(work.rows_done, len(work.rows), left)
        if work.rows_done < len(work.rows):
            self._ask(work)
        else:
            self._finish(work)

    def _finish(self, work: _Work) -> None:
        denoised, measured = (np.moveaxis(p.reshape(work.shape), -1, work.axis) for p in (work.denoised, work.rows))
        if work.lost == len(work.rows):
            self._end(f"No signal can be denoised: {work.reason}")
        elif work.image not in self._viewer.layers or work.image.data.shape != denoised.shape:
            self._end("The image is gone, or another one by now; no layer was made.")
        else:
            record = {**work.record, "axis": work.axis, "sigma_median": work.noise, "without_result": work.lost}
            put_denoised(self._viewer, work.image, denoised, measured - denoised, method=work.name, record=record)
            self._end(work.describe())

    def _on_unreadable(self, error: Exception) -> None:
        self._end("")
        self.raised.emit(error)

    def _end(self, text: str) -> None:
        self._work, self._chosen = None, ()
        self._form.say(text)
        self.refresh()


def read_rows(data: Any, axis: int, usable: NDArray[np.bool_] | None) -> Values:
    """Read an image, map or stack, and return it with its signals along the last axis; NaN where it is not usable."""
    gated = np.full(data.shape, np.nan, np.float32)
    for frame in np.ndindex(data.shape[:-2]):
        try:
            gated[frame] = gate_image(np.asarray(data[frame]), valid_mask=usable).values
        except NoUsablePixelsError:  # of this frame; others may have some
            continue
    return np.ascontiguousarray(np.moveaxis(gated, axis, -1))
