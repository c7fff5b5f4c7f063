"""What the numerics have to say to a person who sees no log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collected_notes"]

PACKAGE = "napari_bgremove"


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.notes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.notes.append(record.getMessage())


@contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Collect the warnings that this package logs inside the block, such as that a batch had to be halved."""
    logger, collector = logging.getLogger(PACKAGE), _Collector()
    logger.addHandler(collector)
    try:
        yield collector.notes
    finally:
        logger.removeHandler(collector)
