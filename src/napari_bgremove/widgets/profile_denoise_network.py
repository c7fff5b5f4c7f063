"""The curves of a network for the spectra that are shown: asked of the warm engine, the newest question counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.separation import Separation
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.profile_denoise_work import NORMS, Denoised, await_network

__all__ = ["NetworkCurves"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Question:
    model: str | None
    device: str
    spectra: tuple[Array, ...]

    def is_same(self, other: _Question) -> bool:
        """Tell whether it has the same answer."""
        return (self.model, self.device, len(self.spectra)) == (other.model, other.device, len(other.spectra)) and all(
            np.array_equal(one, two, equal_nan=True) for one, two in zip(self.spectra, other.spectra, strict=True)
        )


class NetworkCurves(QObject):
    """Remembers the newest answer; what has changed since is asked anew.

    Attributes
    ----------
    answered : Signal
    failed : Signal of mapping
        What the engine said; nothing is asked again until something changes.
    """

    answered = Signal()
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._asked: _Question | None = None
        self._number = 0
        self._reply: Letter | None = None

    def take(self, spectra: Sequence[Array], how: DenoisingMethod, *, chosen: str) -> list[Denoised]:
        """Return the curves of spectra, empty ones where the engine has yet to answer.

        Parameters
        ----------
        spectra : sequence of ndarray, shape (n,) each
        how : DenoisingMethod
            Of a network; both modes are asked for.
        chosen : {"fixed", "signal"}
            The mode that goes on.
        """
        question = _Question(how.model, how.device, tuple(spectra))
        if self._asked is None or not self._asked.is_same(question):
            self._asked, self._reply = question, None
            arrays = {str(place): measured for place, measured in enumerate(spectra)}
            plain = how.model_dump(mode="json")
            self._number = self._engine.ask(
                "denoise_signals", self._on_reply, arrays=arrays, how=plain, norms=list(NORMS)
            )
        if self._reply is None:
            return [await_network(measured, chosen) for measured in spectra]
        reply = self._reply
        return [_read_answer(reply, place, measured, chosen) for place, measured in enumerate(spectra)]

    def forget(self) -> None:
        """Ask anew even for the same."""
        self._asked = self._reply = None

    def _on_reply(self, reply: Letter) -> None:
        if reply.number != self._number:
            return
        if reply.kind == "failed":
            self.failed.emit(reply.values)
            return
        self._reply = reply
        self.answered.emit()


def _read_answer(reply: Letter, place: int, measured: Array, chosen: str) -> Denoised:
    parts, refusals = {}, {}
    for norm in NORMS:
        name = f"{place} {norm}"
        if name in reply.arrays:
            signal, record = reply.arrays[name], reply.values["records"][name]
            parts[norm] = Separation(signal, measured - signal, measured, provenance=record)
        else:
            refusals[norm] = reply.values["refusals"][name]
    return Denoised(parts, refusals, chosen=chosen)
