"""The viewer's side of its warm engine: ask, look for answers, never wait."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_bgremove.engine.launch import end_process, start_server
from napari_bgremove.engine.mailbox import Letter, Mailbox

__all__ = ["EngineClient"]


class EngineClient:
    """Asks an engine that is started when it is needed, and again when it is gone.

    Parameters
    ----------
    threads : int, optional
        CPU threads of the engine; by default one less than there are cores.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = threads
        self._folder = Path(tempfile.mkdtemp(prefix="napari-bgremove-"))
        self._mailbox = Mailbox(self._folder)
        self._mailbox.own()
        self._process: subprocess.Popen[bytes] | None = None
        self._open: dict[int, Letter] = {}
        self._number = 0

    @property
    def is_waiting(self) -> bool:
        """True while an answer is to come."""
        return bool(self._open)

    def ask(self, kind: str, *, arrays: dict[str, NDArray[Any]] | None = None, **values: Any) -> int:
        """Ask, and return the number of the request."""
        self._number += 1
        letter = Letter(self._number, kind, values, arrays or {})
        self._mailbox.request(letter)
        self._ensure_engine()
        self._open[letter.number] = letter  # last: what could not be asked is not waited for
        return letter.number

    def poll(self) -> list[Letter]:
        """Return what was answered since; of superseded requests nothing is heard.

        When the engine has died over the requests, they are answered by
        "failed" once, and the next question starts a new engine.
        """
        replies = self._mailbox.take_replies()
        for reply in replies:
            kind = self._open[reply.number].kind if reply.number in self._open else reply.kind
            for number in [n for n, asked in self._open.items() if asked.kind == kind and n <= reply.number]:
                del self._open[number]
        if self._open and self._process is not None and self._process.poll() is not None:
            self._mailbox.take_requests()
            lost, self._open = self._open, {}
            message = "The engine ended unexpectedly; nothing is lost, try again."
            replies += [Letter(number, "failed", {"error": "EngineLost", "message": message}) for number in lost]
        return replies

    def close(self) -> None:
        """End the engine and remove its folder."""
        if self._process is not None:
            end_process(self._process)
        self._process = None
        self._open.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ensure_engine(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = start_server(self._folder, threads=self._threads)
