"""Units taken out of a model by the warm engine: predicted first, then written to a new file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.widgets.engine_link import EngineLink

__all__ = ["LayersRemoval", "RemovalQuestion"]


@dataclass(frozen=True)
class RemovalQuestion:
    """Which units are to go, and how that is judged.

    Attributes
    ----------
    model : str
        File.
    share : float
        Of all hidden units that stay.
    rule : str
        As `learning.unit_removal.rank_units` takes it.
    judge : mapping or None
        What the error is measured on; None for sizes alone.
    """

    model: str
    share: float
    rule: str
    judge: dict[str, Any] | None

    @property
    def values(self) -> dict[str, Any]:
        """It as the engine takes it."""
        return {"model": self.model, "share": self.share, "rule": self.rule, "judge": self.judge}


class LayersRemoval(QObject):
    """Asks for one thing at a time.

    Attributes
    ----------
    predicted : Signal of mapping
    written : Signal of mapping
    ended : Signal
        It is there, has failed, or is not wanted any more.
    failed : Signal of mapping
        What the engine said.
    """

    predicted = Signal(object)
    written = Signal(object)
    ended = Signal()
    failed = Signal(object)

    def __init__(self, engine: EngineLink, parent: QObject) -> None:
        super().__init__(parent)
        self._engine = engine
        self._number: int | None = None
        self._question: RemovalQuestion | None = None
        self.prediction_of: RemovalQuestion | None = None

    @property
    def is_busy(self) -> bool:
        """True while an answer is still to come."""
        return self._number is not None

    def predict(self, question: RemovalQuestion) -> None:
        """Ask what would stay, how large it would be, and what error it would have."""
        self._question, self.prediction_of = question, None
        self._number = self._engine.ask("predict_removal", self._on_predicted, **question.values)

    def write(self, out: str) -> None:
        """Write the model that was predicted to a new file.

        Raises
        ------
        ValueError
            When nothing was predicted.
        """
        if self.prediction_of is None:
            msg = "Predict first: what a removal costs is shown before anything is written."
            raise ValueError(msg)
        self._number = self._engine.ask("remove_units", self._on_written, out=out, **self.prediction_of.values)

    def forget(self) -> None:
        """Forget what was asked and predicted: it is another model."""
        self._number = self._question = self.prediction_of = None
        self.ended.emit()

    def _on_predicted(self, reply: Letter) -> None:
        if self._take(reply):
            self.prediction_of = self._question
            self.predicted.emit(reply.values)
            self.ended.emit()

    def _on_written(self, reply: Letter) -> None:
        if self._take(reply):
            self.written.emit(reply.values)
            self.ended.emit()

    def _take(self, reply: Letter) -> bool:
        """Tell whether a reply is the awaited one, and no failure."""
        if reply.number != self._number:
            return False
        self._number = None
        if reply.kind != "failed":
            return True
        self.failed.emit(reply.values)
        self.ended.emit()
        return False
