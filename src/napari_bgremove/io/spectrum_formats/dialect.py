"""How a text file writes its numbers: separator, decimal sign, encoding."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from napari_bgremove.errors import ReadError

__all__ = ["COMMENT", "Dialect", "decode", "find_dialect"]

#: What a line that is not meant as data starts with.
COMMENT = re.compile(r"\s*(#|%|!|//)")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)
# Lines that decide the dialect; a long file is not read seven times.
_SAMPLED_LINES = 2000


@dataclass(frozen=True)
class Dialect:
    """Separator of the columns (None is any white space) and whether the decimal sign is a comma."""

    separator: str | None
    decimal_comma: bool = False

    def split(self, line: str) -> list[str]:
        """Return the cells of a line without the blanks around them."""
        if self.separator is not None and '"' in line:
            cells = next(csv.reader([line], delimiter=self.separator))
        else:
            cells = line.split(self.separator)
        return [cell.strip() for cell in cells]

    def numbers(self, line: str) -> list[float | None] | None:
        """Return the numbers of a line, None for empty cells; None unless there are two of them and nothing else."""
        cells = self.split(line)
        if self.decimal_comma:
            cells = [cell.replace(",", ".") for cell in cells]
        if not cells or not cells[0] or sum(map(bool, cells)) < 2:
            return None
        if not all(_NUMBER.fullmatch(cell) for cell in cells if cell):
            return None
        return [float(cell) if cell else None for cell in cells]


# The first of those that read equally many lines is taken: a point is more usual than a comma.
_DIALECTS = (
    Dialect("\t"), Dialect(";"), Dialect(","), Dialect(None),
    Dialect("\t", True), Dialect(";", True), Dialect(None, True),
)  # fmt: skip


def find_dialect(lines: Sequence[str]) -> Dialect | None:
    """Return the dialect that reads most lines as numbers, or None where none reads any."""
    sample = [line for line in lines if line.strip() and not COMMENT.match(line)][:_SAMPLED_LINES]
    read = [sum(dialect.numbers(line) is not None for line in sample) for dialect in _DIALECTS]
    return _DIALECTS[read.index(max(read))] if any(read) else None


def decode(name: str, content: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 with its mark, else Latin-1 as instruments write it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\x00" in content:
        msg = (
            f"'{name}' must be a text file; found a zero byte at position {content.index(0)}. Export the spectrum as "
            "text or VAMAS."
        )
        raise ReadError(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
