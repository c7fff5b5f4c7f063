"""Numbers as a table or a label shows them."""

from __future__ import annotations

import math

__all__ = ["DIGITS", "number_text"]

DIGITS = 5


def number_text(value: float, *, nothing: str = "") -> str:
    """Write a number with `DIGITS` significant digits, and NaN as `nothing`."""
    return nothing if math.isnan(value) else f"{value:.{DIGITS}g}"
