"""Where the model that ships with the package is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUNDLED_MODEL"]

BUNDLED_MODEL = Path(__file__).resolve().parent.parent / "models" / "saxs-small.safetensors"
