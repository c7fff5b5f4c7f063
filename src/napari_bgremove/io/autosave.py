"""Masks under work, kept on disk so that a crash loses little.

One folder per process; in it one folder per mask with its last generations.
A folder whose process is gone was left by a crash: its masks are offered back.
A process that ends in order takes its folder away.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove.errors import ReadError
from napari_bgremove.io.processes import is_alive, start_time

__all__ = ["Autosave", "SavedMask", "autosave_folder", "find_left_behind"]

GENERATIONS = 5
Mask = NDArray[np.bool_]


def autosave_folder() -> Path:
    """Return the folder of this user's autosaves."""
    from platformdirs import user_state_path

    return user_state_path("napari-bgremove", appauthor=False) / "masks"


@dataclass(frozen=True)
class SavedMask:
    """A mask that was kept: where, what for, and when."""

    path: Path
    name: str
    shape: tuple[int, int]
    saved: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> Mask:
        """Return the mask.

        Raises
        ------
        ReadError
            When the file is damaged.
        """
        try:
            packed = _load(self.path)["packed"]
            count = self.shape[0] * self.shape[1]
            return np.unpackbits(packed, count=count).reshape(self.shape).astype(bool)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            msg = f"'{self.path.name}' is a damaged autosave and cannot be read back. Choose an older one."
            raise ReadError(msg) from error

    def forget(self) -> None:
        """Remove every generation of this mask."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


class Autosave:
    """The autosaves of this process.

    Parameters
    ----------
    folder : Path, optional
        By default `autosave_folder()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or autosave_folder()) / f"{os.getpid()}-{start_time(os.getpid()):.0f}"
        self._latest: dict[str, bytes] = {}

    def save(self, key: str, name: str, mask: Mask, **details: Any) -> Path | None:
        """Keep a mask, unless it is the one kept last; return its file.

        Parameters
        ----------
        key : str
            Tells the masks of a session apart; the name of a layer may change.
        name : str
            What the person calls it.
        mask : ndarray of bool, shape (rows, columns)
        **details
            Plain JSON values, given back with the mask.
        """
        packed = np.packbits(mask)
        if self._latest.get(key) == packed.tobytes():
            return None
        folder = self.folder / key
        number = 1 + max((int(p.stem) for p in folder.glob("*.npz")), default=0)
        record = {"name": name, "shape": list(mask.shape), "saved": time.time(), "details": details}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, packed=packed, record=np.frombuffer(json.dumps(record).encode(), np.uint8))
        path = atomic_write(folder / f"{number:06d}.npz", buffer.getvalue())
        self._latest[key] = packed.tobytes()
        for old in sorted(folder.glob("*.npz"))[:-GENERATIONS]:
            old.unlink(missing_ok=True)
        return path

    def close(self) -> None:
        """Take the folder away: the session ended in order."""
        shutil.rmtree(self.folder, ignore_errors=True)


def find_left_behind(folder: Path | None = None) -> list[SavedMask]:
    """Return the newest readable generation of every mask a dead process left, newest first."""
    found = []
    for session in sorted((folder or autosave_folder()).glob("*-*")):
        pid, _, started = session.name.partition("-")
        if pid.isdigit() and not is_alive(int(pid), float(started)):
            found += [newest for mask in session.iterdir() if (newest := _newest(mask)) is not None]
    return sorted(found, key=lambda m: m.saved, reverse=True)


def _newest(folder: Path) -> SavedMask | None:
    return next(_readable(folder), None)


def _readable(folder: Path) -> Iterator[SavedMask]:
    for path in sorted(folder.glob("*.npz"), reverse=True):
        try:
            record = json.loads(bytes(_load(path)["record"]))
            rows, columns = record["shape"]
            saved = SavedMask(path, str(record["name"]), (rows, columns), float(record["saved"]), record["details"])
            saved.read()
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, ReadError):
            continue  # damaged: the generation before it may be whole
        yield saved


def _load(path: Path) -> dict[str, NDArray[Any]]:
    # From memory: numpy leaves a file open that turns out to be no archive.
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
        return dict(file)
