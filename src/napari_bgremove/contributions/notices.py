"""How a reader speaks: in the window where there is one, otherwise by its error."""

from __future__ import annotations

from collections.abc import Iterable

import napari
from napari.utils.notifications import show_error, show_info

__all__ = ["NO_LAYER", "refuse", "tell"]

#: napari's word for "read, and there is nothing to show".
NO_LAYER: list[tuple[None]] = [(None,)]


def refuse(error: ValueError) -> list[tuple[None]]:
    """Show in one sentence why a file is refused, and return no layer; without a window raise the error.

    napari would wrap an error of a reader into paragraphs on plugins, and offer a traceback.
    """
    if napari.current_viewer() is None:
        raise error
    show_error(str(error))
    return NO_LAYER


def tell(sentences: Iterable[str]) -> None:
    """Show what a person should know of a file that was opened, if someone looks."""
    sentences = list(sentences)
    if sentences and napari.current_viewer() is not None:
        show_info("\n".join(sentences))
