"""Shared fixtures: where the real data are, and one thread for repeatable numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data, never part of the repository."""
    folder = Path(os.environ.get("BGREMOVE_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set BGREMOVE_DATA")
    return folder
