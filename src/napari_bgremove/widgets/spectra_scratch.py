"""A folder for what is too large for the memory, gone with the panel that made it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from qtpy.QtCore import QObject

__all__ = ["ScratchFolder"]


class ScratchFolder(QObject):
    """Makes folders inside one that is removed with this object, or at the end of the process.

    Attributes
    ----------
    path : Path or None
        None as long as nothing was put there.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self._count = 0

    def make(self) -> Path:
        """Make another folder."""
        if self.path is None:
            self.path = Path(tempfile.mkdtemp(prefix="napari-bgremove-spectra-"))
            # With this object or at the end of the process, whichever comes first.
            self.destroyed.connect(weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True))
        self._count += 1
        folder = self.path / str(self._count)
        folder.mkdir()
        return folder
