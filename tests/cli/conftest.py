"""How a test of a command calls it, and shots small enough for one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.cli import main
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import write_patch_set


@dataclass(frozen=True)
class Called:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def bgremove(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Call `bgremove` with arguments of any type."""

    def call(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["bgremove", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        code, said = exit_.value.code, capsys.readouterr()
        return Called(code if isinstance(code, int) else 0, said.out, said.err)

    return call


@pytest.fixture
def patch_files(tmp_path: Path) -> list[object]:
    """The options of two patch sets, from four shots of two 16 x 16 patches each."""
    rng = np.random.default_rng(0)
    options: list[object] = []
    for role in ("signal", "background"):
        values = rng.uniform(2, 8, (8, 16, 16)) if role == "signal" else 50 * (rng.random((8, 16, 16)) < 0.05)
        names = tuple(f"shot {i}" for i in range(4))
        patches = PatchSet(values.astype(np.float32), role, np.zeros((8, 2)), np.zeros(8), np.arange(8) % 4, names)
        options += [f"--{role}", write_patch_set(tmp_path / f"{role}.npz", patches)]
    return options
