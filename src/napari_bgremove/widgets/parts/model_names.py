"""What a model file is called where there is little room."""

from __future__ import annotations

from pathlib import Path

__all__ = ["name_model"]

# Every run calls its best model so.
_EVERYBODYS = ("best", "model")


def name_model(file: str | Path) -> str:
    """Return the name of a model; those of runs are told apart by their folders, and by the epoch."""
    path = Path(file)
    if path.parent.name == "epochs" and path.stem.isdigit():
        return f"{path.parent.parent.name}, epoch {int(path.stem) + 1}"
    return path.parent.name if path.stem in _EVERYBODYS and path.parent.name else path.stem
