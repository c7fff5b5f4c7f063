"""Detector formats of fabio, read in a disposable process with a time limit.

A damaged CBF can make fabio loop for ever and any C extension can crash; neither
may take the viewer or a night's training with it. One worker process is kept
between calls, because importing fabio costs a second; it is killed when it takes
too long, and it ends with the process that started it.

The child speaks one JSON line per answer on its standard output, followed by
the raw bytes of the frame.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ReadError

__all__ = ["IsolatedFrame", "close_reader", "read_isolated"]

TIME_LIMIT_S = 30.0
_START_LIMIT_S = 120.0
_CLASSES = {
    "EDF": ("fabio.edfimage", "EdfImage"),
    "CBF": ("fabio.cbfimage", "CbfImage"),
    "SMV": ("fabio.adscimage", "AdscImage"),
    "MarCCD": ("fabio.marccdimage", "MarccdImage"),
}


@dataclass(frozen=True)
class IsolatedFrame:
    """One frame as fabio read it."""

    values: NDArray[Any]
    frames: int
    header: dict[str, str]


def read_isolated(path: Path, kind: str, *, index: int = 0, time_limit: float = TIME_LIMIT_S) -> IsolatedFrame:
    """Read one frame through fabio in the worker process.

    Parameters
    ----------
    path : Path
        The file; whether it is complete has to be checked before.
    kind : {'EDF', 'CBF', 'SMV', 'MarCCD'}
        The format; fabio is not left to guess.
    index : int
        Frame number.
    time_limit : float
        Seconds until the worker is killed.

    Raises
    ------
    ReadError
        When fabio is not installed, refuses the file, crashes, or takes longer.
    """
    if importlib.util.find_spec("fabio") is None:
        msg = (
            f"'{path.name}' needs the library fabio for {kind} files, which is not installed; "
            'type: pip install "napari-bgremove[xray]"'
        )
        raise ReadError(msg)
    with _LOCK:
        return _worker().read(path, kind, index, time_limit)


def close_reader() -> None:
    """End the worker process, if there is one; the next read starts a new one."""
    with _LOCK:
        worker = _WORKERS.pop(os.getpid(), None)
        if worker is not None:
            worker.close()


class _Worker:
    """The parent's end: one child, one request at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "napari_bgremove.io.isolated"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal belongs to the parent, which closes the pipe.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._timed_out = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        with self._limit(_START_LIMIT_S):
            if not self._pipe_out.readline():
                self.close()
                msg = "The reader process for detector files must start; it ended at once. Reinstall fabio."
                raise ReadError(msg)

    def read(self, path: Path, kind: str, index: int, time_limit: float) -> IsolatedFrame:
        request = {"path": str(path.resolve()), "kind": kind, "index": index, "limit": time_limit}
        try:
            with self._limit(time_limit):
                self._pipe_in.write(json.dumps(request).encode() + b"\n")
                self._pipe_in.flush()
                return self._receive(path, kind)
        except OSError as error:  # the pipe broke: the child is gone
            raise self._explain_death(path, kind, time_limit) from error
        except EOFError as error:
            raise self._explain_death(path, kind, time_limit) from error

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # a broken pipe is as closed as it gets
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self, path: Path, kind: str) -> IsolatedFrame:
        line = self._pipe_out.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer = json.loads(line)
        if "error" in answer:
            msg = (
                f"'{path.name}' must be a readable {kind} file; fabio refused it with {answer['error']}. "
                "Copy the file again from its source."
            )
            raise ReadError(msg)
        content = self._pipe_out.read(answer["bytes"])
        if len(content) != answer["bytes"]:
            raise EOFError
        values = np.frombuffer(bytearray(content), answer["dtype"]).reshape(answer["shape"])
        return IsolatedFrame(values, answer["frames"], answer["header"])

    def _explain_death(self, path: Path, kind: str, time_limit: float) -> ReadError:
        self.close()
        if self._timed_out:
            reason = f"fabio did not finish within {time_limit:g} s"
        else:
            reason = f"the reader process ended with code {self._process.returncode}"
        return ReadError(
            f"'{path.name}' must be a readable {kind} file; {reason}. Copy the file again from its source."
        )

    def _limit(self, seconds: float) -> _Deadline:
        return _Deadline(seconds, self._kill)

    def _kill(self) -> None:
        self._timed_out = True
        self._process.kill()

    @property
    def _pipe_in(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _pipe_out(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


class _Deadline:
    """Calls a function unless the block ends in time; works on every platform."""

    def __init__(self, seconds: float, action: Any) -> None:
        self._timer = threading.Timer(seconds, action)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        self._timer.join()


_LOCK = threading.Lock()
# By process id: after a fork the child must not talk into its parent's pipes.
_WORKERS: dict[int, _Worker] = {}
atexit.register(close_reader)


def _worker() -> _Worker:
    worker = _WORKERS.get(os.getpid())
    if worker is not None and worker.alive:
        return worker
    if worker is not None:
        worker.close()
    worker = _Worker()
    _WORKERS[os.getpid()] = worker
    worker.wait_until_ready()
    return worker


def _serve() -> None:
    """Answer requests until the parent is gone: the child's main loop."""
    # Nothing a library prints may end up between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import fabio  # noqa: F401

    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    answers.write(b"ready\n")
    answers.flush()
    while True:
        request = json.loads(requests.get())
        _arm_alarm(request["limit"] + 5.0)
        header, content = _answer(request)
        answers.write(json.dumps(header).encode() + b"\n" + content)
        answers.flush()
        _arm_alarm(0.0)


def _listen(requests: queue.Queue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    # End of file: the parent closed the pipe or died, and nobody waits for an answer.
    os._exit(0)


def _arm_alarm(seconds: float) -> None:
    """Let the system end a child that hangs in C code after its parent died."""
    if sys.platform != "win32":
        import signal

        signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        return _read_with_fabio(request)
    except Exception as error:
        text = (str(error).strip().splitlines() or ["no reason given"])[0][:200].rstrip(" .")
        return {"error": f"{type(error).__name__}: {text}"}, b""


def _read_with_fabio(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    module, name = _CLASSES[request["kind"]]
    image = getattr(importlib.import_module(module), name)().read(request["path"])
    frames = int(image.nframes)
    frame = image if request["index"] == 0 else image.getframe(request["index"])
    values = np.ascontiguousarray(frame.data)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    header = {
        "shape": values.shape,
        "dtype": values.dtype.str,
        "bytes": values.nbytes,
        "frames": frames,
        "header": {str(key): str(value)[:4096] for key, value in frame.header.items()},
    }
    return header, values.tobytes()


if __name__ == "__main__":
    _serve()
