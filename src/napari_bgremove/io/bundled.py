"""Where the models that ship with the package are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["BUNDLED_MODEL", "BUNDLED_MODELS", "FAST_MODEL", "name_bundled"]

_MODELS = Path(__file__).resolve().parent.parent / "models"

BUNDLED_MODEL = _MODELS / "saxs-small.safetensors"
#: The same without the half of its hidden fields that carried next to nothing (docs/layer-background.md).
FAST_MODEL = _MODELS / "saxs-fast.safetensors"
#: By the words that name them on the command line.
BUNDLED_MODELS: Mapping[str, Path] = {"bundled": BUNDLED_MODEL, "fast": FAST_MODEL}


def name_bundled(path: str | Path) -> str | None:
    """Return the word for a model that comes along; None for another file."""
    return next((word for word, file in BUNDLED_MODELS.items() if file == Path(path)), None)
