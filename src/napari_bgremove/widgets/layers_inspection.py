"""What hidden layers models are made of: asked of the warm engine, file by file, and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.spectra.layer_spectrum import LayerSpectrum, make_layer_spectrum
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.layer_table import LayerRow

__all__ = ["SIDES", "LayersInspection", "ModelLayers"]

#: Sides of a layer, and what they are called.
SIDES: Mapping[str, str] = {"into": "into its units", "out": "out of its units"}
_MOST_KEPT = 64  # epochs of a run that a slider goes over


class ModelLayers:
    """The layers of one model file.

    Parameters
    ----------
    described : sequence of mapping
        As `engine.layer_report.describe_layers` tells of them.

    Attributes
    ----------
    rows : tuple of LayerRow
    """

    def __init__(self, described: Sequence[Mapping[str, Any]]) -> None:
        names = LayerRow.__dataclass_fields__
        self.rows = tuple(LayerRow(**{name: layer[name] for name in names}) for layer in described)
        self._energies = {(layer["name"], side): layer[side]["energies"] for layer in described for side in SIDES}
        self.spectrum = lru_cache(maxsize=None)(self._draw)

    @property
    def alive_share(self) -> float:
        """Share of all units that are above 1 % of the rms on both sides."""
        return sum(row.alive for row in self.rows) / sum(row.units for row in self.rows)

    def _draw(self, layer: str, side: str) -> LayerSpectrum | None:
        """Return the spectrum of one side of a layer; None where the model has no such layer."""
        energies = self._energies.get((layer, side))
        return None if energies is None else make_layer_spectrum(energies)


class LayersInspection(QObject):
    """Asks for one file at a time, so that who moves a slider does not queue up questions.

    Attributes
    ----------
    inspected : Signal
        One more of the wanted files is known.
    failed : Signal of mapping
        What the engine said of a file that is not wanted any more now.
    """

    inspected = Signal()
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._known: dict[tuple[str, int], ModelLayers] = {}
        self._wanted: list[str] = []
        self._asked: str | None = None
        self._number = 0

    @property
    def is_busy(self) -> bool:
        """True while an answer is still to come."""
        return self._asked is not None

    def want(self, files: Sequence[str]) -> None:
        """Find out about these files, the first one first; those wanted before are not any more."""
        self._wanted = list(files)
        if not self.is_busy:
            self._ask_next()

    def find(self, file: str) -> ModelLayers | None:
        """Return what is known of a file as it is now; None while the engine has yet to answer."""
        return self._known.get(_key(file))

    def _ask_next(self) -> None:
        self._asked = next((file for file in self._wanted if self.find(file) is None), None)
        if self._asked is not None:
            self._number = self._engine.ask("inspect_layers", self._on_reply, model=self._asked)

    def _on_reply(self, reply: Letter) -> None:
        if reply.number != self._number or self._asked is None:
            return
        file, self._asked = self._asked, None
        if reply.kind == "failed":
            was_wanted = file in self._wanted
            self._wanted = [other for other in self._wanted if other != file]
            if was_wanted:
                self.failed.emit(reply.values)
        else:
            self._remember(file, ModelLayers(reply.values["layers"]))
            if file in self._wanted:
                self.inspected.emit()
        if not self.is_busy:  # who was told may have asked already
            self._ask_next()

    def _remember(self, file: str, layers: ModelLayers) -> None:
        self._known[_key(file)] = layers
        while len(self._known) > _MOST_KEPT:
            del self._known[next(iter(self._known))]


def _key(file: str) -> tuple[str, int]:
    """A file that is written anew has another key."""
    path = Path(file)
    return file, path.stat().st_mtime_ns if path.exists() else 0
