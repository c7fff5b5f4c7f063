"""A model file dropped on the viewer is what this viewer separates with from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari

from napari_bgremove._model_header import check_model_file, find_subject
from napari_bgremove.contributions.notices import NO_LAYER, refuse, tell
from napari_bgremove.errors import ModelFileError
from napari_bgremove.workspace import Workspace, workspace_of

__all__ = ["choose_model", "get_model_reader"]


def get_model_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[tuple[None]]]:
    """Return what takes a model file in."""
    return choose_model


def choose_model(path: str | Sequence[str]) -> list[tuple[None]]:
    """Make a model file the one the panels of the current viewer use; there is no layer to show.

    Its header is checked here; the tensors, their checksum and the self-test
    are checked by the engine when it first loads the model.

    Raises
    ------
    ModelFileError
        One sentence, when the file is refused and there is no window to say it in.
    """
    try:
        file = _only(path)
        description = check_model_file(file)
        viewer = napari.current_viewer()
        if viewer is None:
            msg = (
                f"'{file.name}' is a model and no image: open it in a napari window, or type bgremove separate --model."
            )
            raise ModelFileError(msg)
    except ModelFileError as error:
        return refuse(error)
    what = _take(workspace_of(viewer), file, description)
    tell([f"'{file.name}' is what this viewer {what} with now{_training(description)}."])
    return NO_LAYER


def _take(workspace: Workspace, file: Path, description: dict[str, Any]) -> str:
    """Let the panels know of a model; return what it does, as the sentence goes."""
    subject, path = find_subject(description), str(file.absolute())
    if subject == "spectra":
        workspace.spectra_model_file = path
        return "separates spectra"
    if subject == "signals":
        workspace.signal_model_file = path
        return "denoises signals"
    workspace.model_file = path
    return "separates"


def _only(path: str | Sequence[str]) -> Path:
    if isinstance(path, str):
        return Path(path)
    if len(path) > 1:
        msg = f"'{Path(path[0]).name}' must be opened alone; found {len(path)} models. A viewer uses one at a time."
        raise ModelFileError(msg)
    return Path(path[0])


def _training(description: dict[str, Any]) -> str:
    """Say what it was trained on, where the file does."""
    provenance = description.get("provenance")
    trained_on = provenance.get("trained_on") if isinstance(provenance, dict) else None
    return f"; trained on {trained_on}" if isinstance(trained_on, str) else ""
