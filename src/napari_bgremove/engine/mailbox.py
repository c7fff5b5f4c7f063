"""Questions and answers between a viewer and its warm engine, as files in a folder.

requests/NNNNNN.json (+ .npz with the arrays)   written by the viewer
replies/NNNNNN.json  (+ .npz)                   written by the engine
owner                                           process of the viewer; without it the engine ends

Files and no pipe: a child whose parent was killed dies of a broken pipe, and a
parent that reads a pipe can be made to wait.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove.io.processes import is_alive, start_time

__all__ = ["Letter", "Mailbox"]


@dataclass(frozen=True)
class Letter:
    """A request or a reply: what it is about, plain values, and arrays."""

    number: int
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Mailbox:
    """A folder with requests and replies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def own(self) -> None:
        """Write down that this process asks; the engine ends when it is gone."""
        pid = os.getpid()
        atomic_write(self.path / "owner", json.dumps({"pid": pid, "started": start_time(pid)}))

    @property
    def has_owner(self) -> bool:
        """True while the process that asks is alive."""
        try:
            owner = json.loads((self.path / "owner").read_text())
        except (OSError, ValueError):
            return False
        return is_alive(int(owner["pid"]), float(owner["started"]))

    def request(self, letter: Letter) -> None:
        """Ask."""
        self._post("requests", letter)

    def reply(self, letter: Letter) -> None:
        """Answer the request of that number."""
        self._post("replies", letter)

    def take_requests(self) -> list[Letter]:
        """Return and remove what was asked since, in order."""
        return self._take("requests")

    def take_replies(self) -> list[Letter]:
        """Return and remove what was answered since, in order."""
        return self._take("replies")

    def _post(self, box: str, letter: Letter) -> None:
        stem = self.path / box / f"{letter.number:06d}"
        if letter.arrays:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **letter.arrays)
            atomic_write(stem.with_suffix(".npz"), buffer.getvalue(), durable=False)
        # No letter outlives its engine, so the window need not wait for the disk.
        # The text comes last: who sees it finds the arrays whole.
        text = json.dumps({"kind": letter.kind, "values": dict(letter.values), "arrays": sorted(letter.arrays)})
        atomic_write(stem.with_suffix(".json"), text, durable=False)

    def _take(self, box: str) -> list[Letter]:
        letters = []
        for path in sorted((self.path / box).glob("*.json")):
            text = json.loads(path.read_text(encoding="utf-8"))
            arrays: dict[str, NDArray[Any]] = {}
            if text["arrays"]:
                with np.load(io.BytesIO(path.with_suffix(".npz").read_bytes()), allow_pickle=False) as file:
                    arrays = dict(file)
                path.with_suffix(".npz").unlink()
            path.unlink()
            letters.append(Letter(int(path.stem), text["kind"], text["values"], arrays))
        return letters
