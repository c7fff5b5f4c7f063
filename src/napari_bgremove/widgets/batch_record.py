"""What a separation of many frames has told so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_bgremove._validation import describe_duration
from napari_bgremove.evaluation.triage import TriagedFrame, rank_frames

__all__ = ["BatchRecord"]


@dataclass
class BatchRecord:
    """Events in; frames, files and progress out. It knows no window.

    Attributes
    ----------
    inputs : sequence of str
        Files of the job.
    layer_name : str
        Names the frames where they are those of a layer; empty: their files do.
    files : dict of int to dict of str to str
        Result files of each input that is done, by part.
    verdicts : dict of (name, frame) to {"accepted", "rejected"}
    """

    inputs: Sequence[str] = ()
    layer_name: str = ""
    files: dict[int, dict[str, str]] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], str] = field(default_factory=dict)
    _done: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _trained_hit_share: float | None = None
    _at: float = 0.0  # inputs done, with the share of the one at hand
    _input: tuple[int, int] = (0, 1)  # input at hand, its frames
    _started: float = field(default_factory=time.monotonic)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in what the run says."""
        kind = event["event"]
        if kind == "started":
            self._trained_hit_share, self._started = event["trained_hit_share"], time.monotonic()
        elif kind == "input":
            self._input = event["index"], event["frames"]
            self._places[self._name(event["index"])] = event["index"]
        elif kind == "frame":
            self._done.append((self._name(self._input[0]), event["done"] - 1, dict(event)))
            self._at = self._input[0] + event["done"] / self._input[1]
        elif kind == "skipped" and "index" in event:
            self._done.append((event["name"], 0, {"skipped": event["reason"]}))
        elif kind == "written":
            self.files[event["index"]] = event["files"]

    @property
    def count(self) -> int:
        """How many frames are done."""
        return len(self._done)

    @property
    def frames(self) -> list[TriagedFrame]:
        """The frames that are done, the most suspicious first."""
        return rank_frames(self._done, trained_hit_share=self._trained_hit_share)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        return self._at / len(self.inputs) if self.inputs else 0.0

    @property
    def folder(self) -> str:
        """Where results were written; empty while there are none."""
        folders = sorted(str(Path(next(iter(files.values()))).parent) for files in self.files.values())
        return folders[0] if folders else ""

    def describe(self) -> str:
        """Say how far the run is, and how long it will take where that can be known."""
        elapsed = time.monotonic() - self._started
        is_known = elapsed > 1 and 0 < self.share < 1
        left = f", {describe_duration(elapsed * (1 - self.share) / self.share)} left" if is_known else ""
        return f"{self.count} frames separated{left}"

    def place(self, name: str) -> int | None:
        """Return which input has a name, once its results are written."""
        place = self._places.get(name)
        return place if place in self.files else None

    def ledger(self, name: str, frame: int) -> dict[str, Any]:
        """Return what the run said of a frame."""
        return next(figures for key, number, figures in self._done if (key, number) == (name, frame))

    def _name(self, index: int) -> str:
        return self.layer_name or Path(self.inputs[index]).name
