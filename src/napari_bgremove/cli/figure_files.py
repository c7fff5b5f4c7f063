"""Figures of a command as files, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bgremove._files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_figure", "write_figures"]

_DPI = 150


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write NAME.png for each figure; the folder is made."""
    for name, figure in figures.items():
        write_figure(folder / f"{name}.png", figure)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG."""
    atomic_write(path, partial(figure.savefig, format="png", dpi=_DPI))
