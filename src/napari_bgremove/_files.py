"""The one way this package writes a file: complete, or not at all.

A reader never sees half a file, and a process killed or a disk filled at any
moment leaves the old content in place.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_line", "atomic_path", "atomic_write", "remove_stale_temporaries"]

# Windows refuses to replace a file while a virus scanner or an indexer holds
# it; these three codes pass by themselves within a second.
_TRANSIENT_WINDOWS_ERRORS = {5, 32, 33}

# File systems count bytes, 255 as a rule; the rest is for process id and suffix.
_LONGEST_STEM_BYTES = 100

_DAY_S = 24 * 3600.0


def atomic_write(
    path: str | os.PathLike[str], content: bytes | str | Callable[[BinaryIO], None], *, durable: bool = True
) -> Path:
    """Write `content` to `path` so that the file is always whole.

    The bytes go to a temporary sibling, are flushed to the disk, and replace
    the target in one step; then the folder entry is flushed too.

    Parameters
    ----------
    path : path-like
        Target file. Missing folders are made; a symbolic link is followed,
        so the file it points at is replaced and the link stays.
    content : bytes, str or callable
        The bytes, a text (written as UTF-8), or a function that writes to
        the binary file object it is given.
    durable : bool
        False for what means nothing after a power cut: the file is as whole
        for every reader, and nobody waits for the disk.

    Returns
    -------
    Path
        The path that was written.

    Raises
    ------
    OSError
        When the folder is not writable or the disk is full. The old file is
        then still in place.
    """
    with atomic_path(path, durable=durable) as temporary, open(temporary, "r+b") as file:
        _emit(file, content)
    return Path(path)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Lend an empty temporary file that becomes `path` when the block ends well.

    For libraries that want a file name (TIFF, HDF5). The contract is that of
    `atomic_write`: an exception in the block removes the temporary file and
    leaves the old content of `path` in place.

    Parameters
    ----------
    path : path-like
        Target file; folders are made, symbolic links followed, the mode of
        an existing file kept.
    durable : bool
        As for `atomic_write`.

    Yields
    ------
    Path
        The temporary sibling; it exists, is empty, and has to be closed by
        the end of the block.
    """
    real = Path(os.path.realpath(path))
    real.parent.mkdir(parents=True, exist_ok=True)
    temporary = real.with_name(f".{_short_name(real.name)}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        # O_EXCL through "x": never write into something that already exists.
        open(temporary, "xb").close()
        yield temporary
        if durable:
            _sync_file(temporary)
        if real.exists():
            os.chmod(temporary, real.stat().st_mode & 0o7777)
        _replace(temporary, real)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(real.parent)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Append one line to a text file in a single write.

    A line below the pipe size written with O_APPEND is not torn by a second
    writer; a reader has to accept that the last line is still missing its end.
    """
    with open(path, "ab", buffering=0) as file:
        file.write((line.rstrip("\n") + "\n").encode())


def remove_stale_temporaries(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove what a killed `atomic_write` left in `folder`; return what went."""
    removed = []
    for temporary in Path(folder).glob(".*.tmp"):
        parts = temporary.name.split(".")
        if len(parts) < 4 or not parts[-3].isdigit() or _is_in_use(temporary, int(parts[-3])):
            continue
        with contextlib.suppress(OSError):
            temporary.unlink()
            removed.append(temporary)
    return removed


def _emit(file: BinaryIO, content: bytes | str | Callable[[BinaryIO], None]) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content.encode() if isinstance(content, str) else content)


def _replace(source: Path, target: Path) -> None:
    for delay in (0.05, 0.1, 0.2, 0.4, 1.0):
        try:
            os.replace(source, target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _TRANSIENT_WINDOWS_ERRORS:
                raise
            time.sleep(delay)
    os.replace(source, target)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short_name(name: str) -> str:
    return name.encode("utf-8", "ignore")[:_LONGEST_STEM_BYTES].decode("utf-8", "ignore")


def _sync_file(path: Path) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _is_in_use(temporary: Path, pid: int) -> bool:
    # On Windows os.kill ends the process instead of asking for it; there the age decides.
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            return time.time() - temporary.stat().st_mtime < _DAY_S
        return True
    return _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
