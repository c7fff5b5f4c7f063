"""A recipe as plain values, for a model file or a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

__all__ = ["as_record"]


def as_record(recipe: Any) -> dict[str, Any]:
    """Return the fields of a recipe, without `hidden` where no unit was taken out: it then reads as it always did."""
    return {name: value for name, value in asdict(recipe).items() if name != "hidden" or value}
