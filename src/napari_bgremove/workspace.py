"""What the panels of one viewer share: plain values that say when they change. No Qt, no napari."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

from psygnal import SignalGroupDescriptor

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.io.bundled import BUNDLED_MODEL

__all__ = ["Workspace", "workspace_of"]

_workspaces: weakref.WeakKeyDictionary[Any, Workspace] = weakref.WeakKeyDictionary()


@dataclass
class Workspace:
    """Files the panels hand on to each other.

    Attributes
    ----------
    patch_folder : str
        Holds signal.npz and background.npz; empty while there are none.
    model_file : str
        What separates images; the bundled model until another is chosen.
    spectra_model_file : str
        What was dropped to separate spectra with; empty while there is none.
    signal_model_file : str
        What was dropped to denoise signals with; empty while there is none.
    run_folder : str
        The training that is shown; empty while there is none.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()
    patch_folder: str = ""
    model_file: str = str(BUNDLED_MODEL)
    spectra_model_file: str = ""
    signal_model_file: str = ""
    run_folder: str = ""


def workspace_of(viewer: Any) -> Workspace:
    """Return the workspace of a viewer, one for all its panels."""
    model = unwrapped(viewer)
    if model not in _workspaces:
        _workspaces[model] = Workspace()
    return _workspaces[model]
